// Dropout by a counter-based generator.
#include "ir/builder_util.h"

namespace trama {

llvm::LogicalResult DropoutOp::verify() {
  auto rng = getRng().getType();
  if (rng.getShape() != llvm::ArrayRef<int64_t>{4} || !rng.getElementType().isInteger(32))
    return emitOpError("rng must be tensor<4xi32>, not ") << rng;
  const double p = getP().convertToDouble();
  if (!(p >= 0 && p < 1)) return emitOpError("p = ") << p << " is not in [0, 1) (C1)";
  return llvm::success();
}

}  // namespace trama
