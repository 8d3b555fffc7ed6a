// constant, iota, random_uniform: tensors that come from no other.
#include "ir/infer_util.h"

namespace trama {

mlir::OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValueAttr(); }

llvm::LogicalResult IotaOp::verify() {
  return CheckDim<IotaOp>(getLoc(), static_cast<int64_t>(getDim()), getY().getType());
}

llvm::LogicalResult RandomUniformOp::verify() {
  if (getRng().getType().getShape() == llvm::ArrayRef<int64_t>{4} &&
      ElementOf(getRng()).isInteger(32))
    return llvm::success();
  return emitOpError("rng must be tensor<4xi32>, not ") << getRng().getType();
}

}  // namespace trama
