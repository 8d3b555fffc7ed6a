// How a fused kernel's body is cut into phases and loops.
//
// Every step, a reduction or the store of a result, goes over its tensor's elements in row-major
// order [outer, reduced, inner]. Steps over the same sizes share a phase and its loops:
//   elementwise  stores only;
//   rows         reductions over the last dimensions (inner = 1): row by row, in passes, each
//                reduction's result at hand in the passes after it (softmax);
//   columns      reductions over leading dimensions: blocks of columns, all rows, sums in registers
//                (the gradient of a bias), and stores of what is computed on the way.
// What a phase needs of an earlier one it reads from memory.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/codegen/coordinates.h"
#include "backends/codegen/fused_prepare.h"

namespace trama::codegen {

enum class Axis : uint8_t { kOuter, kReduced, kInner };

struct Loop {
  int64_t extent;
  Axis axis;
};

enum class PhaseKind { kElementwise, kRows, kColumns };

struct FusedStore {
  Value value;
  unsigned result;                     // whose buffer
  SmallVector<int64_t> target_shape;   // of the buffer
  SmallVector<int64_t> target_offset;  // where the value's element 0 goes
};

struct FusedPhase {
  PhaseKind kind;
  ReductionSizes sizes;  // elementwise: all in `outer`
  SmallVector<mlir::Operation*> reductions;
  SmallVector<FusedStore> stores;      // one element each of the phase's
  SmallVector<FusedStore> row_stores;  // one a row

  // Linear forms are over `fine`; the loops emitted are `merged`, fine[k] being a part of
  // merged[group[k]] (-1: of one iteration, no loop).
  SmallVector<Loop> fine, merged;
  SmallVector<int> group;
  double element_cost = 1;  // operations an element, all passes
  // Expensive values that several passes want.
  SmallVector<Value> stashes;

  size_t buffers = 0;  // that it reads and writes

  size_t steps() const { return reductions.size() + stores.size() + row_stores.size(); }
  int64_t elements() const { return sizes.outer * sizes.reduced * sizes.inner; }
  SmallVector<int64_t> FineExtents() const;
  // The element's index in row-major order, and its row's.
  Coordinate FlatIndex() const;
  Coordinate RowIndex() const;
  // The same of [outer, inner]: where a reduction's result lies.
  Coordinate ResultIndex() const;
  // Where a reduction along `reduced` stands.
  Coordinate ReducedIndex() const;
  // merged coefficients of a form.
  SmallVector<int64_t> Merge(const Coordinate& form) const;
};

// The reductions of a phase of rows, by pass over the row: each after those that it needs.
std::vector<SmallVector<mlir::Operation*>> PassesOf(const FusedPhase& phase);

struct FusedPlan {
  std::vector<FusedPhase> phases;
  llvm::DenseMap<Value, int> phase_of;  // of reductions' results
  // Where a reduction's result is kept for later phases: in the workspace (bytes) or, where the
  // kernel returns it, in a result's buffer.
  struct Home {
    int64_t workspace_offset = -1;
    int result = -1;
  };
  llvm::DenseMap<Value, Home> homes;
  int64_t workspace_bytes = 0;
};

// `body` as PrepareFusedBody leaves it. Steps share a phase as long as it reads and writes at most
// `most_buffers` (0: any number); the results of each group of `together` are in one phase anyway.
// Unimplemented names an op that cannot be computed by element.
absl::StatusOr<FusedPlan> PlanFused(mlir::func::FuncOp body,
                                    ArrayRef<SmallVector<unsigned>> together = {},
                                    size_t most_buffers = 0);

}  // namespace trama::codegen
