// What the steps of a phase of a fused kernel compute, in whatever loops a backend runs them: the
// base of each backend's emitter of phases.
#pragma once

#include <memory>
#include <vector>

#include "backends/codegen/element_evaluator.h"
#include "backends/codegen/reducer.h"

namespace trama::codegen {

class FusedSteps {
 protected:
  // Emits with `b`. vector_accumulators: reductions carry a vector each, not a scalar. The derived
  // class fills memory_ and results_ before it emits a step.
  FusedSteps(Builder& b, const FusedPlan& plan, int index, bool vector_accumulators);

  // The first failure is the phase's.
  void Fail(const absl::Status& status);
  // Null after a failure.
  Value EvaluateAt(Value tensor, const Coordinate& flat);
  Coordinate TargetIndex(const FusedStore& store, const Coordinate& flat);

  // ---- a step
  SmallVector<Value> Identities(ArrayRef<const Reducer*> reducers);
  // What the reducers carry, with this step's elements.
  SmallVector<Value> Accumulate(ArrayRef<const Reducer*> reducers, ValueRange carried);
  // All are computed before any is written: a result may lie where an operand does.
  void EmitStores();

  // ---- after the steps
  // Where a reduction's result has a home, `result` goes there.
  void WriteHome(const Reducer& reducer, Value result);

  const FusedPlan& plan_;
  const FusedPhase& phase_;
  ElementEvaluator eval_;
  llvm::DenseMap<Value, std::unique_ptr<ElementMemory>> memory_;  // of arguments, constants, homes
  std::vector<std::unique_ptr<ElementMemory>> results_;
  std::vector<Reducer> reducers_;
  SmallVector<const Reducer*> all_reducers_;
  absl::Status status_;

 private:
  const bool vector_accumulators_;
};

}  // namespace trama::codegen
