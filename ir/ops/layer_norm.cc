// Layer normalisation over the last dimension.
#include "ir/builder_util.h"

namespace trama {

using mlir::RankedTensorType;
using mlir::Value;

llvm::LogicalResult LayerNormOp::verify() {
  auto x = getX().getType();
  if (x.getRank() < 1) return emitOpError("x must be [.., C], not ") << x;
  auto vector = RankedTensorType::get({x.getShape().back()}, x.getElementType());
  for (Value v : {getWeight(), getBias()})
    if (v.getType() != vector)
      return emitOpError("weight and bias must be ")
             << vector << " for x " << x << ", not " << v.getType();
  return llvm::success();
}

}  // namespace trama
