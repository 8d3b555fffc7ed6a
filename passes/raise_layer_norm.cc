// Layer normalisation, however the user wrote it out.
//
// A product of x - mean(x) and 1 / sqrt(mean((x - mean(x))^2) + eps) with at most one weight along
// the last dimension becomes a layer_norm of weight 1 and bias 0 where it has none; what multiplies
// or is added to such a layer_norm becomes its weight and its bias. E[x^2] - mean^2 loses digits
// and may be negative: it means something else in floating point and is refused.
#include "ir/builder_util.h"
#include "ir/fold_util.h"
#include "passes/passes.h"
#include "passes/support/remarks.h"
#include "passes/support/rewrite.h"

namespace trama {
#define GEN_PASS_DEF_RAISELAYERNORM
#include "passes/passes.h.inc"
namespace {

using llvm::LogicalResult;
using mlir::OpRewritePattern;
using mlir::PatternRewriter;
using mlir::Value;

constexpr llvm::StringLiteral kPass = "raise-layer-norm";

// r = outer * (factor * sum(x) + offset)^power, a mean written as a sum.
double SumFactor(const Reduced& r) {
  return mlir::isa<MeanOp>(r.reduction) ? r.inner / ShapeOf(r.x)[r.dim] : r.inner;
}

bool IsLast(const Reduced& r) { return r.dim == static_cast<int64_t>(ShapeOf(r.x).size()) - 1; }

// x, where v = x - mean(x) over the last dimension; null otherwise.
Value Centered(Value v) {
  mlir::Operation* op = v.getDefiningOp();
  if (!op || !mlir::isa<SubOp, AddOp>(op)) return {};
  for (int i : {0, 1}) {
    if (i == 1 && mlir::isa<SubOp>(op)) break;
    Value x = op->getOperand(i);
    auto mean = ReadReduced(op->getOperand(1 - i));
    if (!mean || mean->x != x || x.getType() != v.getType() || !IsLast(*mean) || mean->log ||
        mlir::isa<ReduceMaxOp>(mean->reduction) || mean->offset != 0 || mean->power != 1 ||
        mean->outer != 1)
      continue;
    const double want = (mlir::isa<SubOp>(op) ? 1.0 : -1.0) / ShapeOf(x).back();
    if (NearlyEqual(SumFactor(*mean), want, ElementOf(x))) return x;
  }
  return {};
}

// c, where v = c^2; null otherwise.
Value SquareRootOf(Value v) {
  if (auto mul = v.getDefiningOp<MulOp>(); mul && mul.getLhs() == mul.getRhs()) return mul.getLhs();
  auto pow = v.getDefiningOp<PowOp>();
  return pow && Splat(pow.getRhs()) == 2 ? pow.getLhs() : Value();
}

// A remark, unless a product around the one that the factor `v` is written in repeats it.
void Refuse(mlir::Operation* product, Value v, const llvm::Twine& why) {
  for (Value operand : product->getOperands())
    if (SkipBroadcasts(operand) == SkipBroadcasts(v)) return NotFused(product, kPass, why);
}

// eps, where v^sign = 1 / sqrt(mean(centered^2) + eps); a remark where it is nearly that.
std::optional<double> ReadInverseDeviation(mlir::Operation* op, Value v, double sign,
                                           Value centered) {
  auto r = ReadReduced(v);
  if (!r || r->log || mlir::isa<ReduceMaxOp>(r->reduction)) return std::nullopt;
  if (SquareRootOf(r->x) != centered || !IsLast(*r)) return std::nullopt;
  const double want = 1.0 / ShapeOf(r->x).back();
  if (r->power != -0.5 * sign || r->outer != 1) {
    Refuse(op, v, "the variance is not under a plain square root");
    return std::nullopt;
  }
  if (!NearlyEqual(SumFactor(*r), want, ElementOf(centered))) {
    Refuse(op, v, "the variance is not divided by the size of the last dimension");
    return std::nullopt;
  }
  if (!(r->offset >= 0)) return std::nullopt;
  return r->offset;
}

// v seen through broadcasts, if that is a vector of `size` along the last dimension; null
// otherwise.
Value AsVector(Value v, int64_t size) {
  v = SkipBroadcasts(v);
  llvm::ArrayRef<int64_t> shape = ShapeOf(v);
  const bool vector =
      !shape.empty() && shape.back() == size && mlir::ShapedType::getNumElements(shape) == size;
  return vector ? v : Value();
}

// Tells the user of the one spelling that is refused for what it computes.
void RemarkMomentVariance(mlir::Operation* op, Value v) {
  constexpr int kMaxDepth = 8;
  Value at = v;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    mlir::Operation* def = at.getDefiningOp();
    if (!def || def->getNumOperands() == 0) return;
    auto sub = mlir::dyn_cast<SubOp>(def);
    if (sub && !Splat(sub.getLhs()) && !Splat(sub.getRhs())) {
      auto moment = ReadReduced(sub.getLhs());
      if (moment && SquareRootOf(moment->x) && SquareRootOf(SkipBroadcasts(sub.getRhs())))
        Refuse(op, v, "the variance is E[x^2] - E[x]^2, which loses digits and may be negative");
      return;
    }
    const bool second = def->getNumOperands() == 2 && Splat(def->getOperand(0));
    at = def->getOperand(second ? 1 : 0);
  }
}

template <typename Op>
struct RaiseProduct : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter& rw) const override {
    const Product product = ReadProduct(op.getResult());
    Value x, centered;
    for (Value v : product.over) {
      if ((x = Centered(v))) {
        centered = v;
        break;
      }
    }
    if (!x) return rw.notifyMatchFailure(op, "no factor is x - mean(x)");
    if (product.constant != 1 || x.getType() != op.getType())
      return rw.notifyMatchFailure(op, "scaled by a constant or broadcast");

    std::optional<double> eps;
    llvm::SmallVector<Value> weights;
    auto classify = [&](Value v, double sign) {
      if (v == centered && sign > 0) return true;
      if (!eps && (eps = ReadInverseDeviation(op, v, sign, centered))) return true;
      if (!eps) RemarkMomentVariance(op, v);
      weights.push_back(v);
      return sign > 0;
    };
    for (Value v : product.over)
      if (!classify(v, 1)) return rw.notifyMatchFailure(op, "divided by something else");
    for (Value v : product.under)
      if (!classify(v, -1)) return rw.notifyMatchFailure(op, "divided by something else");
    if (!eps) return rw.notifyMatchFailure(op, "no factor is 1 / sqrt(variance + eps)");
    if (weights.size() > 1) return rw.notifyMatchFailure(op, "more than one weight");

    const int64_t size = ShapeOf(x).back();
    Value weight = weights.empty() ? Value() : AsVector(weights[0], size);
    if (!weights.empty() && !weight)
      return rw.notifyMatchFailure(op, "the weight is no vector of the last dimension");
    Emitter e(rw, op.getLoc());
    auto vector = mlir::RankedTensorType::get({size}, ElementOf(x));
    weight = weight ? e.Reshape(weight, {size}) : e.Constant(vector, 1);
    rw.replaceOpWithNewOp<LayerNormOp>(op, x, weight, e.Constant(vector, 0), llvm::APFloat(*eps));
    return mlir::success();
  }
};

// The layer_norm that `v` is, if only `user` uses it.
LayerNormOp OnlyUsedBy(Value v, mlir::Operation* user) {
  auto norm = v.getDefiningOp<LayerNormOp>();
  return norm && norm->hasOneUse() && norm.getType() == user->getResult(0).getType()
             ? norm
             : LayerNormOp();
}

struct TakeWeight : OpRewritePattern<MulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MulOp mul, PatternRewriter& rw) const override {
    for (int i : {0, 1}) {
      auto norm = OnlyUsedBy(mul->getOperand(i), mul);
      if (!norm || Splat(norm.getWeight()) != 1 || Splat(norm.getBias()) != 0) continue;
      const int64_t size = ShapeOf(norm.getX()).back();
      Value weight = AsVector(mul->getOperand(1 - i), size);
      if (!weight) continue;
      weight = Emitter(rw, mul.getLoc()).Reshape(weight, {size});
      rw.replaceOpWithNewOp<LayerNormOp>(mul, norm.getX(), weight, norm.getBias(), norm.getEps());
      return mlir::success();
    }
    return rw.notifyMatchFailure(mul, "not a plain layer_norm times a vector");
  }
};

struct TakeBias : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp add, PatternRewriter& rw) const override {
    for (int i : {0, 1}) {
      auto norm = OnlyUsedBy(add->getOperand(i), add);
      if (!norm || Splat(norm.getBias()) != 0) continue;
      const int64_t size = ShapeOf(norm.getX()).back();
      Value bias = AsVector(add->getOperand(1 - i), size);
      if (!bias) continue;
      bias = Emitter(rw, add.getLoc()).Reshape(bias, {size});
      rw.replaceOpWithNewOp<LayerNormOp>(add, norm.getX(), norm.getWeight(), bias, norm.getEps());
      return mlir::success();
    }
    return rw.notifyMatchFailure(add, "not a layer_norm without bias plus a vector");
  }
};

struct RaiseLayerNorm : impl::RaiseLayerNormBase<RaiseLayerNorm> {
  void runOnOperation() override {
    RewriteOnce<RaiseProduct<MulOp>, RaiseProduct<DivOp>, TakeWeight, TakeBias>(getOperation());
  }
};

}  // namespace
}  // namespace trama
