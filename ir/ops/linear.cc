// activation(x W + bias).
#include "ir/builder_util.h"

namespace trama {

using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::RankedTensorType;
using mlir::Value;

LogicalResult LinearOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                         Adaptor adaptor,
                                         llvm::SmallVectorImpl<mlir::Type>& results) {
  auto x = TypeOf(adaptor.getX()), weight = TypeOf(adaptor.getWeight());
  if (x.getRank() < 1 || weight.getRank() != 2)
    return InferError<LinearOp>(loc, "needs x [.., K] and a matrix: ", x, ", ", weight);
  const bool transposed = adaptor.getTransposeWeight();
  const int64_t k = weight.getDimSize(transposed ? 1 : 0),
                n = weight.getDimSize(transposed ? 0 : 1);
  if (x.getShape().back() != k || x.getElementType() != weight.getElementType())
    return InferError<LinearOp>(loc, "x ", x, " does not fit weight ", weight,
                                transposed ? " transposed" : "");
  const mlir::Type element = AccumulatorOf(x.getElementType());
  if (Value bias = adaptor.getBias(); bias && bias.getType() != RankedTensorType::get({n}, element))
    return InferError<LinearOp>(loc, "bias ", bias.getType(), " must have ", n, " elements of ",
                                element);
  SmallVector<int64_t> shape(x.getShape());
  shape.back() = n;
  results.push_back(RankedTensorType::get(shape, element));
  return llvm::success();
}

LogicalResult LinearOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool> needed,
                            llvm::SmallVectorImpl<Value>& out) {
  if (getActivation() != Activation::none) return llvm::failure();
  Emitter e(b, getLoc());
  const mlir::Type element = ElementOf(getX());
  Value grad = e.Cast(grads.front(), element), x = e.FlattenRows(getX());
  Value rows = e.FlattenRows(grad);
  const bool transposed = getTransposeWeight();
  Value dx, dweight;
  if (needed[0]) {
    // Over as many dimensions as x has, so that what precedes and follows keeps its shape.
    Value g = TypeOf(getX()).getRank() > 1 ? grad : rows;
    dx = e.Reshape(e.Matmul(g, getWeight(), false, !transposed), ShapeOf(getX()));
    dx = e.Cast(dx, element);
  }
  if (needed[1])
    dweight = e.Cast(transposed ? e.Matmul(rows, x, true) : e.Matmul(x, rows, true), element);
  out.append({dx, dweight});
  if (getBias()) out.push_back(needed[2] ? e.Sum(e.FlattenRows(grads.front()), {0}) : Value());
  return llvm::success();
}

static Value Activate(const Emitter& e, Activation activation, Value x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return e.Unary<ReluOp>(x);
    case Activation::gelu:
      return GeluOp::create(e.builder(), e.loc(), x, /*tanh=*/false);
    case Activation::gelu_tanh:
      return GeluOp::create(e.builder(), e.loc(), x, /*tanh=*/true);
    case Activation::tanh:
      return e.Unary<TanhOp>(x);
    case Activation::sigmoid:
      return e.Unary<SigmoidOp>(x);
  }
  llvm_unreachable("every activation is above");
}

SmallVector<Value> LinearOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  if (getActivation() != Activation::none) {
    Value affine = LinearOp::create(b, getLoc(), getX(), getWeight(), getBias(),
                                    getTransposeWeight(), Activation::none);
    return {Activate(e, getActivation(), affine)};
  }
  Value x = TypeOf(getX()).getRank() > 1 ? Value(getX()) : e.FlattenRows(getX());
  Value y = e.Reshape(e.Matmul(x, getWeight(), false, getTransposeWeight()), ShapeOf(getY()));
  return {getBias() ? e.Add(y, getBias()) : y};
}

}  // namespace trama
