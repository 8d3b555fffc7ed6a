#include <algorithm>

#include "backends/vulkan/attention_grad.h"
#include "base/status_macros.h"

namespace trama::vulkan {
using codegen::Access;

namespace {

// Rows that an invocation keeps in private memory.
class PrivateRow {
 public:
  PrivateRow(PhaseBuilder& b, int64_t columns)
      : b_(b), columns_(columns), quads_(b.Private({CeilDiv(columns, 4)}, b.VectorF32(4))) {}

  Value operator[](Value quad) { return b_.Load(quads_, quad); }
  void Fill() {
    ForQuads(b_, columns_, [&](Value quad, int64_t) { Set(quad, b_.Splat(0, 4)); });
  }
  void Read(QuadRows& rows, ValueRange at, double scale = 1) {
    Value row = rows.Row(at);
    ForQuads(b_, columns_, [&](Value quad, int64_t live) {
      Value x = rows.Load(row, quad, live);
      Set(quad, scale == 1 ? x : b_.Mul(x, b_.Splat(scale, 4)));
    });
  }
  // += factor * row
  void Accumulate(Value factor, RowReader& row) {
    factor = b_.Broadcast(factor, 4);
    ForQuads(b_, columns_, [&](Value quad, int64_t live) {
      Set(quad, b_.Fma(factor, row.Load(quad, live), (*this)[quad]));
    });
  }
  // The inner product with scale * `row`.
  Value Dot(RowReader& row, double scale = 1) {
    Value sum = b_.Private({1}, b_.VectorF32(4)), zero = b_.Index(0);
    b_.Store(b_.Splat(0, 4), sum, zero);
    ForQuads(b_, columns_, [&](Value quad, int64_t live) {
      Value x = row.Load(quad, live);
      if (scale != 1) x = b_.Mul(x, b_.Splat(scale, 4));
      b_.Store(b_.Fma((*this)[quad], x, b_.Load(sum, zero)), sum, zero);
    });
    return SumQuad(b_, b_.Load(sum, zero));
  }
  void Write(mlir::func::FuncOp body, ArrayRef<Access> outputs, ValueRange at, double scale = 1) {
    for (const Access& access : outputs) {
      QuadRows rows(b_, body, access, columns_);
      Value row = rows.Row(at);
      ForQuads(b_, columns_, [&](Value quad, int64_t live) {
        Value x = (*this)[quad];
        rows.Store(scale == 1 ? x : b_.Mul(x, b_.Splat(scale, 4)), row, quad, live);
      });
    }
  }

 private:
  void Set(Value quad, Value x) { b_.Store(x, quads_, quad); }

  PhaseBuilder& b_;
  const int64_t columns_;
  Value quads_;
};

// Rows of a workgroup, all of one head; a subgroup reads the other side's together.
uint32_t RowsOf(const Target& target) {
  return std::min(target.subgroup_size, target.max_invocations);
}

absl::Status EmitDq(mlir::func::FuncOp body, mlir::ModuleOp module, const AttentionGradInfo& info,
                    const Target& target, Kernel& kernel) {
  PhaseBuilder b(module, body, target, kernel, "dq", {RowsOf(target), 1, 1});
  const int64_t row_count = RowsOf(target);
  const int64_t blocks = CeilDiv(info.T, row_count);
  Value block = Remainder(b, b.WorkgroupIndex(), blocks);
  Value row = b.Add(b.Mul(block, row_count), b.LocalIndex()), last = b.Index(info.T - 1);
  Value query = b.Min(row, last);
  AttentionScores scores(b, body, info);
  scores.Start(Divide(b, b.WorkgroupIndex(), blocks));
  auto at = [&](Value r) { return SmallVector<Value>{scores.batch(), scores.head(), r}; };
  QuadRows queries(b, body, info.q, info.D), grads(b, body, info.grad, info.E);
  QuadRows keys(b, body, info.k, info.D), values(b, body, info.v, info.E);
  PrivateRow q(b, info.D), grad(b, info.E), dq(b, info.D);
  q.Read(queries, at(query), info.scale);
  grad.Read(grads, at(query));
  dq.Fill();
  QueryGrad query_grad(b, body, info, scores, query);
  // All rows go as far as the last does: they then read the same keys.
  Value end = scores.Limit(b.Min(b.Add(b.Mul(block, row_count), row_count - 1), last));
  b.For(b.Index(0), end, 1, [&](Value key) {
    RowReader key_row(b, keys, keys.Row(at(key)), /*common=*/true);
    RowReader value_row(b, values, values.Row(at(key)), /*common=*/true);
    auto [weight, dscore] = query_grad.Keys(key, q.Dot(key_row), grad.Dot(value_row))[0];
    dq.Accumulate(dscore, key_row);
  });
  b.If(b.Less(row, b.Index(info.T)), [&] { dq.Write(body, info.dq, at(row), info.scale); });
  return b.Finish(info.B * info.H * blocks);
}

absl::Status EmitDkDv(mlir::func::FuncOp body, mlir::ModuleOp module, const AttentionGradInfo& info,
                      const Target& target, Kernel& kernel) {
  PhaseBuilder b(module, body, target, kernel, "dkv", {RowsOf(target), 1, 1});
  const int64_t row_count = RowsOf(target);
  const int64_t blocks = CeilDiv(info.S, row_count);
  Value first = b.Mul(Remainder(b, b.WorkgroupIndex(), blocks), row_count);
  Value row = b.Add(first, b.LocalIndex()), key = b.Min(row, b.Index(info.S - 1));
  AttentionScores scores(b, body, info);
  scores.Start(Divide(b, b.WorkgroupIndex(), blocks));
  auto at = [&](Value r) { return SmallVector<Value>{scores.batch(), scores.head(), r}; };
  QuadRows queries(b, body, info.q, info.D), grads(b, body, info.grad, info.E);
  QuadRows keys(b, body, info.k, info.D), values(b, body, info.v, info.E);
  PrivateRow k(b, info.D), v(b, info.E), dk(b, info.D), dv(b, info.E);
  k.Read(keys, at(key));
  v.Read(values, at(key));
  dk.Fill();
  dv.Fill();
  b.For(scores.FirstQuery(first), b.Index(info.T), 1, [&](Value query) {
    RowReader query_row(b, queries, queries.Row(at(query)), /*common=*/true);
    RowReader grad_row(b, grads, grads.Row(at(query)), /*common=*/true);
    QueryGrad query_grad(b, body, info, scores, query);
    auto [weight, dscore] = query_grad.Keys(key, k.Dot(query_row, info.scale), v.Dot(grad_row))[0];
    dv.Accumulate(weight, grad_row);
    dk.Accumulate(dscore, query_row);
  });
  b.If(b.Less(row, b.Index(info.S)), [&] {
    dk.Write(body, info.dk, at(row), info.scale);
    dv.Write(body, info.dv, at(row));
  });
  return b.Finish(info.B * info.H * blocks);
}
}  // namespace

absl::Status EmitGradByRows(mlir::func::FuncOp body, mlir::ModuleOp module,
                            const AttentionGradInfo& info, const Target& target, Kernel& kernel) {
  TRAMA_RETURN_IF_ERROR(EmitDkDv(body, module, info, target, kernel));
  return EmitDq(body, module, info, target, kernel);
}

}  // namespace trama::vulkan
