#include <limits>

#include "backends/codegen/vector_math.h"
#include "backends/vulkan/attention_grad.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace arith = mlir::arith;

namespace {
Value Delta(PhaseBuilder& b, const AttentionGradInfo& info) {
  return b.Workspace("delta", b.F32(), info.B * info.H * info.T);
}
}  // namespace

absl::Status EmitDelta(mlir::func::FuncOp body, mlir::ModuleOp module,
                       const AttentionGradInfo& info, const Target& target, Kernel& kernel) {
  constexpr int64_t kInvocations = 64;
  PhaseBuilder b(module, body, target, kernel, "delta", {kInvocations, 1, 1});
  const int64_t queries = info.B * info.H * info.T;
  Value query = b.GlobalIndex();
  b.If(b.Less(query, b.Index(queries)), [&] {
    Value head = Divide(b, query, info.T);
    SmallVector<Value> at{Divide(b, head, info.H), Remainder(b, head, info.H),
                          Remainder(b, query, info.T)};
    QuadRows grads(b, body, info.grad, info.E), ys(b, body, info.y, info.E);
    Value grad_row = grads.Row(at), y_row = ys.Row(at);
    Value sum = b.Private({1}, b.VectorF32(4)), zero = b.Index(0);
    b.Store(b.Splat(0, 4), sum, zero);
    ForQuads(b, info.E, [&](Value quad, int64_t live) {
      Value grad = grads.Load(grad_row, quad, live), y = ys.Load(y_row, quad, live);
      b.Store(b.Fma(grad, y, b.Load(sum, zero)), sum, zero);
    });
    b.Store(SumQuad(b, b.Load(sum, zero)), Delta(b, info), query);
  });
  return b.Finish(CeilDiv(queries, kInvocations));
}

QueryGrad::QueryGrad(PhaseBuilder& b, mlir::func::FuncOp body, const AttentionGradInfo& info,
                     AttentionScores& scores, Value row)
    : b_(b), info_(info), scores_(scores), row_(row), limit_(scores.Limit(row)) {
  const double infinity = std::numeric_limits<double>::infinity();
  Value lse = LoadElement(b, body, info.lse, {scores.batch(), scores.head(), row});
  // exp(score - infinity) is 0.
  Value none = b.Compare(arith::CmpFPredicate::OEQ, lse, b.Constant(b.F32(), -infinity));
  shift_ = b.Select(none, b.Constant(b.F32(), infinity), lse);
  Value head = b.Add(b.Mul(scores.batch(), info.H), scores.head());
  delta_ = b.Load(Delta(b, info), b.Add(b.Mul(head, info.T), row));
  if (info.dropout > 0) dropout_ = scores.DropoutRow(row);
}

SmallVector<QueryGrad::Key> QueryGrad::Keys(Value key, ArrayRef<Value> products,
                                            ArrayRef<Value> dweights) {
  SmallVector<Value> factors;
  if (info_.dropout > 0)
    factors = scores_.DropoutFactors(dropout_, key, static_cast<int64_t>(products.size()));
  SmallVector<Key> keys;
  for (size_t i = 0; i < products.size(); ++i) {
    Value score = scores_.Masked(products[i], row_, b_.Add(key, static_cast<int64_t>(i)), limit_);
    Value p = codegen::Exp(b_, b_.Sub(score, shift_));
    Value dp = factors.empty() ? dweights[i] : b_.Mul(dweights[i], factors[i]);
    keys.push_back({factors.empty() ? p : b_.Mul(p, factors[i]), b_.Mul(p, b_.Sub(dp, delta_))});
  }
  return keys;
}

namespace {
absl::StatusOr<Kernel> EmitAttentionGrad(mlir::func::FuncOp body, mlir::ModuleOp module,
                                         const Target& target) {
  auto op = codegen::FindAnchor<AttentionGradOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(AttentionInfo operands, codegen::InfoOf(op));
  AttentionGradInfo info;
  static_cast<AttentionInfo&>(info) = std::move(operands);
  TRAMA_ASSIGN_OR_RETURN(info.grad, codegen::ReadAccess(op.getGrad()));
  TRAMA_ASSIGN_OR_RETURN(info.y, codegen::ReadAccess(op.getY()));
  TRAMA_ASSIGN_OR_RETURN(info.lse, codegen::ReadAccess(op.getLse()));
  TRAMA_ASSIGN_OR_RETURN(auto outputs, codegen::OutputsOf(body, op->getResults()));
  info.dq = std::move(outputs[0]), info.dk = std::move(outputs[1]), info.dv = std::move(outputs[2]);
  Kernel kernel;
  TRAMA_RETURN_IF_ERROR(EmitDelta(body, module, info, target, kernel));
  const GradTiles tiles = PlanGradTiles(info, target);
  TRAMA_RETURN_IF_ERROR(tiles.fits() ? EmitGradByTiles(body, module, info, tiles, target, kernel)
                                     : EmitGradByRows(body, module, info, target, kernel));
  return kernel;
}
}  // namespace

TRAMA_VULKAN_KERNEL("attention_grad", EmitAttentionGrad);

}  // namespace trama::vulkan
