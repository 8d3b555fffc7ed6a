// The head and the loss of a language model without the logits of a whole batch.
#include "ir/builder_util.h"

namespace trama {

using llvm::LogicalResult;
using mlir::RankedTensorType;
using mlir::Value;

namespace {

// Losses of the rows of x.
RankedTensorType RowsOf(RankedTensorType x) {
  return RankedTensorType::get({x.getDimSize(0)}, AccumulatorOf(x.getElementType()));
}

// x [N, C], weight [V, C] of V > 0 words, targets [N].
template <typename Op>
LogicalResult CheckOperands(std::optional<mlir::Location> loc, Value x, Value weight,
                            Value targets) {
  auto x_type = TypeOf(x), weight_type = TypeOf(weight);
  if (x_type.getRank() == 2 && weight_type.getRank() == 2 &&
      x_type.getDimSize(1) == weight_type.getDimSize(1) && weight_type.getDimSize(0) > 0 &&
      x_type.getElementType() == weight_type.getElementType() &&
      ShapeOf(targets) == x_type.getShape().take_front(1))
    return llvm::success();
  return InferError<Op>(loc, "needs x [N, C], weight [V, C] and targets [N], not ", x_type, ", ",
                        weight_type, " and ", targets.getType());
}

}  // namespace

LogicalResult LinearCrossEntropyOp::inferReturnTypes(mlir::MLIRContext*,
                                                     std::optional<mlir::Location> loc,
                                                     Adaptor adaptor,
                                                     llvm::SmallVectorImpl<mlir::Type>& results) {
  if (failed(CheckOperands<LinearCrossEntropyOp>(loc, adaptor.getX(), adaptor.getWeight(),
                                                 adaptor.getTargets())))
    return llvm::failure();
  results.push_back(RowsOf(TypeOf(adaptor.getX())));
  return llvm::success();
}

LogicalResult LinearCrossEntropyGradOp::inferReturnTypes(
    mlir::MLIRContext*, std::optional<mlir::Location> loc, Adaptor adaptor,
    llvm::SmallVectorImpl<mlir::Type>& results) {
  if (failed(CheckOperands<LinearCrossEntropyGradOp>(loc, adaptor.getX(), adaptor.getWeight(),
                                                     adaptor.getTargets())))
    return llvm::failure();
  auto x = TypeOf(adaptor.getX()), weight = TypeOf(adaptor.getWeight()), rows = RowsOf(x);
  const mlir::Type element = rows.getElementType();
  if (adaptor.getGrad().getType() != rows)
    return InferError<LinearCrossEntropyGradOp>(loc, "grad must be ", rows, ", not ",
                                                adaptor.getGrad().getType());
  results.append({rows, x.clone(element), weight.clone(element)});
  return llvm::success();
}

LogicalResult LinearCrossEntropyOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads,
                                        llvm::ArrayRef<bool>, llvm::SmallVectorImpl<Value>& out) {
  auto grad = LinearCrossEntropyGradOp::create(b, getLoc(), grads.front(), getX(), getWeight(),
                                               getTargets(), getIgnoreIndexAttr());
  Emitter e(b, getLoc());
  const mlir::Type element = ElementOf(getX());
  out.append({e.Cast(grad.getDx(), element), e.Cast(grad.getDweight(), element), Value()});
  return llvm::success();
}

llvm::SmallVector<Value> LinearCrossEntropyOp::decompose(mlir::OpBuilder& b) {
  Value logits = Emitter(b, getLoc()).Matmul(getX(), getWeight(), false, true);
  return {CrossEntropyOp::create(b, getLoc(), logits, getTargets(), getIgnoreIndexAttr(),
                                 b.getF64FloatAttr(0))
              .getY()};
}

llvm::SmallVector<Value> LinearCrossEntropyGradOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  Value logits = e.Matmul(getX(), getWeight(), false, true);
  auto loss = CrossEntropyOp::create(b, getLoc(), logits, getTargets(), getIgnoreIndexAttr(),
                                     b.getF64FloatAttr(0));
  Value dlogits =
      CrossEntropyGradOp::create(b, getLoc(), getGrad(), logits, getTargets(), loss.getLse(),
                                 getIgnoreIndexAttr(), b.getF64FloatAttr(0));
  dlogits = e.Cast(dlogits, ElementOf(getX()));
  return {loss.getY(), e.Matmul(dlogits, getWeight()), e.Matmul(dlogits, getX(), true)};
}

}  // namespace trama
