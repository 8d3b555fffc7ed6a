// square_sum, sgd and adam: what a training step ends with.
#include "ir/builder_util.h"

namespace trama {

using llvm::LogicalResult;
using mlir::RankedTensorType;
using mlir::Value;

namespace {

template <typename Op>
LogicalResult CheckScalars(std::optional<mlir::Location> loc, mlir::Type element,
                           llvm::ArrayRef<Value> scalars, Value apply) {
  for (Value v : scalars)
    if (v.getType() != RankedTensorType::get({}, element))
      return InferError<Op>(loc, "needs scalars of ", element, ", not ", v.getType());
  if (TypeOf(apply).getRank() != 0)
    return InferError<Op>(loc, "apply must be a scalar, not ", apply.getType());
  return llvm::success();
}

template <typename Op>
LogicalResult CheckState(std::optional<mlir::Location> loc, Value param,
                         llvm::ArrayRef<Value> others) {
  for (Value v : others)
    if (v.getType() != param.getType())
      return InferError<Op>(loc, "gradient and state must be ", param.getType(),
                            " as the parameter, not ", v.getType());
  return llvm::success();
}

}  // namespace

LogicalResult SquareSumOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                            Adaptor adaptor,
                                            llvm::SmallVectorImpl<mlir::Type>& results) {
  mlir::ValueRange xs = adaptor.getXs();
  if (xs.empty() || !AreTensors(xs))
    return InferError<SquareSumOp>(loc, "needs one tensor at least, and nothing else");
  for (Value x : xs)
    if (ElementOf(x) != ElementOf(xs.front()))
      return InferError<SquareSumOp>(loc, "element types differ: ", xs.front().getType(), ", ",
                                     x.getType());
  results.push_back(RankedTensorType::get({}, ElementOf(xs.front())));
  return llvm::success();
}

LogicalResult SgdOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                      Adaptor adaptor, llvm::SmallVectorImpl<mlir::Type>& results) {
  Value param = adaptor.getParam();
  if (failed(CheckState<SgdOp>(loc, param, {adaptor.getGrad(), adaptor.getBuffer()})) ||
      failed(CheckScalars<SgdOp>(loc, ElementOf(param), {adaptor.getLr(), adaptor.getScale()},
                                 adaptor.getApply())))
    return llvm::failure();
  results.append(2, param.getType());
  return llvm::success();
}

LogicalResult AdamOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                       Adaptor adaptor,
                                       llvm::SmallVectorImpl<mlir::Type>& results) {
  Value param = adaptor.getParam();
  if (failed(CheckState<AdamOp>(loc, param, {adaptor.getGrad(), adaptor.getM(), adaptor.getV()})) ||
      failed(CheckScalars<AdamOp>(
          loc, ElementOf(param),
          {adaptor.getLr(), adaptor.getScale(), adaptor.getCorrection1(), adaptor.getCorrection2()},
          adaptor.getApply())))
    return llvm::failure();
  results.append(3, param.getType());
  return llvm::success();
}

// ---------------------------------------------------------------- decomposition

llvm::SmallVector<Value> SquareSumOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  Value total;
  for (Value x : getXs()) {
    Value sum = e.Sum(e.Mul(x, x), Range(TypeOf(x).getRank()));
    total = total ? e.Add(total, sum) : sum;
  }
  return {total};
}

llvm::SmallVector<Value> SgdOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  const double momentum = getMomentum().convertToDouble();
  const double decay = getWeightDecay().convertToDouble();
  Value g = e.Mul(getGrad(), getScale());
  if (decay != 0) g = e.Add(g, e.Mul(getParam(), decay));
  Value buffer = getBuffer();
  if (momentum != 0) g = buffer = e.Add(e.Mul(buffer, momentum), g);
  Value param = e.Sub(getParam(), e.Mul(g, getLr()));
  return {e.Select(getApply(), param, getParam()), e.Select(getApply(), buffer, getBuffer())};
}

llvm::SmallVector<Value> AdamOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  const double beta1 = getBeta1().convertToDouble(), beta2 = getBeta2().convertToDouble();
  const double decay = getWeightDecay().convertToDouble();
  Value g = e.Mul(getGrad(), getScale()), param = getParam();
  if (decay != 0 && getDecoupled()) param = e.Mul(param, e.Sub(1, e.Mul(getLr(), decay)));
  if (decay != 0 && !getDecoupled()) g = e.Add(g, e.Mul(param, decay));
  Value m = e.Add(e.Mul(getM(), beta1), e.Mul(g, 1 - beta1));
  Value v = e.Add(e.Mul(getV(), beta2), e.Mul(e.Mul(g, g), 1 - beta2));
  Value denominator = e.Add(e.Div(e.Sqrt(v), e.Sqrt(getCorrection2())), getEps().convertToDouble());
  Value step = e.Mul(e.Div(getLr(), getCorrection1()), e.Div(m, denominator));
  return {e.Select(getApply(), e.Sub(param, step), getParam()), e.Select(getApply(), m, getM()),
          e.Select(getApply(), v, getV())};
}

}  // namespace trama
