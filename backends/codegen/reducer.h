// Sum, maximum and argmax of elements or vectors of them, kept in registers along a loop.
#pragma once

#include "backends/codegen/builder.h"
#include "mlir/IR/Operation.h"

namespace trama::codegen {

class Reducer {
 public:
  explicit Reducer(mlir::Operation* op);

  mlir::Operation* op() const { return op_; }
  // Values carried: one, or for argmax the largest and where it was.
  size_t width() const { return wants_index() ? 2 : 1; }
  bool wants_index() const;

  // Accumulators that hold nothing yet: vectors, or scalars.
  SmallVector<Value> Identity(Builder& b, bool vector = true) const;
  // `carried` with elements (and their indices along the reduced dimension) added
  // where `mask` (null: everywhere).
  SmallVector<Value> Step(Builder& b, ValueRange carried, Value elements, Value indices,
                          Value mask) const;
  // Two accumulators in one.
  SmallVector<Value> Join(Builder& b, ValueRange first, ValueRange second) const;
  // All lanes in one accumulator of scalars.
  SmallVector<Value> FoldLanes(Builder& b, ValueRange carried) const;
  // The result of an accumulator, one a lane.
  Value Result(Builder& b, ValueRange carried) const;

 private:
  mlir::Operation* op_;
  Type element_;      // of the operand
  Type accumulator_;  // f32 for bf16 and f16
};

}  // namespace trama::codegen
