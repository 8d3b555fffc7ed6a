#include "backends/codegen/fused_plan.h"

#include <functional>

#include "absl/strings/str_cat.h"
#include "backends/codegen/element_evaluator.h"
#include "base/status_macros.h"

namespace trama::codegen {
namespace {
using mlir::Operation;

int64_t Product(ArrayRef<int64_t> sizes) {
  int64_t product = 1;
  for (int64_t size : sizes) product *= size;
  return product;
}

Coordinate IndexOver(ArrayRef<Loop> loops, llvm::function_ref<bool(Axis)> counts) {
  Coordinate form = Coordinate::Constant(0, loops.size());
  int64_t stride = 1;
  for (size_t k = loops.size(); k-- > 0;) {
    if (!counts(loops[k].axis)) continue;
    form.coefficients[k] = loops[k].extent == 1 ? 0 : stride;
    stride *= loops[k].extent;
  }
  return form;
}

class Planner {
 public:
  Planner(mlir::func::FuncOp body, ArrayRef<SmallVector<unsigned>> together, size_t most_buffers)
      : body_(body), together_(together), most_buffers_(most_buffers) {}

  absl::StatusOr<FusedPlan> Run() {
    for (Operation& op : body_.front().without_terminator())
      if (IsReduction(&op)) TRAMA_RETURN_IF_ERROR(PlaceReduction(&op));
    for (unsigned i = 0; i < body_.getNumResults(); ++i) {
      const auto* group = llvm::find_if(
          together_, [&](ArrayRef<unsigned> results) { return llvm::is_contained(results, i); });
      if (group == together_.end()) {
        TRAMA_RETURN_IF_ERROR(PlaceStore(StoreOf(i)));
      } else if (group->front() == i) {
        TRAMA_RETURN_IF_ERROR(PlaceStores(
            llvm::map_to_vector(*group, [&](unsigned result) { return StoreOf(result); })));
      }
    }
    PlaceHomes();
    return std::move(plan_);
  }

 private:
  // Reductions that `value` is computed from without others in between.
  const llvm::SmallPtrSet<Operation*, 4>& Needs(Value value) {
    auto [entry, inserted] = needs_.try_emplace(value);
    if (!inserted) return *entry->second;
    auto found = std::make_unique<llvm::SmallPtrSet<Operation*, 4>>();
    Operation* op = value.getDefiningOp();
    if (IsReduction(op)) {
      found->insert(op);
    } else if (op) {
      for (Value operand : op->getOperands())
        for (Operation* need : Needs(operand)) found->insert(need);
    }
    return *(needs_[value] = std::move(found));
  }

  // The first phase that may compute from `value`; one that has the reductions it needs by rows
  // counts if `same_row`.
  int Earliest(Value value, bool same_row) {
    int earliest = 0;
    for (Operation* need : Needs(value)) {
      const int phase = plan_.phase_of.lookup(need->getResult(0));
      const bool joins = same_row && plan_.phases[phase].kind == PhaseKind::kRows;
      earliest = std::max(earliest, joins ? phase : phase + 1);
    }
    return earliest;
  }

  FusedStore StoreOf(unsigned result) {
    Value stored = body_.front().getTerminator()->getOperand(result);
    while (auto reshape = stored.getDefiningOp<ReshapeOp>()) stored = reshape.getX();
    SmallVector<int64_t> shape(ShapeOf(stored));
    return {stored, result, shape, SmallVector<int64_t>(shape.size(), 0)};
  }

  // Replaces phase `index` by `trial`, which has `added` steps more, if its steps go together.
  absl::StatusOr<bool> Try(int index, FusedPhase trial, size_t added = 1) {
    TRAMA_ASSIGN_OR_RETURN(bool fits, Analyze(index, trial));
    if (!fits) return false;
    if (most_buffers_ && trial.buffers > most_buffers_ && trial.steps() > added) return false;
    if (index == static_cast<int>(plan_.phases.size()))
      plan_.phases.push_back(std::move(trial));
    else
      plan_.phases[index] = std::move(trial);
    return true;
  }

  absl::Status PlaceReduction(Operation* op) {
    FusedPhase fresh;
    fresh.sizes = SizesOf(op);
    if (fresh.elements() == 0) return absl::UnimplementedError("fused: a reduction of no elements");
    fresh.kind = fresh.sizes.inner == 1 ? PhaseKind::kRows : PhaseKind::kColumns;
    fresh.reductions.push_back(op);
    const int count = static_cast<int>(plan_.phases.size());
    const bool rows = fresh.kind == PhaseKind::kRows;
    for (int i = Earliest(op->getOperand(0), rows); i < count; ++i) {
      FusedPhase trial = plan_.phases[i];
      if (trial.kind != fresh.kind || trial.sizes.outer != fresh.sizes.outer ||
          trial.sizes.reduced != fresh.sizes.reduced || trial.sizes.inner != fresh.sizes.inner)
        continue;
      trial.reductions.push_back(op);
      plan_.phase_of[op->getResult(0)] = i;
      TRAMA_ASSIGN_OR_RETURN(bool fits, Try(i, trial));
      if (fits) return absl::OkStatus();
    }
    plan_.phase_of[op->getResult(0)] = count;
    TRAMA_ASSIGN_OR_RETURN(bool fits, Try(count, fresh));
    return fits ? absl::OkStatus() : absl::InternalError("fused: a reduction fits no phase");
  }

  absl::Status PlaceStore(const FusedStore& store) {
    // A concat writes each operand where it goes.
    if (auto concat = store.value.getDefiningOp<ConcatOp>()) {
      FusedStore part = store;
      for (Value operand : concat.getXs()) {
        part.value = operand;
        TRAMA_RETURN_IF_ERROR(PlaceStore(part));
        part.target_offset[concat.getDim()] += ShapeOf(operand)[concat.getDim()];
      }
      return absl::OkStatus();
    }
    const bool whole = ShapeOf(store.value) == ArrayRef(store.target_shape);
    if (whole && IsReduction(store.value.getDefiningOp())) {
      // Column sums go straight to the result.
      const int phase = plan_.phase_of.lookup(store.value);
      if (plan_.phases[phase].kind == PhaseKind::kColumns && !plan_.homes.contains(store.value)) {
        plan_.homes[store.value].result = static_cast<int>(store.result);
        return absl::OkStatus();
      }
    }
    return PlaceStores(store);
  }

  // Places stores of as many elements each in one phase.
  absl::Status PlaceStores(ArrayRef<FusedStore> stores) {
    const int64_t elements = Product(ShapeOf(stores.front().value));
    if (elements == 0) return absl::OkStatus();
    int earliest = 0;
    for (const FusedStore& store : stores)
      earliest = std::max(earliest, Earliest(store.value, /*same_row=*/true));
    const int count = static_cast<int>(plan_.phases.size());
    for (int i = earliest; i < count; ++i) {
      FusedPhase trial = plan_.phases[i];
      const bool same_phase = llvm::any_of(stores, [&](const FusedStore& store) {
        return llvm::any_of(Needs(store.value), [&](Operation* need) {
          return plan_.phase_of.lookup(need->getResult(0)) == i;
        });
      });
      if (same_phase && trial.kind != PhaseKind::kRows) continue;
      if (trial.elements() == elements)
        llvm::append_range(trial.stores, stores);
      else if (trial.kind == PhaseKind::kRows && trial.sizes.outer == elements)
        llvm::append_range(trial.row_stores, stores);
      else
        continue;
      TRAMA_ASSIGN_OR_RETURN(bool fits, Try(i, trial, stores.size()));
      if (fits) return absl::OkStatus();
    }
    FusedPhase fresh;
    fresh.kind = PhaseKind::kElementwise;
    fresh.sizes.outer = elements;
    fresh.stores.assign(stores.begin(), stores.end());
    TRAMA_ASSIGN_OR_RETURN(bool fits, Try(count, fresh, stores.size()));
    return fits ? absl::OkStatus() : absl::InternalError("fused: a result fits no phase");
  }

  // Finds the loops in which everything that `phase` reads and writes is linear, or as much of it
  // as can be. False if a step needs another row's reduction.
  absl::StatusOr<bool> Analyze(int index, FusedPhase& phase) {
    const auto [outer, reduced, inner] = phase.sizes;
    phase.fine = {{outer, Axis::kOuter}};
    if (phase.kind != PhaseKind::kElementwise) phase.fine.push_back({reduced, Axis::kReduced});
    if (phase.kind == PhaseKind::kColumns) phase.fine.push_back({inner, Axis::kInner});
    while (true) {
      phase.group.clear();
      phase.merged.clear();
      phase.stashes.clear();
      ElementEvaluator look(plan_, phase, index);
      TRAMA_RETURN_IF_ERROR(Look(phase, look));
      if (look.split) {
        const auto [k, size] = *look.split;
        Loop half = phase.fine[k];
        phase.fine[k].extent /= size;
        half.extent = size;
        phase.fine.insert(phase.fine.begin() + k + 1, half);
        continue;
      }
      if (look.conflict) return false;
      phase.element_cost = look.cost;
      phase.buffers = look.leaves.size() + phase.steps();
      MergeLoops(phase, look.forms);
      return true;
    }
  }

  absl::Status Look(FusedPhase& phase, ElementEvaluator& look) {
    std::set<void*> seen;
    auto evaluate = [&](Value value, const Coordinate& flat) -> absl::Status {
      if (look.split) return absl::OkStatus();
      look.forms.push_back(flat);
      TRAMA_ASSIGN_OR_RETURN(Coordinates at, look.Unflatten(flat, ShapeOf(value)));
      if (look.split) return absl::OkStatus();
      look.Forget(kFunction);  // each pass computes for itself
      look.expensive.clear();
      TRAMA_RETURN_IF_ERROR(look.Evaluate(value, at).status());
      for (void* kept : look.expensive) {
        if (seen.insert(kept).second) continue;
        const Value stash = Value::getFromOpaquePointer(kept);
        if (phase.stashes.size() < 4 && !llvm::is_contained(phase.stashes, stash))
          phase.stashes.push_back(stash);
      }
      return absl::OkStatus();
    };
    // One that goes into a part of a result is written by its coordinates.
    auto evaluate_store = [&](const FusedStore& store, const Coordinate& flat) -> absl::Status {
      TRAMA_RETURN_IF_ERROR(evaluate(store.value, flat));
      if (look.split || ShapeOf(store.value) == ArrayRef(store.target_shape))
        return absl::OkStatus();
      TRAMA_ASSIGN_OR_RETURN(Coordinates at, look.Unflatten(flat, ShapeOf(store.value)));
      llvm::append_range(look.forms, at);
      return absl::OkStatus();
    };
    for (Operation* op : phase.reductions)
      TRAMA_RETURN_IF_ERROR(evaluate(op->getOperand(0), phase.FlatIndex()));
    for (const FusedStore& store : phase.stores)
      TRAMA_RETURN_IF_ERROR(evaluate_store(store, phase.FlatIndex()));
    for (const FusedStore& store : phase.row_stores)
      TRAMA_RETURN_IF_ERROR(evaluate_store(store, phase.RowIndex()));
    // Long rows do not fit in the cache anyway.
    if (phase.sizes.reduced > 32768) phase.stashes.clear();
    look.forms.push_back(phase.ReducedIndex());
    look.forms.push_back(phase.ResultIndex());
    return absl::OkStatus();
  }

  // Joins neighbouring loops wherever every form steps through both as through one.
  static void MergeLoops(FusedPhase& phase, ArrayRef<Coordinate> forms) {
    phase.group.assign(phase.fine.size(), -1);
    int previous = -1;
    for (size_t k = 0; k < phase.fine.size(); ++k) {
      const Loop& loop = phase.fine[k];
      if (loop.extent == 1) continue;
      const bool joins = previous >= 0 && phase.fine[previous].axis == loop.axis &&
                         llvm::all_of(forms, [&](const Coordinate& form) {
                           return form.coefficients[previous] == form.coefficients[k] * loop.extent;
                         });
      if (joins)
        phase.merged.back().extent *= loop.extent;
      else
        phase.merged.push_back(loop);
      phase.group[k] = static_cast<int>(phase.merged.size()) - 1;
      previous = static_cast<int>(k);
    }
  }

  // Results that other phases read, or that are returned, need memory.
  void PlaceHomes() {
    auto need = [&](Value value, int reader) {
      for (Operation* op : Needs(value)) {
        const Value result = op->getResult(0);
        if (plan_.phase_of.lookup(result) != reader) plan_.homes.try_emplace(result);
      }
    };
    for (auto [i, phase] : llvm::enumerate(plan_.phases)) {
      for (Operation* op : phase.reductions) need(op->getOperand(0), i);
      for (const FusedStore& store : phase.stores) need(store.value, i);
      for (const FusedStore& store : phase.row_stores) need(store.value, i);
    }
    for (auto& phase : plan_.phases) {
      for (Operation* op : phase.reductions) {
        auto home = plan_.homes.find(op->getResult(0));
        if (home == plan_.homes.end() || home->second.result >= 0) continue;
        const int64_t bytes =
            Product(ShapeOf(op->getResult(0))) *
            std::max(1u, getElementTypeOrSelf(op->getResult(0)).getIntOrFloatBitWidth() / 8);
        home->second.workspace_offset = plan_.workspace_bytes;
        plan_.workspace_bytes += (bytes + 63) / 64 * 64;
      }
    }
  }

  mlir::func::FuncOp body_;
  const ArrayRef<SmallVector<unsigned>> together_;
  const size_t most_buffers_;
  FusedPlan plan_;
  llvm::DenseMap<Value, std::unique_ptr<llvm::SmallPtrSet<Operation*, 4>>> needs_;
};
}  // namespace

std::vector<SmallVector<Operation*>> PassesOf(const FusedPhase& phase) {
  llvm::DenseMap<Value, size_t> after;  // the first pass that may use a value
  std::function<size_t(Value)> after_of = [&](Value value) -> size_t {
    auto found = after.find(value);
    if (found != after.end()) return found->second;
    Operation* op = value.getDefiningOp();
    size_t pass = 0;
    if (op && !IsReduction(op))
      for (Value operand : op->getOperands()) pass = std::max(pass, after_of(operand));
    return after[value] = pass;
  };
  std::vector<SmallVector<Operation*>> passes;
  for (Operation* op : phase.reductions) {
    const size_t pass = after_of(op->getOperand(0));
    if (pass >= passes.size()) passes.resize(pass + 1);
    passes[pass].push_back(op);
    after[op->getResult(0)] = pass + 1;
  }
  return passes;
}

SmallVector<int64_t> FusedPhase::FineExtents() const {
  SmallVector<int64_t> extents;
  for (const Loop& loop : fine) extents.push_back(loop.extent);
  return extents;
}

Coordinate FusedPhase::FlatIndex() const {
  return IndexOver(fine, [](Axis) { return true; });
}
Coordinate FusedPhase::RowIndex() const {
  return IndexOver(fine, [](Axis axis) { return axis == Axis::kOuter; });
}
Coordinate FusedPhase::ResultIndex() const {
  return IndexOver(fine, [](Axis axis) { return axis != Axis::kReduced; });
}
Coordinate FusedPhase::ReducedIndex() const {
  return IndexOver(fine, [](Axis axis) { return axis == Axis::kReduced; });
}

SmallVector<int64_t> FusedPhase::Merge(const Coordinate& form) const {
  // The innermost part of a merged loop counts its single steps; it comes last.
  SmallVector<int64_t> coefficients(merged.size(), 0);
  for (size_t k = 0; k < fine.size(); ++k)
    if (group[k] >= 0) coefficients[group[k]] = form.coefficients[k];
  return coefficients;
}

absl::StatusOr<FusedPlan> PlanFused(mlir::func::FuncOp body,
                                    ArrayRef<SmallVector<unsigned>> together, size_t most_buffers) {
  return Planner(body, together, most_buffers).Run();
}

}  // namespace trama::codegen
