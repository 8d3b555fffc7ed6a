// Loops over the elements of a row, for kernels that reduce along the last dimension.
#pragma once

#include "backends/cpu/kernel_body.h"

namespace trama::cpu {

// The rows of an index space [.., columns], after MergeDimensions.
struct RowSpace {
  SmallVector<int64_t> sizes;

  int64_t columns() const { return sizes.back(); }
  int64_t rows() const;
  // The index of element `column` of row `row`.
  SmallVector<Value> At(Builder& b, Value row, Value column) const;
};

// Calls step(column, live) for the vectors of a row of n elements; live < lanes in the last alone.
void ForLanes(Builder& b, int64_t n, llvm::function_ref<void(Value, int64_t)> step);

// Carries one vector a value of `initial` through the vectors of a row, in up to four interleaved
// chains that `combine` joins at the end (called with the value's number).
SmallVector<Value> ReduceLanes(
    Builder& b, int64_t n, ArrayRef<double> initial,
    llvm::function_ref<SmallVector<Value>(Value column, int64_t live, ValueRange carried)> step,
    llvm::function_ref<Value(size_t, Value, Value)> combine);
// The sums over a row of `count` values that `terms` gives; lanes from `live` on must be 0.
SmallVector<Value> SumLanes(
    Builder& b, int64_t n, size_t count,
    llvm::function_ref<SmallVector<Value>(Value column, int64_t live)> terms);

// The same of products, each rounded once with the sum before it.
using Factors = std::pair<Value, Value>;
SmallVector<Value> SumProducts(
    Builder& b, int64_t n, size_t count,
    llvm::function_ref<SmallVector<Factors>(Value column, int64_t live)> factors);

// `x` with `other` in the lanes from `live` on.
Value KeepLive(Builder& b, Value x, int64_t live, double other);

}  // namespace trama::cpu
