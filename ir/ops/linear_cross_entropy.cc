// The head and the loss of a language model without the logits of a whole batch.
#include "ir/builder_util.h"

namespace trama {

using llvm::LogicalResult;
using mlir::RankedTensorType;
using mlir::Value;

namespace {

// x [N, C], weight [V, C], targets [N].
template <typename Op>
LogicalResult CheckOperands(std::optional<mlir::Location> loc, Value x, Value weight,
                            Value targets) {
  auto x_type = TypeOf(x), weight_type = TypeOf(weight);
  if (x_type.getRank() == 2 && weight_type.getRank() == 2 &&
      x_type.getDimSize(1) == weight_type.getDimSize(1) &&
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
  auto x = TypeOf(adaptor.getX());
  results.push_back(RankedTensorType::get({x.getDimSize(0)}, x.getElementType()));
  return llvm::success();
}

LogicalResult LinearCrossEntropyGradOp::inferReturnTypes(
    mlir::MLIRContext*, std::optional<mlir::Location> loc, Adaptor adaptor,
    llvm::SmallVectorImpl<mlir::Type>& results) {
  if (failed(CheckOperands<LinearCrossEntropyGradOp>(loc, adaptor.getX(), adaptor.getWeight(),
                                                     adaptor.getTargets())))
    return llvm::failure();
  auto x = TypeOf(adaptor.getX());
  auto rows = RankedTensorType::get({x.getDimSize(0)}, x.getElementType());
  if (adaptor.getGrad().getType() != rows)
    return InferError<LinearCrossEntropyGradOp>(loc, "grad must be ", rows, ", not ",
                                                adaptor.getGrad().getType());
  results.append({rows, x, adaptor.getWeight().getType()});
  return llvm::success();
}

}  // namespace trama
