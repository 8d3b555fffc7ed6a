// Pointwise ops of one operand.
#include <cmath>

#include "ir/builder_util.h"
#include "ir/fold_util.h"

namespace trama {

using mlir::OpFoldResult;
using mlir::Value;

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

// ---------------------------------------------------------------- derivatives

namespace {

// One operand, one result: appends what `derivative` makes of the gradient, or null for integers.
llvm::LogicalResult UnaryVjp(mlir::Operation* op, mlir::OpBuilder& b, mlir::ValueRange grads,
                             llvm::SmallVectorImpl<Value>& out,
                             llvm::function_ref<Value(Emitter&, Value)> derivative) {
  Emitter e(b, op->getLoc());
  out.push_back(IsFloat(op->getOperand(0)) ? derivative(e, grads.front()) : Value());
  return llvm::success();
}

}  // namespace

#define TRAMA_UNARY_VJP(Op, expression)                                                         \
  llvm::LogicalResult Op::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool>, \
                              llvm::SmallVectorImpl<Value>& out) {                              \
    Value x = getX(), y = getY();                                                               \
    return UnaryVjp(*this, b, grads, out, [&](Emitter& e, Value g) -> Value {                   \
      (void)x, (void)y;                                                                         \
      return expression;                                                                        \
    });                                                                                         \
  }
TRAMA_UNARY_VJP(NegOp, e.Neg(g))
TRAMA_UNARY_VJP(AbsOp, e.Mul(g, e.Unary<SignOp>(x)))
TRAMA_UNARY_VJP(SignOp, Value())  // constant but at jumps
TRAMA_UNARY_VJP(ExpOp, e.Mul(g, y))
TRAMA_UNARY_VJP(LogOp, e.Div(g, x))
TRAMA_UNARY_VJP(SqrtOp, e.Div(e.Mul(g, 0.5), y))
TRAMA_UNARY_VJP(RsqrtOp, e.Mul(e.Mul(g, -0.5), e.Mul(e.Mul(y, y), y)))
TRAMA_UNARY_VJP(TanhOp, e.Mul(g, e.Sub(1, e.Mul(y, y))))
TRAMA_UNARY_VJP(SigmoidOp, e.Mul(g, e.Mul(y, e.Sub(1, y))))
TRAMA_UNARY_VJP(ErfOp, e.Mul(e.Mul(g, 2 / std::sqrt(M_PI)), e.Exp(e.Neg(e.Mul(x, x)))))
TRAMA_UNARY_VJP(SinOp, e.Mul(g, e.Unary<CosOp>(x)))
TRAMA_UNARY_VJP(CosOp, e.Neg(e.Mul(g, e.Unary<SinOp>(x))))
TRAMA_UNARY_VJP(FloorOp, Value())  // constant but at jumps
#undef TRAMA_UNARY_VJP

}  // namespace trama
