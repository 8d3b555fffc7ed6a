#include "backends/codegen/coordinates.h"

namespace trama::codegen {

SmallVector<int64_t> RowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

ArrayRef<int64_t> ShapeOf(Value tensor) {
  return mlir::cast<mlir::RankedTensorType>(tensor.getType()).getShape();
}

Coordinate LinearSum(ArrayRef<Coordinate> coordinates, ArrayRef<int64_t> strides, size_t loops) {
  Coordinate sum = Coordinate::Constant(0, loops);
  for (auto [coordinate, stride] : llvm::zip_equal(coordinates, strides)) {
    if (coordinate.dynamic) continue;
    sum.offset += coordinate.offset * stride;
    for (size_t k = 0; k < loops; ++k) sum.coefficients[k] += coordinate.coefficients[k] * stride;
  }
  return sum;
}

SmallVector<ReshapeGroup> ReshapeGroups(ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
  SmallVector<ReshapeGroup> groups;
  size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    ReshapeGroup group{i, i, j, j};
    int64_t from_size = 1, to_size = 1;
    do {
      if (from_size <= to_size && i < from.size())
        from_size *= from[i++];
      else if (j < to.size())
        to_size *= to[j++];
      else
        from_size *= from[i++];
    } while (from_size != to_size);
    // Sizes of 1 at the end belong here: they have no elements of their own.
    while (i < from.size() && from[i] == 1) ++i;
    while (j < to.size() && to[j] == 1) ++j;
    group.from_end = i;
    group.to_end = j;
    groups.push_back(group);
  }
  return groups;
}

std::optional<Coordinates> Digits(const Coordinate& flat, ArrayRef<int64_t> sizes,
                                  ArrayRef<int64_t> extents, std::optional<Split>* split) {
  const size_t loops = extents.size();
  Coordinates digits(sizes.size(), Coordinate::Constant(0, loops));
  const SmallVector<int64_t> strides = RowMajorStrides(sizes);
  SmallVector<int64_t> largest(sizes.size(), 0);
  for (size_t j = 0; j < sizes.size(); ++j) {
    digits[j].offset = flat.offset / strides[j] % sizes[j];
    largest[j] = digits[j].offset;
  }
  for (size_t k = 0; k < loops; ++k) {
    const int64_t c = flat.coefficients[k];
    if (c == 0 || extents[k] == 1) continue;
    // The digit that this loop counts: the one of the largest stride not above c.
    size_t j = sizes.size();
    for (size_t d = 0; d < sizes.size() && j == sizes.size(); ++d)
      if (sizes[d] > 1 && strides[d] <= c) j = d;
    if (j == sizes.size() || c % strides[j]) return std::nullopt;
    const int64_t carry = strides[j] * sizes[j];  // where the next digit starts
    if (c * (extents[k] - 1) >= carry) {
      if (carry % c == 0 && extents[k] % (carry / c) == 0 && carry / c > 1)
        *split = Split{static_cast<int>(k), carry / c};
      return std::nullopt;
    }
    digits[j].coefficients[k] = c / strides[j];
    largest[j] += c / strides[j] * (extents[k] - 1);
  }
  for (size_t j = 0; j < sizes.size(); ++j)
    if (largest[j] >= sizes[j]) return std::nullopt;
  return digits;
}

Coordinates BroadcastCoordinates(ArrayRef<Coordinate> coordinates, ArrayRef<int64_t> operand_shape,
                                 size_t loops) {
  Coordinates result(coordinates.take_back(operand_shape.size()));
  for (auto [coordinate, size] : llvm::zip_equal(result, operand_shape))
    if (size == 1) coordinate = Coordinate::Constant(0, loops);
  return result;
}

Coordinates TransposeCoordinates(TransposeOp op, ArrayRef<Coordinate> coordinates) {
  Coordinates result(coordinates.size());
  for (auto [d, from] : llvm::enumerate(op.getPermutation())) result[from] = coordinates[d];
  return result;
}

}  // namespace trama::codegen
