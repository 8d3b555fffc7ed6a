// gelu, gelu_grad and relu.
#include <cmath>

#include "ir/builder_util.h"

namespace trama {

using mlir::Value;

llvm::LogicalResult GeluGradOp::inferReturnTypes(mlir::MLIRContext*,
                                                 std::optional<mlir::Location> loc, Adaptor adaptor,
                                                 llvm::SmallVectorImpl<mlir::Type>& results) {
  auto grad = TypeOf(adaptor.getGrad());
  if (grad != adaptor.getX().getType())
    return InferError<GeluGradOp>(loc, "grad ", grad, " and x ", adaptor.getX().getType(),
                                  " must have one type");
  results.push_back(grad);
  return llvm::success();
}

llvm::LogicalResult GeluOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool>,
                                llvm::SmallVectorImpl<Value>& out) {
  out.push_back(GeluGradOp::create(b, getLoc(), grads.front(), getX(), getTanh()));
  return llvm::success();
}

llvm::LogicalResult ReluOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool>,
                                llvm::SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  out.push_back(e.Select(e.Compare(ComparePredicate::gt, getX(), 0), grads.front(), 0));
  return llvm::success();
}

namespace {

constexpr double kCubic = 0.044715;
const double kSqrtHalf = std::sqrt(0.5), kSqrtTwoOverPi = std::sqrt(2 / M_PI);

// tanh(sqrt(2/pi) (x + 0.044715 x^3))
Value InnerTanh(const Emitter& e, Value x) {
  Value cube = e.Mul(e.Mul(x, x), x);
  return e.Unary<TanhOp>(e.Mul(e.Add(x, e.Mul(cube, kCubic)), kSqrtTwoOverPi));
}

}  // namespace

llvm::SmallVector<Value> GeluOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  Value x = getX();
  Value inner = getTanh() ? InnerTanh(e, x) : e.Unary<ErfOp>(e.Mul(x, kSqrtHalf));
  return {e.Mul(e.Mul(x, 0.5), e.Add(inner, 1))};
}

llvm::SmallVector<Value> GeluGradOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  Value x = getX(), square = e.Mul(x, x), derivative;
  if (getTanh()) {
    Value t = InnerTanh(e, x);
    Value dinner = e.Mul(e.Add(e.Mul(square, 3 * kCubic), 1), kSqrtTwoOverPi);
    Value dtanh = e.Mul(e.Sub(1, e.Mul(t, t)), dinner);
    derivative = e.Mul(e.Add(e.Add(t, 1), e.Mul(x, dtanh)), 0.5);
  } else {
    Value cdf = e.Mul(e.Add(e.Unary<ErfOp>(e.Mul(x, kSqrtHalf)), 1), 0.5);
    Value pdf = e.Mul(e.Exp(e.Mul(square, -0.5)), 0.5 * kSqrtTwoOverPi);
    derivative = e.Add(cdf, e.Mul(x, pdf));
  }
  return {e.Mul(getGrad(), derivative)};
}

llvm::SmallVector<Value> ReluOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  return {e.Max(getX(), e.Scalar(ElementOf(getX()), 0))};
}

}  // namespace trama
