// Softmax and log-softmax, however the user wrote them out.
//
// The raised ops subtract the maximum, so where exp(x) overflowed they give the true value, and a
// row of -inf alone gives zeros instead of NaN.
#include "ir/fold_util.h"
#include "passes/passes.h"
#include "passes/support/remarks.h"
#include "passes/support/rewrite.h"

namespace trama {
#define GEN_PASS_DEF_RAISESOFTMAX
#include "passes/passes.h.inc"
namespace {

using llvm::LogicalResult;
using mlir::OpRewritePattern;
using mlir::PatternRewriter;
using mlir::Value;

constexpr llvm::StringLiteral kPass = "raise-softmax";

// x of z = x - max(x) along `dim`; z itself where it is not of this form. Softmax does not change
// when the same number is taken from all of a row.
Value WithoutMax(Value z, int64_t dim) {
  auto sub = z.getDefiningOp<SubOp>();
  if (!sub || sub.getLhs().getType() != z.getType()) return z;
  auto max = ReadReduced(sub.getRhs());
  const bool along = max && max->plain() && mlir::isa<ReduceMaxOp>(max->reduction) &&
                     max->dim == dim && max->x == sub.getLhs();
  return along ? sub.getLhs() : z;
}

// `sum` as the sum of exp(z) for a z to be found, along one dimension.
struct ExpSum {
  Value z;
  int64_t dim;
};
std::optional<ExpSum> ReadExpSum(const Reduced& r) {
  auto exp = r.x.getDefiningOp<ExpOp>();
  if (!exp || !mlir::isa<SumOp>(r.reduction)) return std::nullopt;
  return ExpSum{exp.getX(), r.dim};
}

// exp(z) / sum(exp(z)), `power` the exponent that the sum must have.
LogicalResult RaiseQuotient(mlir::Operation* op, Value numerator, Value denominator, double power,
                            PatternRewriter& rw) {
  auto exp = SkipBroadcasts(numerator).getDefiningOp<ExpOp>();
  if (!exp || exp.getType() != op->getResult(0).getType())
    return rw.notifyMatchFailure(op, "the numerator is not exp(z)");
  auto reduced = ReadReduced(denominator);
  if (!reduced) {
    if (auto sum = SkipBroadcasts(denominator).getDefiningOp<SumOp>();
        sum && sum.getX() == exp.getY())
      NotFused(op, kPass,
               "the sum does not run over one dimension that the quotient repeats it along");
    return rw.notifyMatchFailure(op, "the denominator is not a sum over one dimension");
  }
  auto sum = ReadExpSum(*reduced);
  if (!sum) return rw.notifyMatchFailure(op, "the denominator is not the sum of an exp");
  if (reduced->x != exp.getY()) {
    NotFused(op, kPass, "the sum is that of another tensor's exp");
    return rw.notifyMatchFailure(op, "the sum is that of another tensor");
  }
  if (reduced->inner != 1 || reduced->outer != 1 || reduced->offset != 0 ||
      reduced->power != power || reduced->log) {
    NotFused(op, kPass, "the sum is scaled, shifted or raised to a power");
    return rw.notifyMatchFailure(op, "not the plain sum");
  }
  rw.replaceOpWithNewOp<SoftmaxOp>(op, WithoutMax(sum->z, sum->dim), sum->dim);
  return mlir::success();
}

struct RaiseDiv : OpRewritePattern<DivOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DivOp div, PatternRewriter& rw) const override {
    return RaiseQuotient(div, div.getLhs(), div.getRhs(), /*power=*/1, rw);
  }
};

// exp(z) * (1 / sum(exp(z)))
struct RaiseMul : OpRewritePattern<MulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MulOp mul, PatternRewriter& rw) const override {
    Value l = mul.getLhs(), r = mul.getRhs();
    if (!SkipBroadcasts(l).getDefiningOp<ExpOp>()) std::swap(l, r);
    return RaiseQuotient(mul, l, r, /*power=*/-1, rw);
  }
};

// z - log(sum(exp(z))), and x - (max(x) + log(sum(exp(x - max(x))))).
struct RaiseLogSoftmax : OpRewritePattern<SubOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SubOp sub, PatternRewriter& rw) const override {
    Value x = sub.getLhs();
    if (x.getType() != sub.getType()) return rw.notifyMatchFailure(sub, "z is broadcast");
    if (auto lse = ReadLogSumExp(sub.getRhs(), {})) {
      if (lse->z == x) return Replace(sub, *lse, rw);
      NotFused(sub, kPass, "the log of the sum is that of another tensor's exp");
      return rw.notifyMatchFailure(sub, "another tensor");
    }
    llvm::SmallVector<mlir::Operation*> views;
    auto add = SkipViews(sub.getRhs(), views).getDefiningOp<AddOp>();
    if (!add) return rw.notifyMatchFailure(sub, "not z - log(sum(exp(z)))");
    for (auto [l, r] : {std::pair(add.getLhs(), add.getRhs()), {add.getRhs(), add.getLhs()}}) {
      auto lse = ReadLogSumExp(r, views);
      auto max = ReadReduced(l, views);
      if (lse && max && max->plain() && mlir::isa<ReduceMaxOp>(max->reduction) && max->x == x &&
          max->dim == lse->dim && WithoutMax(lse->z, lse->dim) == x)
        return Replace(sub, *lse, rw);
    }
    return rw.notifyMatchFailure(sub, "not x - (max + log(sum(exp(x - max))))");
  }
  static std::optional<ExpSum> ReadLogSumExp(Value v, llvm::ArrayRef<mlir::Operation*> views) {
    auto reduced = ReadReduced(v, views);
    return reduced && reduced->log ? ReadExpSum(*reduced) : std::nullopt;
  }
  static LogicalResult Replace(SubOp sub, const ExpSum& lse, PatternRewriter& rw) {
    rw.replaceOpWithNewOp<LogSoftmaxOp>(sub, WithoutMax(lse.z, lse.dim), lse.dim);
    return mlir::success();
  }
};

struct RaiseLogOfSoftmax : OpRewritePattern<LogOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LogOp log, PatternRewriter& rw) const override {
    auto softmax = log.getX().getDefiningOp<SoftmaxOp>();
    if (!softmax) return rw.notifyMatchFailure(log, "not log(softmax(x))");
    rw.replaceOpWithNewOp<LogSoftmaxOp>(log, softmax.getX(), softmax.getDim());
    return mlir::success();
  }
};

struct RaiseExpOfLogSoftmax : OpRewritePattern<ExpOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ExpOp exp, PatternRewriter& rw) const override {
    auto log = exp.getX().getDefiningOp<LogSoftmaxOp>();
    if (!log) return rw.notifyMatchFailure(exp, "not exp(log_softmax(x))");
    rw.replaceOpWithNewOp<SoftmaxOp>(exp, log.getX(), log.getDim());
    return mlir::success();
  }
};

struct RaiseSoftmax : impl::RaiseSoftmaxBase<RaiseSoftmax> {
  void runOnOperation() override {
    RewriteOnce<RaiseDiv, RaiseMul, RaiseLogSoftmax, RaiseLogOfSoftmax, RaiseExpOfLogSoftmax>(
        getOperation());
  }
};

}  // namespace
}  // namespace trama
