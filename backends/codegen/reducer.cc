#include "backends/codegen/reducer.h"

#include <cmath>

#include "ir/dialect.h"

namespace trama::codegen {
namespace arith = mlir::arith;

Reducer::Reducer(mlir::Operation* op)
    : op_(op), element_(getElementTypeOrSelf(op->getOperand(0))), accumulator_(element_) {
  if (element_.isBF16() || element_.isF16())
    accumulator_ = mlir::Float32Type::get(op->getContext());
}

bool Reducer::wants_index() const { return mlir::isa<ArgmaxOp>(op_); }

SmallVector<Value> Reducer::Identity(Builder& b, bool vector) const {
  auto of = [&](Type element) { return vector ? b.Vector(b.lanes, element) : element; };
  const Type type = of(accumulator_);
  if (mlir::isa<SumOp>(op_)) return {b.Constant(type, 0)};
  Value least;
  if (mlir::isa<mlir::FloatType>(accumulator_))
    least = b.Constant(type, -INFINITY);
  else
    least = b.IntConstant(
        type, static_cast<int64_t>(~uint64_t{0} << (accumulator_.getIntOrFloatBitWidth() - 1)));
  if (!wants_index()) return {least};
  return {least, b.IntConstant(of(b.Int(32)), 0)};
}

SmallVector<Value> Reducer::Step(Builder& b, ValueRange carried, Value elements, Value indices,
                                 Value mask) const {
  if (IsVector(carried[0])) elements = b.Broadcast(elements);
  if (element_ != accumulator_)
    elements = arith::ExtFOp::create(b, WithElement(elements.getType(), accumulator_), elements);
  SmallVector<Value> next;
  if (mlir::isa<SumOp>(op_)) {
    next = {b.Add(carried[0], elements)};
  } else if (!wants_index()) {
    next = {b.Max(carried[0], elements)};
  } else {
    Value better = b.Less(carried[0], elements);
    next = {b.Select(better, elements, carried[0]), b.Select(better, indices, carried[1])};
  }
  if (mask)
    for (auto [value, old] : llvm::zip_equal(next, carried)) value = b.Select(mask, value, old);
  return next;
}

SmallVector<Value> Reducer::Join(Builder& b, ValueRange first, ValueRange second) const {
  if (mlir::isa<SumOp>(op_)) return {b.Add(first[0], second[0])};
  if (!wants_index()) return {b.Max(first[0], second[0])};
  // The lower index on a tie: the accumulators saw elements in turns.
  Value equal = mlir::isa<mlir::FloatType>(accumulator_)
                    ? b.Compare(arith::CmpFPredicate::OEQ, first[0], second[0])
                    : b.Compare(arith::CmpIPredicate::eq, first[0], second[0]);
  Value better = b.Or(b.Less(first[0], second[0]), b.And(equal, b.Less(second[1], first[1])));
  return {b.Select(better, second[0], first[0]), b.Select(better, second[1], first[1])};
}

SmallVector<Value> Reducer::FoldLanes(Builder& b, ValueRange carried) const {
  if (!IsVector(carried[0])) return SmallVector<Value>(carried);
  if (b.lanes <= 4) {
    // Few enough to go pair by pair.
    std::vector<SmallVector<Value>> lanes(b.lanes);
    for (auto [i, lane] : llvm::enumerate(lanes))
      for (Value value : carried)
        lane.push_back(mlir::vector::ExtractOp::create(b, value, static_cast<int64_t>(i)));
    for (size_t half = lanes.size() / 2; half; half /= 2)
      for (size_t i = 0; i < half; ++i) lanes[i] = Join(b, lanes[i], lanes[i + half]);
    return lanes[0];
  }
  if (mlir::isa<SumOp>(op_)) return {b.ReduceAdd(carried[0])};
  Value largest = b.ReduceMax(carried[0]);
  if (!wants_index()) return {largest};
  Value spread = b.Broadcast(largest);
  Value is_largest = mlir::isa<mlir::FloatType>(accumulator_)
                         ? b.Compare(arith::CmpFPredicate::OEQ, carried[0], spread)
                         : b.Compare(arith::CmpIPredicate::eq, carried[0], spread);
  Value candidates =
      b.Select(is_largest, carried[1], b.IntConstant(carried[1].getType(), INT32_MAX));
  return {largest,
          mlir::vector::ReductionOp::create(b, mlir::vector::CombiningKind::MINSI, candidates)};
}

Value Reducer::Result(Builder& b, ValueRange carried) const {
  Value value = carried[wants_index() ? 1 : 0];
  const Type result = getElementTypeOrSelf(op_->getResult(0));
  const Type type = WithElement(value.getType(), result);
  if (type == value.getType()) return value;
  if (wants_index()) return b.FromIndex(b.ToIndex(value), result);
  return arith::TruncFOp::create(b, type, value);
}

}  // namespace trama::codegen
