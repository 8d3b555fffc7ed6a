// Pointwise ops of one operand.
#include <cmath>

#include "ir/builder_util.h"
#include "ir/fold_util.h"

namespace trama {

using mlir::OpFoldResult;

OpFoldResult NegOp::fold(FoldAdaptor adaptor) {
  if (auto inner = getX().getDefiningOp<NegOp>()) return inner.getX();
  return FoldUnary(
      adaptor.getX(), getType(), [](double x) { return -x; },
      [](int64_t x) { return static_cast<int64_t>(-static_cast<uint64_t>(x)); });
}

OpFoldResult AbsOp::fold(FoldAdaptor adaptor) {
  if (getX().getDefiningOp<AbsOp>()) return getX();
  return FoldUnary(
      adaptor.getX(), getType(), [](double x) { return std::fabs(x); },
      [](int64_t x) { return x < 0 ? static_cast<int64_t>(-static_cast<uint64_t>(x)) : x; });
}

OpFoldResult SignOp::fold(FoldAdaptor adaptor) {
  return FoldUnary(
      adaptor.getX(), getType(), [](double x) { return x > 0   ? 1.0
                                                       : x < 0 ? -1.0
                                                               : x; },
      [](int64_t x) { return int64_t{x > 0} - int64_t{x < 0}; });
}

OpFoldResult ExpOp::fold(FoldAdaptor adaptor) {
  return FoldUnary(adaptor.getX(), getType(), [](double x) { return std::exp(x); });
}

OpFoldResult LogOp::fold(FoldAdaptor adaptor) {
  return FoldUnary(adaptor.getX(), getType(), [](double x) { return std::log(x); });
}

OpFoldResult SqrtOp::fold(FoldAdaptor adaptor) {
  return FoldUnary(adaptor.getX(), getType(), [](double x) { return std::sqrt(x); });
}

OpFoldResult RsqrtOp::fold(FoldAdaptor adaptor) {
  return FoldUnary(adaptor.getX(), getType(), [](double x) { return 1 / std::sqrt(x); });
}

OpFoldResult TanhOp::fold(FoldAdaptor adaptor) {
  return FoldUnary(adaptor.getX(), getType(), [](double x) { return std::tanh(x); });
}

OpFoldResult SigmoidOp::fold(FoldAdaptor adaptor) {
  return FoldUnary(adaptor.getX(), getType(), [](double x) { return 1 / (1 + std::exp(-x)); });
}

OpFoldResult ErfOp::fold(FoldAdaptor adaptor) {
  return FoldUnary(adaptor.getX(), getType(), [](double x) { return std::erf(x); });
}

OpFoldResult SinOp::fold(FoldAdaptor adaptor) {
  return FoldUnary(adaptor.getX(), getType(), [](double x) { return std::sin(x); });
}

OpFoldResult CosOp::fold(FoldAdaptor adaptor) {
  return FoldUnary(adaptor.getX(), getType(), [](double x) { return std::cos(x); });
}

OpFoldResult FloorOp::fold(FoldAdaptor adaptor) {
  if (getX().getDefiningOp<FloorOp>()) return getX();
  return FoldUnary(adaptor.getX(), getType(), [](double x) { return std::floor(x); });
}

}  // namespace trama
