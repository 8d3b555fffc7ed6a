// Ops that multiply matrices.
#pragma once

#include "ir/dialect.h"

namespace trama {

// The two operands that a product multiplies, which have one element type; none of another op.
llvm::SmallVector<mlir::OpOperand*, 2> FactorsOf(mlir::Operation* op);

}  // namespace trama
