// cross_entropy, its gradient, and weighted_mean, which ends a loss.
#include "ir/builder_util.h"

namespace trama {

using llvm::LogicalResult;
using mlir::RankedTensorType;
using mlir::Value;

namespace {

// logits [N, V] and targets [N].
template <typename Op>
LogicalResult CheckRows(std::optional<mlir::Location> loc, Value logits, Value targets) {
  if (TypeOf(logits).getRank() == 2 && ShapeOf(targets) == ShapeOf(logits).take_front(1))
    return llvm::success();
  return InferError<Op>(loc, "needs logits [N, V] and targets [N], not ", logits.getType(), " and ",
                        targets.getType());
}

template <typename Op>
LogicalResult CheckSmoothing(std::optional<mlir::Location> loc, double smoothing) {
  if (smoothing >= 0 && smoothing <= 1) return llvm::success();
  return InferError<Op>(loc, "label_smoothing ", smoothing, " is not in [0, 1]");
}

}  // namespace

LogicalResult CrossEntropyOp::inferReturnTypes(mlir::MLIRContext*,
                                               std::optional<mlir::Location> loc, Adaptor adaptor,
                                               llvm::SmallVectorImpl<mlir::Type>& results) {
  if (failed(CheckRows<CrossEntropyOp>(loc, adaptor.getLogits(), adaptor.getTargets())) ||
      failed(CheckSmoothing<CrossEntropyOp>(loc, adaptor.getLabelSmoothing().convertToDouble())))
    return llvm::failure();
  auto logits = TypeOf(adaptor.getLogits());
  results.append(2, RankedTensorType::get({logits.getDimSize(0)}, logits.getElementType()));
  return llvm::success();
}

LogicalResult CrossEntropyGradOp::inferReturnTypes(mlir::MLIRContext*,
                                                   std::optional<mlir::Location> loc,
                                                   Adaptor adaptor,
                                                   llvm::SmallVectorImpl<mlir::Type>& results) {
  if (failed(CheckRows<CrossEntropyGradOp>(loc, adaptor.getLogits(), adaptor.getTargets())) ||
      failed(
          CheckSmoothing<CrossEntropyGradOp>(loc, adaptor.getLabelSmoothing().convertToDouble())))
    return llvm::failure();
  auto logits = TypeOf(adaptor.getLogits());
  auto rows = RankedTensorType::get({logits.getDimSize(0)}, logits.getElementType());
  for (Value v : {adaptor.getGrad(), adaptor.getLse()})
    if (v.getType() != rows)
      return InferError<CrossEntropyGradOp>(loc, "grad and lse must be ", rows, ", not ",
                                            v.getType());
  results.push_back(logits);
  return llvm::success();
}

LogicalResult WeightedMeanOp::inferReturnTypes(mlir::MLIRContext*,
                                               std::optional<mlir::Location> loc, Adaptor adaptor,
                                               llvm::SmallVectorImpl<mlir::Type>& results) {
  auto x = TypeOf(adaptor.getX());
  if (x.getRank() != 1 || adaptor.getWeights().getType() != x)
    return InferError<WeightedMeanOp>(loc, "x and weights must be [N] of one type, not ", x,
                                      " and ", adaptor.getWeights().getType());
  results.push_back(RankedTensorType::get({}, x.getElementType()));
  return llvm::success();
}

}  // namespace trama
