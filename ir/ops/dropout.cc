// Dropout by a counter-based generator.
#include "ir/builder_util.h"

namespace trama {

using mlir::Value;

llvm::LogicalResult DropoutOp::verify() {
  auto rng = getRng().getType();
  if (rng.getShape() != llvm::ArrayRef<int64_t>{4} || !rng.getElementType().isInteger(32))
    return emitOpError("rng must be tensor<4xi32>, not ") << rng;
  const double p = getP().convertToDouble();
  if (!(p >= 0 && p < 1)) return emitOpError("p = ") << p << " is not in [0, 1) (C1)";
  return llvm::success();
}

// The same elements are kept: the mask follows from the counter.
llvm::LogicalResult DropoutOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool>,
                                   llvm::SmallVectorImpl<Value>& out) {
  out.append({DropoutOp::create(b, getLoc(), grads.front(), getRng(), getPAttr(), getOpIdAttr()),
              Value()});
  return llvm::success();
}

llvm::SmallVector<Value> DropoutOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  const double p = getP().convertToDouble();
  // In f32 for narrow types too: rounding would move numbers across p.
  const bool narrow = ElementOf(getX()).getIntOrFloatBitWidth() < 32;
  mlir::Type element = narrow ? b.getF32Type() : ElementOf(getX());
  Value uniform = RandomUniformOp::create(
      b, getLoc(), mlir::RankedTensorType::get(ShapeOf(getX()), element), getRng(), getOpId());
  Value keep = e.Compare(ComparePredicate::ge, uniform, p);
  return {e.Select(keep, e.Mul(getX(), 1 / (1 - p)), 0)};
}

}  // namespace trama
