// The canonicalisations of the ops and those of several ops together, common subexpressions and
// dead code, until nothing changes. No rewrite makes a program larger.
#include "ir/builder_util.h"
#include "ir/fold_util.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/passes.h"
#include "passes/support/match.h"

namespace trama {
#define GEN_PASS_DEF_SIMPLIFY
#include "passes/passes.h.inc"
namespace {

using llvm::ArrayRef;
using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::Operation;
using mlir::OpRewritePattern;
using mlir::PatternRewriter;
using mlir::Value;

// Pointwise ops whose operands broadcast to the result's shape by themselves.
bool BroadcastsOperands(Operation* op) {
  return mlir::isa<AddOp, SubOp, MulOp, DivOp, PowOp, MaxOp, MinOp, AndOp, OrOp, CompareOp,
                   SelectOp>(op);
}

// Whether operand i of `op` may have `shape` without changing the result's shape.
bool MayHaveShape(Operation* op, unsigned i, ArrayRef<int64_t> shape) {
  SmallVector<ArrayRef<int64_t>> shapes;
  for (auto [j, operand] : llvm::enumerate(op->getOperands()))
    shapes.push_back(j == i ? shape : ShapeOf(operand));
  auto joined = BroadcastShapes(shapes);
  return joined && ArrayRef<int64_t>(*joined) == ShapeOf(op->getResult(0));
}

// op(broadcast(x), y) = op(x, y), and a splat constant as a scalar.
struct NarrowOperand : mlir::RewritePattern {
  explicit NarrowOperand(mlir::MLIRContext* ctx)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, ctx) {}
  LogicalResult matchAndRewrite(Operation* op, PatternRewriter& rw) const override {
    if (!BroadcastsOperands(op)) return rw.notifyMatchFailure(op, "does not broadcast");
    for (unsigned i = 0; i < op->getNumOperands(); ++i) {
      Value operand = op->getOperand(i), narrow;
      if (auto broadcast = operand.getDefiningOp<BroadcastOp>()) {
        narrow = broadcast.getX();
      } else if (auto constant = operand.getDefiningOp<ConstantOp>()) {
        auto splat = mlir::dyn_cast<mlir::SplatElementsAttr>(constant.getValue());
        if (!splat || TypeOf(operand).getRank() == 0 || !MayHaveShape(op, i, {})) continue;
        auto scalar = mlir::RankedTensorType::get({}, ElementOf(operand));
        narrow = ConstantOp::create(rw, constant.getLoc(), splat.resizeSplat(scalar));
      }
      if (!narrow || !MayHaveShape(op, i, ShapeOf(narrow))) continue;
      rw.modifyOpInPlace(op, [&] { op->setOperand(i, narrow); });
      return mlir::success();
    }
    return rw.notifyMatchFailure(op, "no operand is wider than it must be");
  }
};

// (x * a) * b = x * (a b), and the same with divisions. Not for integers, whose division rounds.
template <typename Op>
struct MergeFactors : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter& rw) const override {
    const std::optional<double> outer = SplatValue(op.getRhs());
    Operation* inner = op.getLhs().getDefiningOp();
    if (!outer || !IsFloat(op.getY()) || !inner || !mlir::isa<MulOp, DivOp>(inner) ||
        !inner->hasOneUse() || op.getLhs().getType() != op.getType())
      return rw.notifyMatchFailure(op, "not a product with two constants");
    const std::optional<double> factor = SplatValue(inner->getOperand(1));
    if (!factor || inner->getOperand(0).getType() != op.getType())
      return rw.notifyMatchFailure(op, "not a product with two constants");
    const bool divides = mlir::isa<DivOp>(op), inner_divides = mlir::isa<DivOp>(inner);
    Emitter e(rw, op.getLoc());
    Value x = inner->getOperand(0);
    if (divides && inner_divides) {
      rw.replaceOp(op, e.Div(x, *factor * *outer));
    } else {
      rw.replaceOp(
          op, e.Mul(x, (inner_divides ? 1 / *factor : *factor) * (divides ? 1 / *outer : *outer)));
    }
    return mlir::success();
  }
};

// What a sum of pads adds up, leaves in order; false where something else is in it.
bool CollectPads(Value v, llvm::SmallVectorImpl<PadOp>& pads) {
  if (auto pad = v.getDefiningOp<PadOp>()) {
    pads.push_back(pad);
    return true;
  }
  auto add = v.getDefiningOp<AddOp>();
  return add && add->hasOneUse() && add.getLhs().getType() == v.getType() &&
         add.getRhs().getType() == v.getType() && CollectPads(add.getLhs(), pads) &&
         CollectPads(add.getRhs(), pads);
}

// The one dimension along which a pad adds zeros, by stride 1; nullopt for others.
std::optional<int64_t> PaddedDim(PadOp pad) {
  std::optional<int64_t> dim;
  for (auto [d, size] : llvm::enumerate(pad.getType().getShape())) {
    if (ShapeOf(pad.getX())[d] == size) continue;
    if (dim || pad.getStrides()[d] != 1) return std::nullopt;
    dim = d;
  }
  return dim;
}

// pad(a) + pad(b) + ... = concat(a, b, ...) where the parts cover the result and do not overlap:
// the gradient of chunk.
struct SumOfPads : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op, PatternRewriter& rw) const override {
    SmallVector<PadOp> pads;
    if (op.getLhs().getType() != op.getType() || op.getRhs().getType() != op.getType() ||
        !CollectPads(op.getLhs(), pads) || !CollectPads(op.getRhs(), pads))
      return rw.notifyMatchFailure(op, "not a sum of pads");
    const std::optional<int64_t> dim = PaddedDim(pads.front());
    if (!dim || llvm::any_of(pads, [&](PadOp pad) { return PaddedDim(pad) != dim; }))
      return rw.notifyMatchFailure(op, "the pads do not lie along one dimension");
    // Of two that start at one place, an empty one comes first.
    auto range = [&](PadOp pad) {
      return std::pair(pad.getStarts()[*dim], ShapeOf(pad.getX())[*dim]);
    };
    llvm::sort(pads, [&](PadOp a, PadOp b) { return range(a) < range(b); });
    int64_t end = 0;
    SmallVector<Value> parts;
    for (PadOp pad : pads) {
      if (pad.getStarts()[*dim] != end) return rw.notifyMatchFailure(op, "a gap or an overlap");
      end += ShapeOf(pad.getX())[*dim];
      parts.push_back(pad.getX());
    }
    if (end != op.getType().getDimSize(*dim)) return rw.notifyMatchFailure(op, "a gap at the end");
    rw.replaceOpWithNewOp<ConcatOp>(op, parts, *dim);
    return mlir::success();
  }
};

// The sum of what a broadcast repeats is a product; the dimensions that it does not repeat are
// summed before.
struct SumOfBroadcast : OpRewritePattern<SumOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SumOp op, PatternRewriter& rw) const override {
    auto broadcast = op.getX().getDefiningOp<BroadcastOp>();
    if (!broadcast || !broadcast->hasOneUse() || !IsFloat(op.getY()))
      return rw.notifyMatchFailure(op, "not the sum of a broadcast");
    ArrayRef<int64_t> from = broadcast.getX().getType().getShape(),
                      to = broadcast.getType().getShape();
    const int64_t added = to.size() - from.size();
    double count = 1;
    for (int64_t dim : op.getDims()) {
      if (dim >= added && to[dim] != 1 && from[dim - added] == to[dim])
        return rw.notifyMatchFailure(op, "a summed dimension is not repeated");
      count *= to[dim];
    }
    // Of x's dimensions those go that are summed, all of size 1; what else was repeated stays so.
    SmallVector<int64_t> shape, repeated;
    for (int64_t i = 0; i < static_cast<int64_t>(to.size()); ++i) {
      const bool summed = llvm::is_contained(op.getDims(), i);
      if (summed && !op.getKeepdim()) continue;
      shape.push_back(i < added || summed ? 1 : from[i - added]);
      repeated.push_back(summed ? 1 : to[i]);
    }
    if (ArrayRef<int64_t>(shape) != from && shape != repeated)
      return rw.notifyMatchFailure(op, "more ops than before");
    Emitter e(rw, op.getLoc());
    Value x = e.Mul(broadcast.getX(), count);
    rw.replaceOp(op, e.Broadcast(e.Reshape(x, shape), repeated));
    return mlir::success();
  }
};

// Pointwise on transposes of one permutation: the transpose of the pointwise op. Scalars stay.
// With one transpose only where another follows, so that the two meet.
struct SinkTranspose : mlir::RewritePattern {
  explicit SinkTranspose(mlir::MLIRContext* ctx)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, ctx) {}
  LogicalResult matchAndRewrite(Operation* op, PatternRewriter& rw) const override {
    if (!op->hasTrait<trama::OpTrait::Pointwise>() || op->getNumOperands() == 0 ||
        op->getNumResults() != 1)
      return rw.notifyMatchFailure(op, "not pointwise");
    TransposeOp first;
    int transposes = 0;
    for (Value operand : op->getOperands()) {
      if (TypeOf(operand).getRank() == 0) continue;
      auto transpose = operand.getDefiningOp<TransposeOp>();
      if (!transpose || ShapeOf(operand) != ShapeOf(op->getResult(0)) ||
          llvm::any_of(operand.getUsers(), [&](Operation* user) { return user != op; }) ||
          (first && transpose.getPermutation() != first.getPermutation()))
        return rw.notifyMatchFailure(op, "an operand is no transpose of the same permutation");
      if (!first || transpose != first) ++transposes;
      first = transpose;
    }
    const bool meets = first && op->hasOneUse() && mlir::isa<TransposeOp>(*op->user_begin());
    if (!first || (transposes < 2 && !meets))
      return rw.notifyMatchFailure(op, "no transpose would go");
    SmallVector<int64_t> permutation(first.getPermutation());
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      auto transpose = operand.getDefiningOp<TransposeOp>();
      operands.push_back(transpose ? transpose.getX() : operand);
    }
    auto type = mlir::RankedTensorType::get(ShapeOf(first.getX()), ElementOf(op->getResult(0)));
    Operation* moved = rw.clone(*op);
    moved->setOperands(operands);
    moved->getResult(0).setType(type);
    rw.replaceOpWithNewOp<TransposeOp>(op, moved->getResult(0), permutation);
    return mlir::success();
  }
};

// The gradient of the head computes the losses too: a training step asks it for them, which saves
// one of four products. It moves to where the losses are wanted first.
struct LossesOfGradient : OpRewritePattern<LinearCrossEntropyOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LinearCrossEntropyOp op, PatternRewriter& rw) const override {
    LinearCrossEntropyGradOp grad;
    for (Operation* user : op.getX().getUsers())
      if (auto other = mlir::dyn_cast<LinearCrossEntropyGradOp>(user);
          other && other.getX() == op.getX() && other.getWeight() == op.getWeight() &&
          other.getTargets() == op.getTargets() && other.getIgnoreIndex() == op.getIgnoreIndex() &&
          other->getBlock() == op->getBlock())
        grad = other;
    if (!grad) return rw.notifyMatchFailure(op, "no gradient of the same head");
    if (op->isBeforeInBlock(grad)) {
      if (failed(mlir::moveOperationDependencies(rw, grad, op)))
        return rw.notifyMatchFailure(op, "the gradient depends on the losses");
      rw.moveOpBefore(grad, op);
    }
    rw.replaceOp(op, grad.getY());
    return mlir::success();
  }
};

struct Simplify : impl::SimplifyBase<Simplify> {
  LogicalResult initialize(mlir::MLIRContext* ctx) override {
    mlir::RewritePatternSet patterns(ctx);
    for (mlir::RegisteredOperationName name : ctx->getRegisteredOperations())
      if (name.getDialectNamespace() == TramaDialect::getDialectNamespace())
        name.getCanonicalizationPatterns(patterns, ctx);
    patterns.add<NarrowOperand, MergeFactors<MulOp>, MergeFactors<DivOp>, SumOfPads, SumOfBroadcast,
                 SinkTranspose, LossesOfGradient>(ctx);
    patterns_ = std::move(patterns);
    return mlir::success();
  }

  void runOnOperation() override {
    // Merging equal values makes new matches: two transposes of one permutation become one.
    constexpr int kMaxRounds = 4;
    for (int round = 0; round < kMaxRounds; ++round) {
      bool changed = false;
      auto config = mlir::GreedyRewriteConfig().setUseTopDownTraversal(true);
      // Not converging within the driver's limit leaves a program that is right all the same.
      (void)mlir::applyPatternsGreedily(getOperation(), patterns_, config, &changed);
      Tidy(getOperation());
      if (!changed) break;
    }
  }

  mlir::FrozenRewritePatternSet patterns_;
};

}  // namespace
}  // namespace trama
