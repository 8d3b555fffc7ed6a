// Kernels without an anchor: elementwise groups, rows and columns, of any pointwise ops, views,
// indexing and reductions. backends/codegen/fused_plan.h says how they are cut into phases,
// fused_grid.h how a phase is spread over invocations.
#include "absl/strings/str_cat.h"
#include "backends/codegen/bound_leaves.h"
#include "backends/codegen/fused_steps.h"
#include "backends/vulkan/element_memory.h"
#include "backends/vulkan/fused_emitter.h"
#include "backends/vulkan/fused_grid.h"
#include "backends/vulkan/phase_builder.h"
#include "base/status_macros.h"
#include "passes/plan/kernel_info.h"

namespace trama::vulkan {
namespace {
namespace arith = mlir::arith;
using codegen::Coordinate;
using codegen::ElementMemory;
using codegen::FusedPlan;
using codegen::FusedStore;
using codegen::PhaseKind;
using codegen::Reducer;
using mlir::Operation;

mlir::RankedTensorType TypeOf(Value tensor) {
  return mlir::cast<mlir::RankedTensorType>(tensor.getType());
}

// Of indices, which are never negative.
Value Quotient(codegen::Builder& b, Value index, int64_t by) {
  return by == 1 ? index : Value(arith::DivUIOp::create(b, index, b.Index(by)));
}
Value Remainder(codegen::Builder& b, Value index, int64_t by) {
  return by == 1 ? b.Index(0) : Value(arith::RemUIOp::create(b, index, b.Index(by)));
}

class PhaseEmitter : codegen::FusedSteps {
 public:
  PhaseEmitter(PhaseBuilder& b, const FusedPlan& plan, int index, const FusedGrid& grid,
               mlir::func::FuncOp body)
      : FusedSteps(b, plan, index, /*vector_accumulators=*/grid.lanes > 1), b_(b), grid_(grid) {
    FindMemory(body);
    eval_.vector_loop = grid.lanes > 1 ? grid.vector_loop : -1;
  }

  absl::Status Emit() {
    if (phase_.kind == PhaseKind::kElementwise) {
      EmitElementwise();
    } else if (grid_.workgroup_tasks) {
      EmitTask(b_.WorkgroupIndex());
    } else {
      Guarded(b_.GlobalIndex(), grid_.tasks, [&](Value task) { EmitTask(task); });
    }
    TRAMA_RETURN_IF_ERROR(status_);
    return b_.Finish(grid_.workgroups);
  }

 private:
  // ---- memory

  std::unique_ptr<ElementMemory> MemoryOf(mlir::RankedTensorType type,
                                          std::function<Value(int64_t)> buffer) {
    return std::make_unique<BufferMemory>(std::move(buffer), PhaseBuilder::CanVectorize(type));
  }

  std::unique_ptr<ElementMemory> ResultMemory(mlir::RankedTensorType type, unsigned result) {
    return MemoryOf(type, [this, result](int64_t n) { return b_.Result(result, n); });
  }

  void FindMemory(mlir::func::FuncOp body) {
    for (auto [i, argument] : llvm::enumerate(body.getArguments()))
      memory_[argument] =
          MemoryOf(TypeOf(argument),
                   [this, i = static_cast<unsigned>(i)](int64_t n) { return b_.Operand(i, n); });
    for (auto [i, type] : llvm::enumerate(body.getResultTypes()))
      results_.push_back(ResultMemory(mlir::cast<mlir::RankedTensorType>(type), i));
    for (const auto& [value, home] : plan_.homes) {
      if (home.result >= 0) {
        memory_[value] = ResultMemory(TypeOf(value), home.result);
        continue;
      }
      const std::string name = absl::StrCat("home_", home.workspace_offset);
      memory_[value] = MemoryOf(TypeOf(value), [this, type = TypeOf(value), name](int64_t n) {
        return b_.Workspace(name, type.getElementType(), type.getNumElements(), n);
      });
    }
    for (auto constant : body.getOps<ConstantOp>()) {
      auto elements = mlir::dyn_cast<mlir::DenseElementsAttr>(constant.getValue());
      if (!elements) {
        Fail(absl::UnimplementedError("fused: a constant of unknown elements"));
        continue;
      }
      memory_[constant.getY()] = MemoryOf(TypeOf(constant.getY()), [this, elements](int64_t n) {
        return b_.ConstantBuffer(elements, n);
      });
    }
  }

  // ---- loops

  // The loops `loops` where they are all together at iteration `index`, in vectors for the vector
  // loop.
  void SetLoops(ArrayRef<int> loops, Value index) {
    for (size_t i = loops.size(); i-- > 0;) {
      const bool vector = loops[i] == eval_.vector_loop;
      const int64_t extent = phase_.merged[loops[i]].extent / (vector ? grid_.lanes : 1);
      Value variable = i == 0 ? index : Remainder(b_, index, extent);
      eval_.variables[loops[i]] = vector ? b_.Mul(variable, grid_.lanes) : variable;
      if (i > 0) index = Quotient(b_, index, extent);
    }
  }

  // What is emitted for an outer level from here on goes before the region that the builder is in.
  void Enter() {
    Operation* region = b_.getInsertionBlock()->getParentOp();
    for (Operation*& anchor : eval_.anchors)
      if (!anchor) anchor = region;
  }

  // then(index) for the invocations that have one below `count`.
  void Guarded(Value index, int64_t count, llvm::function_ref<void(Value)> then) {
    if (grid_.workgroups * grid_.local_size == count) return then(index);
    b_.If(b_.Less(index, b_.Index(count)), [&] {
      eval_.anchors[codegen::kFunction] = b_.getInsertionBlock()->getParentOp();
      then(index);
    });
  }

  // step(carried) for all steps of the task that are this invocation's.
  SmallVector<Value> ForSteps(SmallVector<Value> carried,
                              llvm::function_ref<SmallVector<Value>(ValueRange)> step) {
    eval_.anchors[codegen::kTask] = nullptr;
    eval_.level = codegen::kBody;
    auto body = [&](Value index, ValueRange values) {
      SetLoops(grid_.inner, index);
      eval_.Forget(codegen::kBody);
      return step(values);
    };
    if (grid_.steps == 1) {
      carried = body(b_.Index(0), carried);
    } else {
      const bool shared = grid_.workgroup_tasks;
      carried = b_.For(shared ? b_.LocalIndex() : b_.Index(0), b_.Index(grid_.steps),
                       shared ? grid_.local_size : 1, carried, [&](Value index, ValueRange values) {
                         Enter();
                         return body(index, values);
                       });
    }
    eval_.level = codegen::kTask;
    eval_.anchors[codegen::kTask] = nullptr;
    return carried;
  }

  void EmitTask(Value task) {
    eval_.level = codegen::kTask;
    SetLoops(grid_.outer, task);
    if (phase_.kind == PhaseKind::kRows)
      EmitRow();
    else
      EmitColumns();
  }

  void EmitElementwise() {
    auto step = [&](Value index) {
      SetLoops(grid_.inner, index);
      eval_.level = codegen::kBody;
      EmitStores();
    };
    if (grid_.repeats == 1) return Guarded(b_.GlobalIndex(), grid_.steps, step);
    const int64_t share = grid_.local_size * grid_.repeats;
    Value first = b_.Mul(b_.WorkgroupIndex(), share);
    Value end = b_.Min(b_.Add(first, share), b_.Index(grid_.steps));
    b_.For(b_.Add(first, b_.LocalIndex()), end, grid_.local_size, [&](Value index) {
      eval_.anchors[codegen::kFunction] = b_.getInsertionBlock()->getParentOp();
      step(index);
    });
  }

  // ---- rows

  void EmitRow() {
    for (const auto& pass : codegen::PassesOf(phase_)) {
      SmallVector<const Reducer*> reducers;
      for (const Reducer& reducer : reducers_)
        if (llvm::is_contained(pass, reducer.op())) reducers.push_back(&reducer);
      ReduceRow(reducers);
    }
    if (!phase_.stores.empty())
      ForSteps({}, [&](ValueRange) {
        EmitStores();
        return SmallVector<Value>();
      });
    EmitRowResults();
  }

  void ReduceRow(ArrayRef<const Reducer*> reducers) {
    const SmallVector<Value> carried = ForSteps(
        Identities(reducers), [&](ValueRange values) { return Accumulate(reducers, values); });
    size_t at = 0;
    for (const Reducer* reducer : reducers) {
      SmallVector<Value> total =
          reducer->FoldLanes(b_, ArrayRef(carried).slice(at, reducer->width()));
      at += reducer->width();
      if (grid_.workgroup_tasks) total = OverWorkgroup(*reducer, total);
      eval_.registers[reducer->op()->getResult(0)] = reducer->Result(b_, total);
    }
  }

  // The accumulators of all invocations in one.
  SmallVector<Value> OverWorkgroup(const Reducer& reducer, ValueRange total) {
    if (!reducer.wants_index())
      return {b_.ReduceWorkgroup(total[0],
                                 [&](Value x, Value y) { return reducer.Join(b_, {x}, {y})[0]; })};
    Value largest =
        b_.ReduceWorkgroup(total[0], [&](Value x, Value y) { return b_.FastMax(x, y); });
    Value is_largest = mlir::isa<mlir::FloatType>(largest.getType())
                           ? b_.Compare(arith::CmpFPredicate::OEQ, total[0], largest)
                           : b_.Compare(arith::CmpIPredicate::eq, total[0], largest);
    Value candidate =
        b_.Select(is_largest, total[1], b_.IntConstant(total[1].getType(), INT32_MAX));
    Value lowest = b_.ReduceWorkgroup(candidate, [&](Value x, Value y) { return b_.Min(x, y); });
    return {largest, lowest};
  }

  // What a row has one of.
  void EmitRowResults() {
    struct Result {
      Value value;
      const ElementMemory* memory;
      Coordinate at;
    };
    std::vector<Result> results;
    for (Operation* op : phase_.reductions) {
      auto home = memory_.find(op->getResult(0));
      if (home != memory_.end())
        results.push_back(
            {eval_.registers[op->getResult(0)], home->second.get(), phase_.ResultIndex()});
    }
    for (const FusedStore& store : phase_.row_stores)
      if (Value value = EvaluateAt(store.value, phase_.RowIndex()))
        results.push_back(
            {value, results_[store.result].get(), TargetIndex(store, phase_.RowIndex())});
    auto write = [&] {
      for (const Result& result : results) eval_.Write(result.value, *result.memory, result.at);
    };
    if (results.empty()) return;
    if (!grid_.workgroup_tasks) return write();
    b_.If(b_.Compare(arith::CmpIPredicate::eq, b_.LocalIndex(), b_.Index(0)), write);
  }

  // ---- columns

  void EmitColumns() {
    const SmallVector<Value> sums = ForSteps(Identities(all_reducers_), [&](ValueRange values) {
      SmallVector<Value> next = Accumulate(all_reducers_, values);
      EmitStores();
      return next;
    });
    size_t at = 0;
    for (const Reducer& reducer : reducers_) {
      WriteHome(reducer, reducer.Result(b_, ArrayRef(sums).slice(at, reducer.width())));
      at += reducer.width();
    }
  }

  PhaseBuilder& b_;
  const FusedGrid& grid_;
};
}  // namespace

absl::StatusOr<Kernel> EmitFused(mlir::func::FuncOp body, mlir::ModuleOp module,
                                 const Target& target) {
  auto prepared = codegen::PrepareFusedBody(body, SplitFor(target));
  mlir::func::FuncOp simple = *prepared->getOps<mlir::func::FuncOp>().begin();
  codegen::BoundLeaves(simple, MostLeaves(target));
  TRAMA_ASSIGN_OR_RETURN(FusedPlan plan,
                         codegen::PlanFused(simple, ResultsTogether(body), MostBuffers(target)));
  Kernel kernel;
  for (size_t i = 0; i < plan.phases.size(); ++i) {
    const FusedGrid grid = SpreadPhase(plan.phases[i], target);
    PhaseBuilder b(module, simple, target, kernel, "fused", {grid.local_size, 1, 1});
    TRAMA_RETURN_IF_ERROR(PhaseEmitter(b, plan, static_cast<int>(i), grid, simple).Emit());
  }
  return kernel;
}

TRAMA_VULKAN_KERNEL("fused", EmitFused);

}  // namespace trama::vulkan
