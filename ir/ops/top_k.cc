// top_k: the largest along the last dimension, in order.
#include <cmath>
#include <limits>

#include "ir/builder_util.h"

namespace trama {

using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::RankedTensorType;
using mlir::Value;

LogicalResult TopKOp::inferReturnTypes(mlir::MLIRContext* ctx, std::optional<mlir::Location> loc,
                                       Adaptor adaptor,
                                       llvm::SmallVectorImpl<mlir::Type>& results) {
  auto x = TypeOf(adaptor.getX());
  const int64_t k = adaptor.getK();
  if (x.getRank() == 0) return InferError<TopKOp>(loc, "a scalar has no last dimension (C1)");
  if (k < 1 || k > x.getShape().back())
    return InferError<TopKOp>(loc, "k ", k, " is not in [1, ", x.getShape().back(), "] for ", x,
                              " (C1)");
  SmallVector<int64_t> shape(x.getShape());
  shape.back() = k;
  results.push_back(RankedTensorType::get(shape, x.getElementType()));
  results.push_back(RankedTensorType::get(shape, mlir::IntegerType::get(ctx, 32)));
  return llvm::success();
}

// The values are a gather of x, whose derivative serves.
LogicalResult TopKOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool> needed,
                          llvm::SmallVectorImpl<Value>& out) {
  if (!grads[0] || !needed[0] || !IsFloat(getX())) {
    out.push_back(Value());
    return llvm::success();
  }
  auto gather = GatherOp::create(b, getLoc(), getX(), getIndices(), TypeOf(getX()).getRank() - 1);
  SmallVector<Value> gradients;
  const LogicalResult result = gather.vjp(b, grads[0], {true, false}, gradients);
  gather.erase();
  if (failed(result)) return result;
  out.push_back(gradients[0]);
  return llvm::success();
}

// The largest k times, each time among those that are left. They are in classes: NaN, numbers, the
// lowest number, which others are overwritten with, and what was taken.
SmallVector<Value> TopKOp::decompose(mlir::OpBuilder& b) {
  enum { kTaken, kLowest, kNumber, kNan };
  Emitter e(b, getLoc());
  const Value x = getX();
  const auto type = TypeOf(x);
  const int64_t last = type.getRank() - 1;
  const mlir::Type i32 = b.getI32Type();
  double lowest = -std::numeric_limits<double>::infinity();
  if (auto integer = mlir::dyn_cast<mlir::IntegerType>(type.getElementType()))
    lowest = -std::ldexp(1.0, static_cast<int>(integer.getWidth()) - 1);
  const auto classes = RankedTensorType::get(type.getShape(), i32);
  auto constant = [&](double value) { return e.Constant(classes, value); };
  Value rank =
      e.Select(e.Compare(ComparePredicate::eq, x, lowest), constant(kLowest), constant(kNumber));
  if (IsFloat(x)) rank = e.Select(e.Compare(ComparePredicate::ne, x, x), constant(kNan), rank);
  const Value index = e.Iota(type.getShape(), last, i32);
  SmallVector<Value> taken;
  for (int64_t i = 0; i < static_cast<int64_t>(getK()); ++i) {
    const Value best = e.ReduceMax(rank, {last}, true);
    const Value numbers = e.And(e.Compare(ComparePredicate::eq, rank, kNumber),
                                e.Compare(ComparePredicate::eq, best, kNumber));
    const Value number = e.Select(numbers, x, lowest);
    const Value largest =
        e.And(numbers, e.Compare(ComparePredicate::eq, x, e.ReduceMax(number, {last}, true)));
    const Value others = e.And(e.Compare(ComparePredicate::eq, rank, best),
                               e.Compare(ComparePredicate::ne, best, kNumber));
    const Value first = ArgmaxOp::create(
        b, getLoc(), e.Cast(OrOp::create(b, getLoc(), largest, others), i32), last, true);
    taken.push_back(first);
    rank = e.Select(e.Compare(ComparePredicate::eq, index, first), constant(kTaken), rank);
  }
  const Value indices = taken.size() == 1 ? taken[0] : ConcatOp::create(b, getLoc(), taken, last);
  return {GatherOp::create(b, getLoc(), x, indices, last), indices};
}

}  // namespace trama
