#include "passes/support/products.h"

namespace trama {

llvm::SmallVector<mlir::OpOperand*, 2> FactorsOf(mlir::Operation* op) {
  if (mlir::isa<MatmulOp, LinearOp, LinearCrossEntropyOp>(op))
    return {&op->getOpOperand(0), &op->getOpOperand(1)};
  if (auto head = mlir::dyn_cast<LinearCrossEntropyGradOp>(op))
    return {&head.getXMutable(), &head.getWeightMutable()};
  return {};
}

}  // namespace trama
