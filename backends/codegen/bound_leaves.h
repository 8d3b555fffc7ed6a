// Cuts expressions of more buffers than a shader may have.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama::codegen {

// In a body as PrepareFusedBody leaves it: makes reductions, over a dimension of size 1, of values
// that are part of an expression of more than `most` tensors in memory, so that what is left of it
// reads at most so many. A concat's operands are one expression each where it is returned.
void BoundLeaves(mlir::func::FuncOp body, size_t most);

}  // namespace trama::codegen
