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
  if (xs.empty()) return InferError<SquareSumOp>(loc, "needs an operand");
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

}  // namespace trama
