// A kernel's body as its anchor sees it: where operands are read, where results are written, and
// the pointwise epilogue between them, all addressed from the anchor's own index space.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/codegen/builder.h"
#include "backends/codegen/coordinates.h"
#include "ir/dialect.h"
#include "llvm/ADT/MapVector.h"

namespace trama::codegen {

// Element i of an index space lies at offset + sum(i_d * strides_d) of a buffer.
struct Access {
  int64_t buffer = 0;  // the kernel's operands first, then its results
  int64_t offset = 0;
  SmallVector<int64_t> strides;  // in elements; 0: the same element for every i_d
};

// A value and the result elements that it is written to.
struct Output {
  Value value;
  Access to;  // from the index space of `value`
};

// The only op of type Op in the body; null where there is none.
template <typename Op>
Op FindAnchor(mlir::func::FuncOp body) {
  Op anchor;
  body.walk([&](Op op) { anchor = op; });
  return anchor;
}

// `value` read through views from an operand. Unimplemented where it is anything else.
absl::StatusOr<Access> ReadAccess(Value value);

// The values that the kernel computes and returns, through transpose, reshape and concat.
absl::StatusOr<SmallVector<Output>> FindOutputs(mlir::func::FuncOp body);

// Where each of `values` is written to. Unimplemented where an output is none of them, unless
// `others_too`.
absl::StatusOr<SmallVector<SmallVector<Access>>> OutputsOf(mlir::func::FuncOp body,
                                                           ValueRange values,
                                                           bool others_too = false);

// The element of `access` at `at`.
Value ElementIndex(Builder& b, const Access& access, ValueRange at);

// What follows an anchor: pointwise ops up to the results.
class Epilogue {
 public:
  // `anchor`: the anchor's result; its shape is the index space of all accesses. Outputs among
  // `others`, the anchor op's further results, are the caller's. Unimplemented names the op that is
  // not pointwise in that space.
  static absl::StatusOr<Epilogue> Create(mlir::func::FuncOp body, Value anchor,
                                         ValueRange others = {});
  // Stores the anchor alone.
  static Epilogue StoreTo(Access to);

  ArrayRef<Output> outputs() const { return outputs_; }
  SmallVector<const Access*> Reads() const;
  // For the caller to reorder or merge dimensions in all of them alike; outputs come first.
  SmallVector<Access*> Accesses();
  // Needs more registers than a tile of accumulators leaves, or stores lane by lane.
  bool IsHeavy() const;

  // Computes and stores what the results hold where the anchor holds `accumulator`, a scalar or a
  // vector: `load` gives an operand's elements there and `store` writes a result's (bool as i1).
  void Emit(Builder& b, Value accumulator, llvm::function_ref<Value(const Access&)> load,
            llvm::function_ref<void(Value, const Access&)> store) const;

 private:
  absl::Status Visit(Value value);
  bool DependsOnAnchor(Value value) const;
  // `strides` over the shape of `value`, an anchor-dependent one, as strides over the anchor's.
  absl::StatusOr<SmallVector<int64_t>> PullBack(Value value, SmallVector<int64_t> strides) const;
  Value Evaluate(Builder& b, Value value, llvm::function_ref<Value(const Access&)> load,
                 llvm::DenseMap<Value, Value>& known) const;

  Value anchor_;
  SmallVector<Output> outputs_;
  llvm::MapVector<mlir::OpOperand*, Access> operands_;  // uses of what is read from buffers
  bool transcendental_ = false;
};

// Merges neighbouring dimensions of `sizes` (the last `kept` excepted) where every access allows
// it, and drops those of size 1; at least two dimensions stay.
void MergeDimensions(SmallVector<int64_t>& sizes, ArrayRef<Access*> accesses, size_t kept = 1);

}  // namespace trama::codegen
