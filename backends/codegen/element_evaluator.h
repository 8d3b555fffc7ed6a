// The value of one element of a fused kernel's body, or of a vector of them along the innermost
// loop, from the element's coordinates: through pointwise ops, views and indexing up to memory.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "backends/codegen/element_memory.h"
#include "backends/codegen/fused_plan.h"

namespace trama::codegen {

// How deep in a phase's loops something is known: before the task loop, in a task, in the body.
enum Level { kFunction = 0, kTask = 1, kBody = 2 };

// With `b` it emits; without, it only looks at what there is to do (what PlanFused needs).
class ElementEvaluator {
 public:
  ElementEvaluator(const FusedPlan& plan, const FusedPhase& phase, int phase_index);

  // Null values while only looking.
  absl::StatusOr<Value> Evaluate(Value tensor, ArrayRef<Coordinate> at);
  // Of the element whose row-major index is `flat`.
  absl::StatusOr<Value> EvaluateAt(Value tensor, const Coordinate& flat);
  // Where element `flat` of what is stored goes in the result.
  absl::StatusOr<Coordinate> TargetIndex(const FusedStore& store, const Coordinate& flat);
  // Writes a value as Evaluate gave it; a scalar fills the lanes.
  void Write(Value element, const ElementMemory& memory, const Coordinate& flat_index);
  // The coordinates in `shape` of a row-major index into it.
  absl::StatusOr<Coordinates> Unflatten(const Coordinate& flat, ArrayRef<int64_t> shape);

  // ---- what looking found
  std::optional<Split> split;  // do this and look again
  bool conflict = false;       // the phase is of other rows, or its loops do not fit the shape
  double cost = 0;
  llvm::DenseSet<Value> leaves;   // that are read from memory
  std::vector<Coordinate> forms;  // everything that is computed from loops
  std::set<void*> expensive;      // values at the element itself, worth keeping

  // ---- for emitting
  Builder* b = nullptr;
  SmallVector<Value> variables;  // one a merged loop
  int vector_loop = -1;          // of merged
  Value mask;                    // null: all lanes
  int level = kFunction;
  mlir::Operation* anchors[2] = {nullptr, nullptr};  // what to emit before for a lower level
  llvm::DenseMap<Value, Value> registers;            // reductions' results of this phase
  // Of arguments, constants, homes.
  std::function<const ElementMemory*(Value)> memory;
  struct Stash {
    const ElementMemory* memory = nullptr;
    bool written = false;  // by the pass being emitted
    bool filled = false;   // by one before it
  };
  llvm::DenseMap<Value, Stash> stashes;
  void Forget(int from_level);  // values of these levels are out of scope
  Value IndexValue(const Coordinate& form, bool lanes);

 private:
  absl::StatusOr<Value> EvaluateOp(mlir::Operation* op, Value tensor, ArrayRef<Coordinate> at);
  absl::StatusOr<Value> Leaf(Value tensor, ArrayRef<Coordinate> at);
  absl::StatusOr<Value> Reshaped(ReshapeOp op, ArrayRef<Coordinate> at);
  absl::StatusOr<Value> Padded(PadOp op, ArrayRef<Coordinate> at);
  absl::StatusOr<Value> Concatenated(ConcatOp op, ArrayRef<Coordinate> at);
  absl::StatusOr<Value> Indexed(Value x, Value index, ArrayRef<Coordinate> index_at,
                                Coordinates x_at, int64_t dim);
  absl::StatusOr<Value> Iota(IotaOp op, ArrayRef<Coordinate> at);
  absl::StatusOr<Value> Uniform(RandomUniformOp op, ArrayRef<Coordinate> at);
  Value Stashed(Value tensor, bool store, Value element);
  Address AddressOf(ArrayRef<Coordinate> at, ArrayRef<int64_t> shape);
  // Where a linear form leads.
  Address AddressOf(const Coordinate& flat);
  // A coordinate's value, as vector where it differs by lane.
  Value CoordinateValue(const Coordinate& coordinate);
  Coordinate Dynamic(Value value, ArrayRef<Coordinate> from) const;
  bool InRegister(Value tensor);
  int LevelOf(Value tensor, ArrayRef<Coordinate> at);
  int LevelOf(const Coordinate& coordinate) const;
  std::string Key(Value tensor, ArrayRef<Coordinate> at) const;
  Coordinate Record(const Coordinate& form);

  const FusedPlan& plan_;
  const FusedPhase& phase_;
  const int phase_index_;
  const SmallVector<int64_t> extents_;
  std::map<std::string, Value> known_[3];
  llvm::DenseMap<Value, bool> in_register_;
};

}  // namespace trama::codegen
