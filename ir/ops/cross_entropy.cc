// cross_entropy, its gradient, and weighted_mean, which ends a loss.
#include "ir/builder_util.h"

namespace trama {

using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::RankedTensorType;
using mlir::Value;

namespace {

// logits [N, V], of V > 0 classes, and targets [N].
template <typename Op>
LogicalResult CheckRows(std::optional<mlir::Location> loc, Value logits, Value targets) {
  if (TypeOf(logits).getRank() == 2 && ShapeOf(logits)[1] > 0 &&
      ShapeOf(targets) == ShapeOf(logits).take_front(1))
    return llvm::success();
  return InferError<Op>(loc, "needs logits [N, V], V > 0, and targets [N], not ", logits.getType(),
                        " and ", targets.getType());
}

template <typename Op>
LogicalResult CheckSmoothing(Op op) {
  const double smoothing = op.getLabelSmoothing().convertToDouble();
  if (smoothing >= 0 && smoothing <= 1) return llvm::success();
  return op.emitOpError("label_smoothing ") << smoothing << " is not in [0, 1]";
}

}  // namespace

LogicalResult CrossEntropyOp::inferReturnTypes(mlir::MLIRContext*,
                                               std::optional<mlir::Location> loc, Adaptor adaptor,
                                               llvm::SmallVectorImpl<mlir::Type>& results) {
  if (failed(CheckRows<CrossEntropyOp>(loc, adaptor.getLogits(), adaptor.getTargets())))
    return llvm::failure();
  auto logits = TypeOf(adaptor.getLogits());
  results.append(2, RankedTensorType::get({logits.getDimSize(0)}, logits.getElementType()));
  return llvm::success();
}

LogicalResult CrossEntropyGradOp::inferReturnTypes(mlir::MLIRContext*,
                                                   std::optional<mlir::Location> loc,
                                                   Adaptor adaptor,
                                                   llvm::SmallVectorImpl<mlir::Type>& results) {
  if (failed(CheckRows<CrossEntropyGradOp>(loc, adaptor.getLogits(), adaptor.getTargets())))
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

LogicalResult CrossEntropyOp::verify() { return CheckSmoothing(*this); }
LogicalResult CrossEntropyGradOp::verify() { return CheckSmoothing(*this); }

LogicalResult WeightedMeanOp::inferReturnTypes(mlir::MLIRContext*,
                                               std::optional<mlir::Location> loc, Adaptor adaptor,
                                               llvm::SmallVectorImpl<mlir::Type>& results) {
  auto x = TypeOf(adaptor.getX());
  if (x.getRank() != 1 || x.getDimSize(0) == 0 || adaptor.getWeights().getType() != x)
    return InferError<WeightedMeanOp>(loc, "x and weights must be [N] of one type, N > 0, not ", x,
                                      " and ", adaptor.getWeights().getType());
  results.push_back(RankedTensorType::get({}, x.getElementType()));
  return llvm::success();
}

// ---------------------------------------------------------------- derivatives

LogicalResult CrossEntropyOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads,
                                  llvm::ArrayRef<bool> needed, llvm::SmallVectorImpl<Value>& out) {
  if (!grads[0] || grads[1]) return llvm::failure();  // a gradient of lse: decompose
  Value logits;
  if (needed[0])
    logits = CrossEntropyGradOp::create(b, getLoc(), grads[0], getLogits(), getTargets(), getLse(),
                                        getIgnoreIndexAttr(), getLabelSmoothingAttr());
  out.append({logits, Value()});
  return llvm::success();
}

LogicalResult WeightedMeanOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool>,
                                  llvm::SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  Value count = e.Sum(getWeights(), {0});
  Value empty = e.Compare(ComparePredicate::eq, count, 0);
  Value g = e.Select(empty, 0, e.Div(grads.front(), count));
  out.append({e.Mul(getWeights(), g), Value()});
  return llvm::success();
}

// ---------------------------------------------------------------- decomposition

SmallVector<Value> CrossEntropyOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  Value logits = getLogits(), targets = getTargets();
  const int64_t n = ShapeOf(logits)[0];
  Value max = e.ReduceMax(logits, {1}, true);
  Value sum = e.Sum(e.Exp(e.Sub(logits, max)), {1});
  Value row_max = e.Reshape(max, {n}), log_sum = e.Log(sum);
  Value lse = e.Add(row_max, log_sum);
  Value picked = GatherOp::create(b, getLoc(), logits, e.Unsqueeze(targets, 1), 1);
  // Not lse - picked: a small loss would drown in the rounding of a large maximum.
  Value y = e.Sub(log_sum, e.Sub(e.Reshape(picked, {n}), row_max));
  if (const double smoothing = getLabelSmoothing().convertToDouble(); smoothing > 0)
    y = e.Add(e.Mul(y, 1 - smoothing), e.Mul(e.Sub(lse, e.Mean(logits, {1})), smoothing));
  Value ignored = e.Compare(ComparePredicate::eq, targets, static_cast<int64_t>(getIgnoreIndex()));
  return {e.Select(ignored, 0, y), lse};
}

SmallVector<Value> CrossEntropyGradOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  Value targets = getTargets();
  const double smoothing = getLabelSmoothing().convertToDouble();
  Value p = e.Exp(e.Sub(getLogits(), e.Unsqueeze(getLse(), 1)));
  Value is_target =
      e.Compare(ComparePredicate::eq, e.Iota(ShapeOf(getLogits()), 1, ElementOf(targets)),
                e.Unsqueeze(targets, 1));
  Value off = e.Select(is_target, e.Sub(p, 1 - smoothing), p);
  if (smoothing > 0) off = e.Sub(off, smoothing / ShapeOf(getLogits())[1]);
  Value ignored = e.Compare(ComparePredicate::eq, targets, static_cast<int64_t>(getIgnoreIndex()));
  Value grad = e.Select(ignored, 0, getGrad());
  return {e.Mul(off, e.Unsqueeze(grad, 1))};
}

SmallVector<Value> WeightedMeanOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  Value count = e.Sum(getWeights(), {0});
  Value mean = e.Div(e.Sum(e.Mul(getX(), getWeights()), {0}), count);
  return {e.Select(e.Compare(ComparePredicate::eq, count, 0), 0, mean)};
}

}  // namespace trama
