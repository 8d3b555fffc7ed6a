// The negative log-likelihood of a picked class becomes cross_entropy, which keeps no matrix of
// probabilities. Runs after raise-softmax, which finds the log_softmax.
#include "base/ignore_index.h"
#include "ir/builder_util.h"
#include "passes/passes.h"
#include "passes/support/remarks.h"
#include "passes/support/rewrite.h"

namespace trama {
#define GEN_PASS_DEF_RAISECROSSENTROPY
#include "passes/passes.h.inc"
namespace {

using llvm::LogicalResult;
using mlir::Operation;
using mlir::OpRewritePattern;
using mlir::PatternRewriter;
using mlir::Value;

constexpr llvm::StringLiteral kPass = "raise-cross-entropy";

// One element of each row along the last dimension of `from`, chosen by `targets`, which has one
// element a row in the rows' order.
struct Pick {
  Value from, targets;
};

// v counts 0, 1, .. along the last dimension of `size` and does not vary otherwise.
bool CountsAlongLast(Value v, int64_t size) {
  v = PeelBroadcasts(v);
  if (ShapeOf(v).empty() || ShapeOf(v).back() != size) return false;
  auto iota = SkipBroadcasts(v).getDefiningOp<IotaOp>();
  if (!iota) return false;
  const int64_t rank = iota.getType().getRank();
  return static_cast<int64_t>(iota.getDim()) == rank - 1 && (iota.getY() == v || rank == 1);
}

// The targets of a mask [targets = index along the last dimension] of x's shape.
Value OneHotTargets(Value mask, Value x) {
  auto compare = mask.getDefiningOp<CompareOp>();
  llvm::ArrayRef<int64_t> shape = ShapeOf(x);
  if (!compare || compare.getPredicate() != ComparePredicate::eq ||
      !mlir::isa<mlir::IntegerType>(ElementOf(compare.getLhs())))
    return {};
  const int64_t rows = mlir::ShapedType::getNumElements(shape.drop_back());
  for (auto [t, index] :
       {std::pair(compare.getLhs(), compare.getRhs()), {compare.getRhs(), compare.getLhs()}}) {
    Value targets = PeelBroadcasts(t);
    if (CountsAlongLast(index, shape.back()) && !ShapeOf(targets).empty() &&
        ShapeOf(targets).back() == 1 && TypeOf(targets).getNumElements() == rows)
      return targets;
  }
  return {};
}

// The mask of a one-hot tensor of floats; null otherwise.
Value OneHotMask(Value v) {
  v = PeelBroadcasts(v);
  if (auto cast = v.getDefiningOp<CastOp>()) return cast.getX();
  auto select = v.getDefiningOp<SelectOp>();
  const bool one_hot = select && Splat(select.getOnTrue()) == 1 && Splat(select.getOnFalse()) == 0;
  return one_hot ? select.getCondition() : Value();
}

std::optional<Pick> ReadPick(Value v) {
  if (auto gather = v.getDefiningOp<GatherOp>()) {
    const int64_t last = TypeOf(gather.getX()).getRank() - 1;
    if (static_cast<int64_t>(gather.getDim()) != last || ShapeOf(gather.getIndex()).back() != 1)
      return std::nullopt;
    return Pick{gather.getX(), gather.getIndex()};
  }
  auto sum = v.getDefiningOp<SumOp>();
  if (!sum || sum.getDims().size() != 1 || sum.getDims()[0] != TypeOf(sum.getX()).getRank() - 1)
    return std::nullopt;
  Value x, mask;
  if (auto mul = sum.getX().getDefiningOp<MulOp>()) {
    x = mul.getLhs(), mask = OneHotMask(mul.getRhs());
    if (!mask) x = mul.getRhs(), mask = OneHotMask(mul.getLhs());
  } else if (auto select = sum.getX().getDefiningOp<SelectOp>()) {
    if (Splat(select.getOnFalse()) == 0) x = select.getOnTrue(), mask = select.getCondition();
  }
  if (!mask || x.getType() != sum.getX().getType()) return std::nullopt;
  Value targets = OneHotTargets(mask, x);
  return targets ? std::optional(Pick{x, targets}) : std::nullopt;
}

// -cross_entropy(x, targets) in the shape of op's result.
void ReplaceByCrossEntropy(Operation* op, Value x, Value targets, PatternRewriter& rw) {
  Emitter e(rw, op->getLoc());
  Value logits = e.FlattenRows(x);
  // Such a target picks nothing: 0 in both forms.
  auto loss =
      CrossEntropyOp::create(rw, op->getLoc(), logits, e.Reshape(targets, {ShapeOf(logits)[0]}),
                             int64_t{kIgnoreIndex}, llvm::APFloat(0.0));
  rw.replaceOp(op, e.Reshape(e.Neg(loss.getY()), ShapeOf(op->getResult(0))));
}

bool OverLast(Value x, int64_t dim) { return dim == TypeOf(x).getRank() - 1; }

// pick(log_softmax(x))
template <typename Op>
struct RaisePick : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter& rw) const override {
    auto pick = ReadPick(op.getResult());
    if (!pick) {
      if constexpr (std::is_same_v<Op, GatherOp>) {
        if (op.getX().template getDefiningOp<LogSoftmaxOp>())
          NotFused(op, kPass, "the gather does not pick one class of the last dimension");
      }
      return rw.notifyMatchFailure(op, "no pick of one element a row");
    }
    auto log_softmax = pick->from.template getDefiningOp<LogSoftmaxOp>();
    if (!log_softmax) return rw.notifyMatchFailure(op, "what is picked from is no log_softmax");
    if (!OverLast(log_softmax.getX(), log_softmax.getDim())) {
      NotFused(op, kPass, "the log_softmax runs over another dimension than the pick");
      return rw.notifyMatchFailure(op, "another dimension");
    }
    ReplaceByCrossEntropy(op, log_softmax.getX(), pick->targets, rw);
    return mlir::success();
  }
};

// log(pick(softmax(x))), with views in between
struct RaiseLogOfPick : OpRewritePattern<LogOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LogOp log, PatternRewriter& rw) const override {
    Value v = log.getX();
    while (auto reshape = v.getDefiningOp<ReshapeOp>()) v = reshape.getX();
    auto add = v.getDefiningOp<AddOp>();
    const bool shifted = add && Splat(add.getRhs());
    auto pick = ReadPick(shifted ? add.getLhs() : v);
    auto softmax = pick ? pick->from.getDefiningOp<SoftmaxOp>() : SoftmaxOp();
    if (!softmax) return rw.notifyMatchFailure(log, "not log(pick(softmax(x)))");
    if (shifted || !OverLast(softmax.getX(), softmax.getDim())) {
      NotFused(log, kPass,
               shifted ? "a constant is added to the probability"
                       : "the softmax runs over another dimension than the pick");
      return rw.notifyMatchFailure(log, "not the plain probability of the last dimension");
    }
    ReplaceByCrossEntropy(log, softmax.getX(), pick->targets, rw);
    return mlir::success();
  }
};

// v = linear(neg(z)) for linear ops of one use each, down to neg: where the sign can be taken out.
bool HoldsNeg(Value v) {
  Operation* op = v.getDefiningOp();
  if (!op || !op->hasOneUse()) return false;
  if (mlir::isa<NegOp>(op)) return true;
  if (mlir::isa<MulOp>(op) && HoldsNeg(op->getOperand(1))) return true;
  return mlir::isa<SumOp, MeanOp, ReshapeOp, BroadcastOp, MulOp, DivOp>(op) &&
         HoldsNeg(op->getOperand(0));
}

Value WithoutNeg(Value v, PatternRewriter& rw) {
  Operation* op = v.getDefiningOp();
  if (mlir::isa<NegOp>(op)) return op->getOperand(0);
  const int i = HoldsNeg(op->getOperand(0)) ? 0 : 1;
  Value inner = WithoutNeg(op->getOperand(i), rw);
  Operation* clone = rw.clone(*op);
  clone->setOperand(i, inner);
  return clone->getResult(0);
}

// neg(mean(neg(x))) = mean(x), so that a loss ends as it is meant.
struct CancelNeg : OpRewritePattern<NegOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(NegOp neg, PatternRewriter& rw) const override {
    if (!HoldsNeg(neg.getX())) return rw.notifyMatchFailure(neg, "no sign to cancel");
    rw.replaceOp(neg, WithoutNeg(neg.getX(), rw));
    return mlir::success();
  }
};

struct RaiseCrossEntropy : impl::RaiseCrossEntropyBase<RaiseCrossEntropy> {
  void runOnOperation() override {
    RewriteOnce<RaisePick<GatherOp>, RaisePick<SumOp>, RaiseLogOfPick, CancelNeg>(getOperation());
  }
};

}  // namespace
}  // namespace trama
