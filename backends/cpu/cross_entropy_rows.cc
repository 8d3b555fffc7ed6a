#include "backends/cpu/cross_entropy_rows.h"

#include <limits>

#include "backends/codegen/vector_math.h"

namespace trama::cpu {
using mlir::arith::CmpIPredicate;

RowTarget LoadTarget(Builder& b, ArrayRef<Value> buffers, const Targets& targets, Value row) {
  Value index =
      b.ToIndex(b.Load(buffers[targets.access.buffer], ElementIndex(b, targets.access, row)));
  Value ignored = b.Compare(CmpIPredicate::eq, index, b.Index(targets.ignore_index));
  Value is_class = b.Compare(CmpIPredicate::ult, index, b.Index(targets.classes));
  return {b.Select(is_class, index, b.Index(-1)), ignored};
}

RowLoss EmitLogSumExp(Builder& b, int64_t classes, bool mean, LoadLogits load) {
  const double infinity = std::numeric_limits<double>::infinity();
  SmallVector<double> initial{-infinity};
  if (mean) initial.push_back(0);
  SmallVector<Value> first = ReduceLanes(
      b, classes, initial,
      [&](Value column, int64_t live, ValueRange carried) {
        Value x = load(column, live);
        SmallVector<Value> next{b.FastMax(carried[0], KeepLive(b, x, live, -infinity))};
        if (mean) next.push_back(b.Add(carried[1], KeepLive(b, x, live, 0)));
        return next;
      },
      [&](size_t i, Value x, Value y) { return i == 0 ? b.FastMax(x, y) : b.Add(x, y); });
  Value max = b.ReduceMax(first[0]), shift = b.Broadcast(max);
  Value sum = SumLanes(b, classes, 1, [&](Value column, int64_t live) {
    Value e = codegen::Exp(b, b.Sub(load(column, live), shift));
    return SmallVector<Value>{KeepLive(b, e, live, 0)};
  })[0];
  Value log_sum = codegen::Log(b, sum);
  RowLoss row{b.Add(max, log_sum), max, log_sum, Value()};
  if (mean) row.mean = b.Mul(b.ReduceAdd(first[1]), b.Constant(b.F32(), 1.0 / classes));
  return row;
}

Value EmitLoss(Builder& b, const RowLoss& row, const RowTarget& target, double smoothing,
               llvm::function_ref<Value(Value)> pick) {
  Value zero = b.Constant(b.F32(), 0);
  Value is_class = b.Compare(CmpIPredicate::sge, target.index, b.Index(0));
  Value logit = b.Select(is_class, pick(b.Max(target.index, b.Index(0))), zero);
  // Not lse - logit: a small loss would drown in the rounding of a large maximum.
  Value loss = b.Sub(row.log_sum, b.Sub(logit, row.max));
  if (smoothing != 0)
    loss = b.Add(b.Mul(loss, b.Constant(b.F32(), 1 - smoothing)),
                 b.Mul(b.Sub(row.lse, row.mean), b.Constant(b.F32(), smoothing)));
  return b.Select(target.ignored, zero, loss);
}

Value EmitLogitGrad(Builder& b, Value logits, Value lse, Value grad, const RowTarget& target,
                    Value column, double smoothing, int64_t classes) {
  Value p = codegen::Exp(b, b.Sub(logits, lse));
  if (smoothing != 0) p = b.Sub(p, b.Splat(smoothing / classes));
  Value lane = b.Broadcast(b.FromIndex(b.Sub(target.index, column), b.Int(32)));
  Value hit = b.Compare(CmpIPredicate::eq, b.LaneIndices(b.Int(32)), lane);
  return b.Mul(grad, b.Select(hit, b.Sub(p, b.Splat(1 - smoothing)), p));
}

}  // namespace trama::cpu
