// Layer normalisation over the last dimension.
#include "ir/builder_util.h"

namespace trama {

using mlir::RankedTensorType;
using mlir::Value;

llvm::LogicalResult LayerNormOp::verify() {
  auto x = getX().getType();
  if (x.getRank() < 1 || x.getShape().back() == 0)
    return emitOpError("x must be [.., C], C > 0, not ") << x;
  auto vector = RankedTensorType::get({x.getShape().back()}, x.getElementType());
  for (Value v : {getWeight(), getBias()})
    if (v.getType() != vector)
      return emitOpError("weight and bias must be ")
             << vector << " for x " << x << ", not " << v.getType();
  return llvm::success();
}

llvm::LogicalResult LayerNormGradOp::inferReturnTypes(mlir::MLIRContext*,
                                                      std::optional<mlir::Location> loc,
                                                      Adaptor adaptor,
                                                      llvm::SmallVectorImpl<mlir::Type>& results) {
  auto x = TypeOf(adaptor.getX()), weight = TypeOf(adaptor.getWeight());
  if (x.getRank() < 1 || x.getShape().back() == 0 || adaptor.getGrad().getType() != x ||
      weight != RankedTensorType::get({x.getShape().back()}, x.getElementType()))
    return InferError<LayerNormGradOp>(loc, "needs grad and x [.., C] and weight [C], not ",
                                       adaptor.getGrad().getType(), ", ", x, " and ", weight);
  results.append({x, weight, weight});
  return llvm::success();
}

llvm::LogicalResult LayerNormOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads,
                                     llvm::ArrayRef<bool>, llvm::SmallVectorImpl<Value>& out) {
  auto grad =
      LayerNormGradOp::create(b, getLoc(), grads.front(), getX(), getWeight(), getEpsAttr());
  out.append({grad.getDx(), grad.getDweight(), grad.getDbias()});
  return llvm::success();
}

namespace {

struct Normalized {
  Value value, rstd;  // (x - mean) rstd, and rstd with a last dimension of 1
};

Normalized Normalize(const Emitter& e, Value x, double eps) {
  const int64_t last = TypeOf(x).getRank() - 1;
  Value centered = e.Sub(x, e.Mean(x, {last}, true));
  Value variance = e.Mean(e.Mul(centered, centered), {last}, true);
  Value rstd = e.Rsqrt(e.Add(variance, eps));
  return {e.Mul(centered, rstd), rstd};
}

}  // namespace

llvm::SmallVector<Value> LayerNormOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  Value normalized = Normalize(e, getX(), getEps().convertToDouble()).value;
  return {e.Add(e.Mul(normalized, getWeight()), getBias())};
}

llvm::SmallVector<Value> LayerNormGradOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  const int64_t last = TypeOf(getX()).getRank() - 1;
  auto [n, rstd] = Normalize(e, getX(), getEps().convertToDouble());
  Value h = e.Mul(getGrad(), getWeight());
  Value inner =
      e.Sub(e.Sub(h, e.Mean(h, {last}, true)), e.Mul(n, e.Mean(e.Mul(h, n), {last}, true)));
  return {e.Mul(rstd, inner), e.Sum(e.Mul(getGrad(), n), Range(last)),
          e.Sum(getGrad(), Range(last))};
}

}  // namespace trama
