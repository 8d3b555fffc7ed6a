// Constant folding of small and splat tensors, computed in float64 and rounded to the element type.
#pragma once

#include <functional>

#include "ir/dialect.h"

namespace trama {

// Larger results are left to run time: a folded constant is stored with the program.
inline constexpr int64_t kMaxFoldedElements = 4096;

// The single value of a splat constant as a double; nullopt for anything else.
std::optional<double> SplatValue(mlir::Attribute attr);
std::optional<double> SplatValue(mlir::Value value);
// A splat of `value`, rounded to the element type.
mlir::DenseElementsAttr SplatAttr(mlir::RankedTensorType type, double value);

// f applied to every element, in `type` (whose shape is x's). Null where x is not a constant or is
// too large. Integers are folded exactly: their values pass through int64.
mlir::Attribute FoldUnary(mlir::Attribute x, mlir::RankedTensorType type,
                          llvm::function_ref<double(double)> on_floats,
                          llvm::function_ref<int64_t(int64_t)> on_ints = nullptr);
// The same for two operands that broadcast to the shape of `type`.
mlir::Attribute FoldBinary(mlir::Attribute lhs, mlir::Attribute rhs, mlir::RankedTensorType type,
                           llvm::function_ref<double(double, double)> on_floats,
                           llvm::function_ref<int64_t(int64_t, int64_t)> on_ints = nullptr);
// The elements of x picked by `source` (a row-major index of y to one of x), in `type`.
mlir::Attribute FoldMove(mlir::Attribute x, mlir::RankedTensorType type,
                         llvm::function_ref<int64_t(llvm::ArrayRef<int64_t>)> source);

}  // namespace trama
