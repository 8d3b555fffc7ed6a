// softmax and log_softmax along one dimension.
#include "ir/builder_util.h"

namespace trama {

llvm::LogicalResult SoftmaxOp::verify() {
  return CheckDim<SoftmaxOp>(getLoc(), getDim(), getX().getType());
}

llvm::LogicalResult LogSoftmaxOp::verify() {
  return CheckDim<LogSoftmaxOp>(getLoc(), getDim(), getX().getType());
}

}  // namespace trama
