// softmax and log_softmax along one dimension.
#include <limits>

#include "ir/builder_util.h"

namespace trama {

using mlir::Value;

template <typename Op>
static llvm::LogicalResult Check(Op op) {
  const int64_t dim = op.getDim();
  if (failed(CheckDim<Op>(op.getLoc(), dim, op.getX().getType()))) return llvm::failure();
  return CheckNotEmpty<Op>(op.getLoc(), dim, op.getX().getType());
}

llvm::LogicalResult SoftmaxOp::verify() { return Check(*this); }
llvm::LogicalResult LogSoftmaxOp::verify() { return Check(*this); }

// dx = y (g - sum(g y))
llvm::LogicalResult SoftmaxOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool>,
                                   llvm::SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  Value g = grads.front(), y = getY();
  Value sum = e.Sum(e.Mul(g, y), {static_cast<int64_t>(getDim())}, true);
  out.push_back(e.Mul(y, e.Sub(g, sum)));
  return llvm::success();
}

llvm::SmallVector<Value> SoftmaxOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  const int64_t dim = getDim();
  // Where all is -inf, x - max would be NaN: 0 in place of that maximum makes every exp 0.
  Value max = e.ReduceMax(getX(), {dim}, true);
  Value nothing = e.Compare(ComparePredicate::eq, max, -std::numeric_limits<double>::infinity());
  Value exp = e.Exp(e.Sub(getX(), e.Select(nothing, 0, max)));
  Value sum = e.Sum(exp, {dim}, true);
  return {e.Div(exp, e.Select(nothing, 1, sum))};
}

// dx = g - exp(y) sum(g)
llvm::LogicalResult LogSoftmaxOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads,
                                      llvm::ArrayRef<bool>, llvm::SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  Value g = grads.front();
  Value sum = e.Sum(g, {static_cast<int64_t>(getDim())}, true);
  out.push_back(e.Sub(g, e.Mul(e.Exp(getY()), sum)));
  return llvm::success();
}

llvm::SmallVector<Value> LogSoftmaxOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  const int64_t dim = getDim();
  Value shifted = e.Sub(getX(), e.ReduceMax(getX(), {dim}, true));
  return {e.Sub(shifted, e.Log(e.Sum(e.Exp(shifted), {dim}, true)))};
}

}  // namespace trama
