// Gives every result of a program at level "kernels" a buffer of its own.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama {

// Adds a dispatch of a copy where a result is an argument, is returned twice or takes over the
// storage (`trama.donates`) of an argument that is still read when it is computed. Afterwards each
// result, but an argument that donates to itself, comes from a dispatch that may write it straight
// into its place.
void OwnResults(mlir::func::FuncOp program);

// Through reshapes, which are names for the same buffer, to the argument or dispatch behind them.
mlir::Value StorageRoot(mlir::Value value);

}  // namespace trama
