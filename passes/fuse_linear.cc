// Affine maps become trama.linear: matmul with a weight of two dimensions, plus a bias along the
// last dimension, and the activation of it where the program is not differentiated (the derivative
// of an activation needs what it was applied to, so autodiff would take the two apart again).
//
// Linear maps of one input (Q, K, V) with different parameters are left as they are: joining them
// means concatenating the weights in every step and their gradients' split after it, which costs
// more than the input's second and third reading from the cache: three products of 768 columns run
// as fast as one of 2304 (docs/performance.md). Where the weights are adjacent slices of one
// parameter, one map of the whole parameter followed by slices of its result computes the same
// without a copy, and that is done.
#include "ir/builder_util.h"
#include "mlir/IR/Dominance.h"
#include "passes/passes.h"
#include "passes/support/remarks.h"
#include "passes/support/rewrite.h"

namespace trama {
#define GEN_PASS_DEF_FUSELINEAR
#include "passes/passes.h.inc"
namespace {

using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::Operation;
using mlir::OpRewritePattern;
using mlir::PatternRewriter;
using mlir::Value;

constexpr llvm::StringLiteral kPass = "fuse-linear";

// The matrix that is given to the program and not computed by it, a parameter, of which v is a
// view; null otherwise.
Value WeightBehind(Value v) {
  if (TypeOf(v).getRank() != 2) return {};
  while (Operation* op = v.getDefiningOp()) {
    if (mlir::isa<ConstantOp>(op)) return v;
    if (!mlir::isa<ReshapeOp, TransposeOp, SliceOp, CastOp>(op)) return {};
    v = op->getOperand(0);
  }
  return v;
}
bool IsWeight(Value v) { return WeightBehind(v) != nullptr; }

// The matmul with a weight that `v` is, used by `user` alone.
MatmulOp WeightedBy(Value v, Operation* user) {
  auto matmul = v.getDefiningOp<MatmulOp>();
  const bool fits = matmul && !matmul.getTransposeLhs() && IsWeight(matmul.getRhs()) &&
                    v.getType() == user->getResult(0).getType();
  return fits ? matmul : MatmulOp();
}

// v as a vector along the last dimension of size n that all `rows` of the sum share, seen through
// broadcasts; null otherwise. The only row of a batch is no such vector: it is a residual.
Value AsBias(Value v, int64_t n, int64_t rows) {
  v = SkipBroadcasts(v);
  llvm::ArrayRef<int64_t> shape = ShapeOf(v);
  const bool vector = !shape.empty() && shape.back() == n && TypeOf(v).getNumElements() == n;
  return vector && (rows > 1 || shape.size() == 1) ? v : Value();
}

struct FuseBias : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp add, PatternRewriter& rw) const override {
    for (int i : {0, 1}) {
      auto matmul = WeightedBy(add->getOperand(i), add);
      if (!matmul) continue;
      const int64_t n = ShapeOf(matmul.getY()).back();
      Value bias = AsBias(add->getOperand(1 - i), n, TypeOf(matmul.getY()).getNumElements() / n);
      if (!bias) continue;
      if (!matmul->hasOneUse()) {
        NotFused(add, kPass, "the product is used without the bias too");
        continue;
      }
      rw.replaceOpWithNewOp<LinearOp>(add, matmul.getLhs(), matmul.getRhs(),
                                      Emitter(rw, add.getLoc()).Reshape(bias, {n}),
                                      matmul.getTransposeRhs(), Activation::none);
      return mlir::success();
    }
    return rw.notifyMatchFailure(add, "not a product with a weight plus a vector");
  }
};

std::optional<Activation> ActivationOf(Operation* op) {
  if (mlir::isa<ReluOp>(op)) return Activation::relu;
  if (mlir::isa<TanhOp>(op)) return Activation::tanh;
  if (mlir::isa<SigmoidOp>(op)) return Activation::sigmoid;
  if (auto gelu = mlir::dyn_cast<GeluOp>(op))
    return gelu.getTanh() ? Activation::gelu_tanh : Activation::gelu;
  return std::nullopt;
}

template <typename Op>
struct FuseActivation : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter& rw) const override {
    const std::optional<Activation> activation = ActivationOf(op);
    auto func = op->template getParentOfType<mlir::func::FuncOp>();
    if (!func || func->hasAttr(kDifferentiateAttr))
      return rw.notifyMatchFailure(op, "the program is differentiated");
    auto linear = op.getX().template getDefiningOp<LinearOp>();
    MatmulOp matmul = WeightedBy(op.getX(), op);
    if (!matmul && (!linear || linear.getActivation() != Activation::none))
      return rw.notifyMatchFailure(op, "not the activation of an affine map");
    if (!op.getX().hasOneUse()) {
      NotFused(op, kPass, "what the activation is applied to is used elsewhere too");
      return rw.notifyMatchFailure(op, "used elsewhere");
    }
    if (linear) {
      rw.replaceOpWithNewOp<LinearOp>(op, linear.getX(), linear.getWeight(), linear.getBias(),
                                      linear.getTransposeWeight(), *activation);
    } else {
      rw.replaceOpWithNewOp<LinearOp>(op, matmul.getLhs(), matmul.getRhs(), Value(),
                                      matmul.getTransposeRhs(), *activation);
    }
    return mlir::success();
  }
};

// A product x * slice(weight) along the weight's output dimension.
struct Part {
  MatmulOp matmul;
  int64_t start, size;
};

// Products of one x with slices that cover a weight's output dimension become one product.
void JoinSlices(mlir::func::FuncOp func) {
  // Keyed by x, the whole weight and its orientation, in program order.
  llvm::MapVector<std::pair<Value, std::pair<Value, int>>, SmallVector<Part>> groups;
  func.walk([&](MatmulOp matmul) {
    auto slice = matmul.getRhs().getDefiningOp<SliceOp>();
    if (!slice || matmul.getTransposeLhs() || !IsWeight(slice.getX())) return;
    const int64_t out = matmul.getTransposeRhs() ? 0 : 1;
    llvm::ArrayRef<int64_t> from = ShapeOf(slice.getX()), to = ShapeOf(slice.getY());
    if (from[1 - out] != to[1 - out] || slice.getStrides()[out] != 1) return;
    groups[{matmul.getLhs(), {slice.getX(), matmul.getTransposeRhs()}}].push_back(
        {matmul, slice.getStarts()[out], to[out]});
  });
  mlir::IRRewriter rw(func.getContext());
  for (auto& [key, parts] : groups) {
    const auto& [weight, transposed] = key.second;
    llvm::sort(parts, [](const Part& a, const Part& b) { return a.start < b.start; });
    int64_t end = 0;
    bool adjacent = parts.size() > 1;
    for (const Part& part : parts) {
      adjacent &= part.start == end;
      end = part.start + part.size;
    }
    if (!adjacent || end != ShapeOf(weight)[transposed ? 0 : 1]) {
      if (parts.size() > 1)
        NotFused(parts[0].matmul, kPass, "the slices of the weight do not cover it side by side");
      continue;
    }
    Operation* first = llvm::min_element(parts, [](const Part& a, const Part& b) {
                         return a.matmul->isBeforeInBlock(b.matmul);
                       })->matmul;
    // The weight is a parameter or a view of one; as a view it need not stand before the first.
    mlir::DominanceInfo dominance(func);
    if (!dominance.properlyDominates(weight, first)) continue;
    rw.setInsertionPoint(first);
    Value whole = MatmulOp::create(rw, first->getLoc(), key.first, weight, false, transposed);
    for (Part& part : parts) {
      SmallVector<int64_t> starts(TypeOf(whole).getRank(), 0), strides(starts.size(), 1);
      starts.back() = part.start;
      rw.replaceOpWithNewOp<SliceOp>(part.matmul, part.matmul.getType(), whole, starts, strides);
    }
  }
}

// Says where products of one input stay apart because their weights are separate parameters.
void RemarkSeparateWeights(mlir::func::FuncOp func) {
  llvm::MapVector<Value, SmallVector<MatmulOp>> products;  // by their input
  func.walk([&](MatmulOp matmul) {
    if (!matmul.getTransposeLhs() && IsWeight(matmul.getRhs()))
      products[matmul.getLhs()].push_back(matmul);
  });
  for (auto& [input, matmuls] : products) {
    llvm::SmallDenseSet<Value> weights;
    for (MatmulOp matmul : matmuls) weights.insert(WeightBehind(matmul.getRhs()));
    if (weights.size() > 1)
      NotFused(matmuls[0], kPass,
               "the input is multiplied by " + llvm::Twine(weights.size()) +
                   " separate parameters: joining them would copy them in every step");
  }
}

struct FuseLinear : impl::FuseLinearBase<FuseLinear> {
  void runOnOperation() override {
    Tidy(getOperation());
    getOperation().walk([](mlir::func::FuncOp func) {
      JoinSlices(func);
      RemarkSeparateWeights(func);
    });
    RewriteOnce<FuseBias, FuseActivation<ReluOp>, FuseActivation<GeluOp>, FuseActivation<TanhOp>,
                FuseActivation<SigmoidOp>>(getOperation());
  }
};

}  // namespace
}  // namespace trama
