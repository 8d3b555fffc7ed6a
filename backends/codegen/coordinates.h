// Where an element lies, as linear forms over the loops of a kernel: what lets a fused kernel read
// through any chain of views without a copy.
#pragma once

#include <optional>

#include "backends/codegen/builder.h"
#include "ir/dialect.h"

namespace trama::codegen {

// The index along one dimension of a tensor: offset + sum(coefficients[k] * loop k), or, where that
// is not known before the kernel runs, a value.
struct Coordinate {
  int64_t offset = 0;
  SmallVector<int64_t> coefficients;  // one a loop

  bool dynamic = false;
  Value value;    // of a dynamic one: index, or a vector of index; null while code is only analysed
  int level = 0;  // of a dynamic one: how deep in the loops it is known

  static Coordinate Constant(int64_t offset, size_t loops) {
    return {offset, SmallVector<int64_t>(loops, 0), false, nullptr, 0};
  }
  bool operator==(const Coordinate& other) const {
    return offset == other.offset && coefficients == other.coefficients &&
           dynamic == other.dynamic && value == other.value;
  }
};
using Coordinates = SmallVector<Coordinate>;

SmallVector<int64_t> RowMajorStrides(ArrayRef<int64_t> shape);
ArrayRef<int64_t> ShapeOf(Value tensor);

// sum(coordinates * strides), of those that are linear.
Coordinate LinearSum(ArrayRef<Coordinate> coordinates, ArrayRef<int64_t> strides, size_t loops);

// A loop that must become two, the inner one of `inner` iterations, for a reshape to be linear.
struct Split {
  int loop;
  int64_t inner;
};

// One group of a reshape: dimensions [from_begin, from_end) and [to_begin, to_end) hold the same
// number of elements, and no smaller group does.
struct ReshapeGroup {
  size_t from_begin, from_end, to_begin, to_end;
};
SmallVector<ReshapeGroup> ReshapeGroups(ArrayRef<int64_t> from, ArrayRef<int64_t> to);

// The digits of the linear form `flat` in the mixed radix of `sizes`, as linear forms over loops of
// `extents`. nullopt where they are not linear; then `split` says which loop to split first, if
// that helps.
std::optional<Coordinates> Digits(const Coordinate& flat, ArrayRef<int64_t> sizes,
                                  ArrayRef<int64_t> extents, std::optional<Split>* split);

// The operand's coordinates for a transpose, slice or broadcast of it, or a pointwise op.
Coordinates BroadcastCoordinates(ArrayRef<Coordinate> coordinates, ArrayRef<int64_t> operand_shape,
                                 size_t loops);
Coordinates TransposeCoordinates(TransposeOp op, ArrayRef<Coordinate> coordinates);

}  // namespace trama::codegen
