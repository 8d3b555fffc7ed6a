// Kernels without an anchor: elementwise groups, rows and columns, of any pointwise ops, views,
// indexing and reductions. fused_plan.h says how they are cut.
#include "absl/strings/str_cat.h"
#include "backends/codegen/fused_steps.h"
#include "backends/codegen/pointwise.h"
#include "backends/cpu/element_memory.h"
#include "backends/cpu/fused_emitter.h"
#include "base/status_macros.h"
#include "passes/plan/kernel_info.h"

namespace trama::cpu {
namespace {
using codegen::Axis;
using codegen::Builder;
using codegen::ElementMemory;
using codegen::FusedPlan;
using codegen::FusedStore;
using codegen::PhaseKind;
using codegen::Reducer;
using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;
using mlir::ValueRange;

// Elements of a task of a long elementwise loop; longer loops than twice this are cut.
constexpr int64_t kChunk = 4096;

class PhaseEmitter : codegen::FusedSteps {
 public:
  PhaseEmitter(Builder& b, const FusedPlan& plan, int index, mlir::func::FuncOp body,
               codegen::PhaseArguments& arguments)
      : FusedSteps(b, plan, index, /*vector_accumulators=*/true), b_(b), arguments_(arguments) {
    FindMemory(body);
    for (auto [g, loop] : llvm::enumerate(phase_.merged)) {
      const bool last = g + 1 == phase_.merged.size();
      const bool inner =
          phase_.kind == PhaseKind::kElementwise ? last : loop.axis == Axis::kReduced;
      (inner ? inner_ : outer_).push_back(g);
    }
    if (phase_.kind == PhaseKind::kColumns) {
      eval_.vector_loop = outer_.pop_back_val();
    } else if (!inner_.empty()) {
      eval_.vector_loop = inner_.back();
      for (Value value : phase_.stashes)
        eval_.stashes[value].memory = stashes_
                                          .emplace_back(std::make_unique<VectorMemory>(b.Flat(
                                              arguments.scratch.Take(b, {phase_.sizes.reduced}))))
                                          .get();
    }
  }

  absl::Status Emit(Phase& phase) {
    int64_t rows = 1;
    for (int g : outer_) rows *= phase_.merged[g].extent;
    int64_t pieces = 1;
    const int64_t n = VectorExtent();
    if (phase_.kind == PhaseKind::kElementwise && n > 2 * kChunk)
      pieces = (n + kChunk - 1) / kChunk;
    if (phase_.kind == PhaseKind::kColumns) pieces = (n + BlockWidth() - 1) / BlockWidth();
    phase.tasks = rows * pieces;
    phase.flops = static_cast<double>(phase_.elements()) * phase_.element_cost;
    const double task_ns =
        phase_.elements() * std::max(0.15, 0.02 * phase_.element_cost) / phase.tasks;
    phase.grain = std::clamp<int64_t>(static_cast<int64_t>(50000 / task_ns), 1,
                                      std::max<int64_t>(1, (phase.tasks + 3) / 4));
    b_.For(arguments_.begin, arguments_.end, 1, [&](Value task) {
      eval_.anchors[codegen::kFunction] = b_.getInsertionBlock()->getParentOp();
      eval_.level = codegen::kTask;
      Value row = pieces == 1 ? task : b_.Div(task, pieces);
      Value piece = pieces == 1 ? b_.Index(0) : rows == 1 ? task : b_.Rem(task, pieces);
      SetOuter(row);
      switch (phase_.kind) {
        case PhaseKind::kElementwise:
          return EmitPass({}, piece, pieces);
        case PhaseKind::kRows:
          return EmitRow();
        case PhaseKind::kColumns:
          return EmitColumns(piece, pieces);
      }
    });
    return status_;
  }

 private:
  int64_t VectorExtent() const {
    return eval_.vector_loop < 0 ? 1 : phase_.merged[eval_.vector_loop].extent;
  }

  // The memory of everything that is read or written, at the function's start.
  void FindMemory(mlir::func::FuncOp body) {
    for (auto [argument, memref] : llvm::zip_equal(body.getArguments(), arguments_.operands))
      memory_[argument] = std::make_unique<VectorMemory>(b_.Flat(memref));
    for (Value memref : arguments_.results)
      results_.push_back(std::make_unique<VectorMemory>(b_.Flat(memref)));
    Value workspace;
    if (plan_.workspace_bytes)
      workspace = arguments_.workspace.Take(b_, {(plan_.workspace_bytes + 3) / 4});
    for (const auto& phase : plan_.phases) {
      for (Operation* op : phase.reductions) {
        const Value value = op->getResult(0);
        auto home = plan_.homes.find(value);
        if (home == plan_.homes.end()) continue;
        memory_[value] = MemoryOf(value, home->second, workspace);
      }
    }
    for (auto constant : body.getOps<ConstantOp>()) {
      double splat;
      if (codegen::IsSplatConstant(constant.getY(), &splat)) continue;
      memory_[constant.getY()] = std::make_unique<VectorMemory>(Global(constant));
    }
  }

  // Where a reduction's result is kept.
  std::unique_ptr<ElementMemory> MemoryOf(Value tensor, const FusedPlan::Home& home,
                                          Value workspace) {
    const auto type = codegen::BufferType(mlir::cast<mlir::RankedTensorType>(tensor.getType()));
    if (home.result >= 0)
      return std::make_unique<VectorMemory>(b_.Flat(arguments_.results[home.result]));
    if (type.getElementType().isF32())
      return std::make_unique<VectorMemory>(
          b_.View(workspace, {type.getNumElements()}, home.workspace_offset / 4));
    return std::make_unique<PointerMemory>(b_, workspace, home.workspace_offset,
                                           type.getElementType());
  }

  Value Global(ConstantOp constant) {
    auto type = codegen::BufferType(mlir::cast<mlir::RankedTensorType>(constant.getY().getType()));
    auto elements = mlir::cast<mlir::DenseElementsAttr>(constant.getValue());
    if (elements.getElementType().isInteger(1)) {
      SmallVector<int8_t> bytes;
      for (bool bit : elements.getValues<bool>()) bytes.push_back(bit);
      elements = mlir::DenseElementsAttr::get(
          mlir::RankedTensorType::get(type.getShape(), b_.Int(8)), ArrayRef<int8_t>(bytes));
    }
    auto function = b_.getInsertionBlock()->getParentOp();
    const std::string name = absl::StrCat(mlir::cast<mlir::func::FuncOp>(function).getName().str(),
                                          "_constant_", globals_++);
    {
      Builder::InsertionGuard guard(b_);
      b_.setInsertionPoint(function);
      mlir::memref::GlobalOp::create(b_, name, b_.getStringAttr("private"), type, elements,
                                     /*constant=*/true, /*alignment=*/b_.getI64IntegerAttr(64));
    }
    return b_.Flat(mlir::memref::GetGlobalOp::create(b_, type, name));
  }

  void SetOuter(Value row) {
    for (size_t i = outer_.size(); i-- > 0;) {
      const int64_t extent = phase_.merged[outer_[i]].extent;
      eval_.variables[outer_[i]] = i == 0 ? row : b_.Rem(row, extent);
      if (i > 0) row = b_.Div(row, extent);
    }
    eval_.Forget(codegen::kTask);
  }

  // ---- rows

  void EmitRow() {
    for (auto& [value, stash] : eval_.stashes) stash.written = stash.filled = false;
    for (const auto& pass : codegen::PassesOf(phase_)) {
      SmallVector<const Reducer*> reducers;
      for (const Reducer& reducer : reducers_)
        if (llvm::is_contained(pass, reducer.op())) reducers.push_back(&reducer);
      EmitPass(reducers, nullptr, 1);
    }
    for (const Reducer& reducer : reducers_)
      WriteHome(reducer, eval_.registers[reducer.op()->getResult(0)]);
    if (!phase_.stores.empty()) EmitPass({}, nullptr, 1);
    for (const FusedStore& store : phase_.row_stores)
      if (Value value = EvaluateAt(store.value, phase_.RowIndex())) {
        auto target = TargetIndex(store, phase_.RowIndex());
        eval_.Write(value, *results_[store.result], target);
      }
  }

  // Once over the inner loops: `reducers`, or the phase's stores where there are none. Of a long
  // elementwise loop, piece `piece` of `pieces`.
  void EmitPass(ArrayRef<const Reducer*> reducers, Value piece, int64_t pieces) {
    eval_.anchors[codegen::kTask] = nullptr;
    eval_.level = codegen::kBody;
    if (eval_.vector_loop < 0) {
      EmitScalarBody(reducers);
    } else {
      const int64_t vectors = VectorExtent() / b_.lanes;
      int64_t unroll = reducers.empty() || phase_.element_cost > 40 ? 1 : 4;
      while (unroll > 1 && unroll > vectors) unroll /= 2;
      SmallVector<Value> carried;
      for (int64_t u = 0; u < unroll; ++u) llvm::append_range(carried, Identities(reducers));
      carried = EmitLoops(0, carried, [&](ValueRange values) {
        return EmitVectorLoop(reducers, unroll, piece, pieces, values);
      });
      eval_.level = codegen::kTask;
      const size_t width = carried.size() / unroll;
      size_t at = 0;
      for (const Reducer* reducer : reducers) {
        SmallVector<Value> total(ArrayRef<Value>(carried).slice(at, reducer->width()));
        for (int64_t u = 1; u < unroll; ++u)
          total =
              reducer->Join(b_, total, ArrayRef(carried).slice(u * width + at, reducer->width()));
        eval_.registers[reducer->op()->getResult(0)] =
            reducer->Result(b_, reducer->FoldLanes(b_, total));
        at += reducer->width();
      }
    }
    eval_.level = codegen::kTask;
    eval_.anchors[codegen::kTask] = nullptr;
    for (auto& [value, stash] : eval_.stashes) stash.filled |= stash.written;
  }

  // Rows of one element.
  void EmitScalarBody(ArrayRef<const Reducer*> reducers) {
    eval_.Forget(codegen::kBody);
    for (const Reducer* reducer : reducers) {
      Value value = EvaluateAt(reducer->op()->getOperand(0), phase_.FlatIndex());
      if (!value) return;
      if (reducer->wants_index())
        value = b_.IntConstant(getElementTypeOrSelf(reducer->op()->getResult(0)), 0);
      eval_.registers[reducer->op()->getResult(0)] = value;
    }
    if (reducers.empty()) EmitStores();
  }

  SmallVector<Value> EmitLoops(size_t depth, ValueRange carried,
                               llvm::function_ref<SmallVector<Value>(ValueRange)> innermost) {
    const size_t loops = phase_.kind == PhaseKind::kColumns ? inner_.size() : inner_.size() - 1;
    if (depth == loops) return innermost(carried);
    return b_.For(b_.Index(0), b_.Index(phase_.merged[inner_[depth]].extent), 1, carried,
                  [&](Value i, ValueRange values) {
                    Enter();
                    eval_.variables[inner_[depth]] = i;
                    return EmitLoops(depth + 1, values, innermost);
                  });
  }

  // Notes the outermost op of a pass that the builder is now inside of.
  void Enter() {
    if (!eval_.anchors[codegen::kTask])
      eval_.anchors[codegen::kTask] = b_.getInsertionBlock()->getParentOp();
  }

  SmallVector<Value> EmitVectorLoop(ArrayRef<const Reducer*> reducers, int64_t unroll, Value piece,
                                    int64_t pieces, ValueRange init) {
    const int64_t n = VectorExtent(), lanes = b_.lanes;
    const int64_t step = lanes * unroll, whole = n / lanes * lanes, main = n / step * step;
    const size_t width = init.size() / unroll;
    SmallVector<Value> carried(init);
    const bool outermost = !eval_.anchors[codegen::kTask];
    auto body = [&](Value at, SmallVector<Value>& values, int64_t slot) {
      eval_.variables[eval_.vector_loop] = at;
      auto next = Step(reducers, ArrayRef(values).slice(slot * width, width));
      std::copy(next.begin(), next.end(), values.begin() + slot * width);
    };
    Value begin = b_.Index(0), end = b_.Index(main);
    if (pieces > 1) {
      begin = b_.Mul(piece, kChunk);
      end = b_.Min(b_.Add(begin, kChunk), b_.Index(whole));
    }
    if (main > 0)
      carried = b_.For(begin, end, step, carried, [&](Value i, ValueRange values) {
        Enter();
        SmallVector<Value> next(values);
        for (int64_t u = 0; u < unroll; ++u) body(b_.Add(i, u * lanes), next, u);
        return next;
      });
    if (outermost) eval_.anchors[codegen::kTask] = nullptr;
    for (int64_t i = pieces > 1 ? whole : main; i < whole; i += lanes)
      body(b_.Index(i), carried, i / lanes % unroll);
    if (whole == n) return carried;
    auto tail = [&] {
      eval_.mask = b_.Mask(b_.Index(n - whole));
      body(b_.Index(whole), carried, 0);
      eval_.mask = nullptr;
    };
    if (pieces == 1) {
      tail();
    } else {
      Value last = b_.Compare(mlir::arith::CmpIPredicate::eq, piece, b_.Index(pieces - 1));
      b_.If(last, [&] {
        Enter();
        tail();
      });
      if (outermost) eval_.anchors[codegen::kTask] = nullptr;
    }
    return carried;
  }

  SmallVector<Value> Step(ArrayRef<const Reducer*> reducers, ValueRange carried) {
    eval_.Forget(codegen::kBody);
    SmallVector<Value> next = Accumulate(reducers, carried);
    if (reducers.empty()) EmitStores();
    return next;
  }

  // ---- columns

  // Columns of a task: as many registers of sums as leave some for the rest.
  int64_t BlockWidth() const {
    int64_t values = 0;
    for (const Reducer& reducer : reducers_) values += reducer.width();
    int64_t vectors = std::max<int64_t>(1, (b_.lanes == 16 ? 8 : 4) / values);
    if (phase_.element_cost > 60) vectors = std::min<int64_t>(vectors, 4);
    return std::min(vectors, (VectorExtent() + b_.lanes - 1) / b_.lanes) * b_.lanes;
  }

  void EmitColumns(Value piece, int64_t pieces) {
    const int64_t width = BlockWidth(), rest = VectorExtent() % width;
    Value base = b_.Mul(piece, width);
    if (rest == 0) return EmitBlock(base, width);
    if (pieces == 1) return EmitBlock(base, rest);
    Value last = b_.Compare(mlir::arith::CmpIPredicate::eq, piece, b_.Index(pieces - 1));
    b_.If(
        last, [&] { EmitBlock(base, rest); }, [&] { EmitBlock(base, width); });
  }

  void EmitBlock(Value base, int64_t columns) {
    const int64_t lanes = b_.lanes, vectors = (columns + lanes - 1) / lanes;
    SmallVector<Value> init, at;
    for (int64_t v = 0; v < vectors; ++v) {
      at.push_back(b_.Add(base, v * lanes));
      llvm::append_range(init, Identities(all_reducers_));
    }
    const size_t width = init.size() / vectors;
    Value tail = columns % lanes ? b_.Mask(b_.Index(columns % lanes)) : Value();
    auto select = [&](int64_t v) {
      eval_.variables[eval_.vector_loop] = at[v];
      eval_.mask = v + 1 == vectors ? tail : Value();
    };
    eval_.Forget(codegen::kTask);
    eval_.anchors[codegen::kTask] = nullptr;
    eval_.level = codegen::kBody;
    SmallVector<Value> sums = EmitLoops(0, init, [&](ValueRange carried) {
      SmallVector<Value> next;
      eval_.Forget(codegen::kBody);
      for (int64_t v = 0; v < vectors; ++v) {
        select(v);
        llvm::append_range(next, Accumulate(all_reducers_, carried.slice(v * width, width)));
        EmitStores();
      }
      return next;
    });
    eval_.anchors[codegen::kTask] = nullptr;
    eval_.level = codegen::kTask;
    for (int64_t v = 0; v < vectors; ++v) {
      select(v);
      size_t offset = v * width;
      for (const Reducer* reducer : all_reducers_) {
        WriteHome(*reducer, reducer->Result(b_, ArrayRef(sums).slice(offset, reducer->width())));
        offset += reducer->width();
      }
    }
    eval_.mask = nullptr;
    eval_.Forget(codegen::kTask);
  }

  Builder& b_;
  codegen::PhaseArguments& arguments_;
  std::vector<std::unique_ptr<ElementMemory>> stashes_;
  SmallVector<int> outer_, inner_;  // of merged: one iteration a task, and the rest
  int globals_ = 0;
};
}  // namespace

absl::StatusOr<Kernel> EmitFused(mlir::func::FuncOp body, mlir::ModuleOp module,
                                 const Target& target) {
  auto prepared = codegen::PrepareFusedBody(body);
  mlir::func::FuncOp simple = *prepared->getOps<mlir::func::FuncOp>().begin();
  TRAMA_ASSIGN_OR_RETURN(FusedPlan plan, codegen::PlanFused(simple, ResultsTogether(body)));
  Kernel kernel;
  Builder b(module, target.lanes);
  for (size_t i = 0; i < plan.phases.size(); ++i) {
    Phase phase;
    phase.symbol = absl::StrCat("phase_", i);
    absl::Status status;
    const auto sizes =
        codegen::EmitPhase(b, phase.symbol, simple, [&](codegen::PhaseArguments& arguments) {
          status = PhaseEmitter(b, plan, static_cast<int>(i), simple, arguments).Emit(phase);
        });
    TRAMA_RETURN_IF_ERROR(status);
    kernel.workspace_floats = std::max(kernel.workspace_floats, sizes.workspace_floats);
    kernel.scratch_floats = std::max(kernel.scratch_floats, sizes.scratch_floats);
    kernel.phases.push_back(phase);
  }
  return kernel;
}

TRAMA_CPU_KERNEL("fused", EmitFused);

}  // namespace trama::cpu
