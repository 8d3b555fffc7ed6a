// Reverse-mode differentiation of straight-line code.
#pragma once

#include "ir/dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama {

// Appends, before the terminator of `func`, the gradient of the floating-point scalar `y` with
// respect to each value of `wrt`; zeros where y does not depend on it. Ops on the way without a
// derivative of their own are replaced by their decomposition; one with neither is an error that
// names it. A value's gradients are added in the reverse order of its uses. Griewank and Walther,
// "Evaluating Derivatives", chapter 3.
llvm::LogicalResult Differentiate(mlir::func::FuncOp func, mlir::Value y,
                                  llvm::ArrayRef<mlir::Value> wrt,
                                  llvm::SmallVectorImpl<mlir::Value>& grads);

}  // namespace trama
