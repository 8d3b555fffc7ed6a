// Cooperative matrices as kernels use them: held by the invocations of a subgroup together, read
// from and written to workgroup memory. All of a subgroup's invocations must come to each of these
// with the same arguments. SPIR-V's own ops: MLIR's gpu dialect has no matrices of bf16.
#pragma once

#include "backends/vulkan/phase_builder.h"

namespace trama::vulkan {

enum class MatrixUse { kLeft, kRight, kSums };
enum class MatrixLayout { kRows, kColumns };  // which of them lie in a row of memory

// The element type in memory that a shape's left and right matrices are read from.
Type MatrixElement(PhaseBuilder& b, MatrixShape::Element element);

// The matrix at element `at` of `memory`, a flat memref of vectors of four, whose rows (or columns)
// begin `stride` vectors apart. Both multiples of 16 bytes.
Value LoadMatrix(PhaseBuilder& b, const MatrixShape& shape, MatrixUse use, Value memory, Value at,
                 int64_t stride, MatrixLayout layout);
// `sums` there, by rows.
void StoreMatrix(PhaseBuilder& b, Value sums, Value memory, Value at, int64_t stride);
// left right + sums.
Value MultiplyMatrices(PhaseBuilder& b, Value left, Value right, Value sums);

// Sums of a shape in memory of the invocation's own, as drivers expect them in loops; 0 at the
// start.
class MatrixSums {
 public:
  MatrixSums(PhaseBuilder& b, const MatrixShape& shape);
  Value Load();
  void Store(Value sums);

 private:
  PhaseBuilder& b_;
  Value variable_;
};

}  // namespace trama::vulkan
