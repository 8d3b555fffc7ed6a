#include "backends/codegen/fused_steps.h"

namespace trama::codegen {

FusedSteps::FusedSteps(Builder& b, const FusedPlan& plan, int index, bool vector_accumulators)
    : plan_(plan),
      phase_(plan.phases[index]),
      eval_(plan, phase_, index),
      vector_accumulators_(vector_accumulators) {
  eval_.b = &b;
  eval_.variables.resize(phase_.merged.size());
  eval_.memory = [this](Value tensor) { return memory_[tensor].get(); };
  for (mlir::Operation* op : phase_.reductions) reducers_.emplace_back(op);
  for (const Reducer& reducer : reducers_) all_reducers_.push_back(&reducer);
}

void FusedSteps::Fail(const absl::Status& status) {
  if (status_.ok()) status_ = status;
}

Value FusedSteps::EvaluateAt(Value tensor, const Coordinate& flat) {
  auto value = eval_.EvaluateAt(tensor, flat);
  if (!value.ok()) return Fail(value.status()), Value();
  return *value;
}

Coordinate FusedSteps::TargetIndex(const FusedStore& store, const Coordinate& flat) {
  auto index = eval_.TargetIndex(store, flat);
  if (!index.ok()) return Fail(index.status()), flat;
  return *index;
}

SmallVector<Value> FusedSteps::Identities(ArrayRef<const Reducer*> reducers) {
  SmallVector<Value> identities;
  for (const Reducer* reducer : reducers)
    llvm::append_range(identities, reducer->Identity(*eval_.b, vector_accumulators_));
  return identities;
}

SmallVector<Value> FusedSteps::Accumulate(ArrayRef<const Reducer*> reducers, ValueRange carried) {
  Builder& b = *eval_.b;
  SmallVector<Value> next;
  size_t at = 0;
  for (const Reducer* reducer : reducers) {
    ValueRange old = carried.slice(at, reducer->width());
    at += reducer->width();
    Value elements = EvaluateAt(reducer->op()->getOperand(0), phase_.FlatIndex());
    if (!elements) {
      llvm::append_range(next, old);
      continue;
    }
    Value indices;
    if (reducer->wants_index()) {
      indices = b.FromIndex(eval_.IndexValue(phase_.ReducedIndex(), true), b.Int(32));
      if (vector_accumulators_) indices = b.Broadcast(indices);
    }
    llvm::append_range(next, reducer->Step(b, old, elements, indices, eval_.mask));
  }
  return next;
}

void FusedSteps::EmitStores() {
  SmallVector<Value> values;
  for (const FusedStore& store : phase_.stores)
    values.push_back(EvaluateAt(store.value, phase_.FlatIndex()));
  for (auto [store, value] : llvm::zip_equal(phase_.stores, values))
    if (value) eval_.Write(value, *results_[store.result], TargetIndex(store, phase_.FlatIndex()));
}

void FusedSteps::WriteHome(const Reducer& reducer, Value result) {
  auto home = memory_.find(reducer.op()->getResult(0));
  if (home != memory_.end()) eval_.Write(result, *home->second, phase_.ResultIndex());
}

}  // namespace trama::codegen
