#include "backends/vulkan/cross_entropy_rows.h"

#include <limits>

#include "backends/codegen/vector_math.h"

namespace trama::vulkan {
using mlir::arith::CmpIPredicate;

RowTarget LoadTarget(PhaseBuilder& b, mlir::func::FuncOp body, const Targets& targets, Value row) {
  Value index = b.ToIndex(LoadElement(b, body, targets.access, row));
  Value ignored = b.Compare(CmpIPredicate::eq, index, b.Index(targets.ignore_index));
  Value is_class = b.Compare(CmpIPredicate::ult, index, b.Index(targets.classes));
  return {b.Select(is_class, index, b.Index(-1)), ignored};
}

namespace {
// The column of each element of a quad, less `column`.
Value Columns(PhaseBuilder& b, Value quad, Value column) {
  Value first = b.FromIndex(b.Sub(b.Mul(quad, 4), column), b.Int(32));
  return b.Add(b.Broadcast(first, 4), b.LaneIndices(b.Int(32), 4));
}

// `x` with `other` in the elements past the last class.
Value KeepClasses(PhaseBuilder& b, Value x, Value quad, int64_t classes, double other) {
  if (classes % 4 == 0) return x;
  Value columns = Columns(b, quad, b.Index(classes));
  Value is_class = b.Compare(CmpIPredicate::slt, columns, b.IntConstant(columns.getType(), 0));
  return b.Select(is_class, x, b.Splat(other, 4));
}

// All quads of a row, dealt to the invocations.
Value ReduceRow(PhaseBuilder& b, int64_t classes, double initial,
                llvm::function_ref<Value(Value, Value)> combine,
                llvm::function_ref<Value(Value)> term) {
  Value quad = b.For(b.LocalIndex(), b.Index(CeilDiv(classes, 4)), b.invocations(),
                     {b.Splat(initial, 4)}, [&](Value i, ValueRange carried) {
                       return SmallVector<Value>{combine(carried[0], term(i))};
                     })[0];
  SmallVector<Value> x;
  for (int64_t l = 0; l < 4; ++l) x.push_back(mlir::vector::ExtractOp::create(b, quad, l));
  return b.ReduceWorkgroup(combine(combine(x[0], x[1]), combine(x[2], x[3])), combine);
}
}  // namespace

RowLoss EmitLogSumExp(PhaseBuilder& b, int64_t classes, LoadLogits load) {
  const double infinity = std::numeric_limits<double>::infinity();
  Value max = ReduceRow(
      b, classes, -infinity, [&](Value x, Value y) { return b.FastMax(x, y); },
      [&](Value quad) { return KeepClasses(b, load(quad), quad, classes, -infinity); });
  Value shift = b.Broadcast(max, 4);
  Value sum = ReduceRow(
      b, classes, 0, [&](Value x, Value y) { return b.Add(x, y); },
      [&](Value quad) {
        return KeepClasses(b, codegen::Exp(b, b.Sub(load(quad), shift)), quad, classes, 0);
      });
  Value log_sum = codegen::Log(b, sum);
  return {b.Add(max, log_sum), max, log_sum};
}

Value EmitLoss(PhaseBuilder& b, const RowLoss& row, const RowTarget& target, Value logit) {
  Value zero = b.Constant(b.F32(), 0);
  Value is_class = b.Compare(CmpIPredicate::sge, target.index, b.Index(0));
  // Not lse - logit: a small loss would drown in the rounding of a large maximum.
  Value loss = b.Sub(row.log_sum, b.Sub(b.Select(is_class, logit, zero), row.max));
  return b.Select(target.ignored, zero, loss);
}

Value EmitLogitGrad(PhaseBuilder& b, Value logits, Value lse, Value grad, const RowTarget& target,
                    Value quad, int64_t classes) {
  Value p = codegen::Exp(b, b.Sub(logits, b.Broadcast(lse, 4)));
  Value columns = Columns(b, quad, target.index);
  Value hit = b.Compare(CmpIPredicate::eq, columns, b.IntConstant(columns.getType(), 0));
  p = b.Select(hit, b.Sub(p, b.Splat(1, 4)), p);
  return KeepClasses(b, b.Mul(b.Broadcast(grad, 4), p), quad, classes, 0);
}

}  // namespace trama::vulkan
