#include "passes/support/match.h"

#include <cmath>

#include "ir/fold_util.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/RegionUtils.h"

namespace trama {
namespace {

using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

constexpr int64_t kNone = -1;  // a dimension along which a value does not vary

// For each dimension of op's result the dimension of the reduction's operand that runs along it,
// from the same of its operand; nullopt where a view mixes dimensions.
std::optional<SmallVector<int64_t>> AxesThrough(Operation* op, ArrayRef<int64_t> axes) {
  ArrayRef<int64_t> to = ShapeOf(op->getResult(0));
  SmallVector<int64_t> result(to.size(), kNone);
  if (auto transpose = mlir::dyn_cast<TransposeOp>(op)) {
    for (auto [i, p] : llvm::enumerate(transpose.getPermutation())) result[i] = axes[p];
  } else if (mlir::isa<ReshapeOp>(op)) {
    ArrayRef<int64_t> from = ShapeOf(op->getOperand(0));
    if (!SameButOnes(from, to)) return std::nullopt;
    size_t i = 0;
    for (size_t j = 0; j < to.size(); ++j) {
      if (to[j] == 1) continue;
      while (from[i] == 1) ++i;
      result[j] = axes[i++];
    }
  } else {  // broadcasts and pointwise ops add dimensions in front
    llvm::copy(axes, result.end() - axes.size());
  }
  return result;
}

// One step from a value towards the reduction it is made from: the operand to go on with, or null.
Value StepDown(Operation* op) {
  if (mlir::isa<ReshapeOp, BroadcastOp, TransposeOp, SqrtOp, RsqrtOp, NegOp, LogOp>(op))
    return op->getOperand(0);
  if (mlir::isa<AddOp, SubOp, MulOp, DivOp, PowOp>(op)) {
    if (Splat(op->getOperand(1))) return op->getOperand(0);
    if (!mlir::isa<PowOp>(op) && Splat(op->getOperand(0))) return op->getOperand(1);
  }
  return {};
}

bool Scale(Reduced& r, double c) {
  if (r.power == 1 && r.outer == 1) {
    r.inner *= c;
    r.offset *= c;
  } else {
    r.outer *= c;
  }
  return true;
}

bool Raise(Reduced& r, double p) {
  if (r.outer != 1) return false;
  r.power *= p;
  return true;
}

bool Shift(Reduced& r, double c) {
  if (r.power != 1 || r.outer != 1) return false;
  r.offset += c;
  return true;
}

// Adds `op`, a pointwise op with at most one operand that is no constant, to `r`.
bool Apply(Operation* op, Reduced& r) {
  if (mlir::isa<ReshapeOp, BroadcastOp, TransposeOp>(op)) return true;
  if (r.log) return false;
  if (mlir::isa<LogOp>(op)) {
    r.log = r.plain();
    return r.log;
  }
  if (mlir::isa<NegOp>(op)) return Scale(r, -1);
  if (mlir::isa<SqrtOp>(op)) return Raise(r, 0.5);
  if (mlir::isa<RsqrtOp>(op)) return Raise(r, -0.5);
  const std::optional<double> rhs = Splat(op->getOperand(1));
  const double c = rhs ? *rhs : *Splat(op->getOperand(0));
  if (mlir::isa<AddOp>(op)) return Shift(r, c);
  if (mlir::isa<SubOp>(op)) return rhs ? Shift(r, -c) : Scale(r, -1) && Shift(r, c);
  if (mlir::isa<MulOp>(op)) return Scale(r, c);
  if (mlir::isa<PowOp>(op)) return Raise(r, c);
  return rhs ? Scale(r, 1 / c) : Raise(r, -1) && Scale(r, c);  // div
}

std::optional<Reduced> FromReduction(Operation* op) {
  auto read = [&](auto reduction) -> std::optional<Reduced> {
    if (reduction.getDims().size() != 1) return std::nullopt;
    Reduced r;
    r.reduction = op;
    r.x = reduction.getX();
    r.dim = reduction.getDims()[0];
    return r;
  };
  if (auto sum = mlir::dyn_cast<SumOp>(op)) return read(sum);
  if (auto mean = mlir::dyn_cast<MeanOp>(op)) return read(mean);
  if (auto max = mlir::dyn_cast<ReduceMaxOp>(op)) return read(max);
  return std::nullopt;
}

// v, of these axes, lies in x's shape as x's own dimensions do, but for the reduced one.
bool Aligned(ArrayRef<int64_t> axes, const Reduced& r) {
  ArrayRef<int64_t> shape = ShapeOf(r.x);
  if (axes.size() > shape.size()) return false;
  const int64_t shift = shape.size() - axes.size();
  for (int64_t i = 0, rank = shape.size(); i < rank; ++i) {
    if (shape[i] == 1) continue;
    const int64_t axis = i < shift ? kNone : axes[i - shift];
    if (axis != (i == r.dim ? kNone : i)) return false;
  }
  return true;
}

void Multiply(Value v, bool inverted, int depth, Product& product) {
  constexpr int kMaxDepth = 16;
  if (std::optional<double> c = Splat(v)) {
    product.constant *= inverted ? 1 / *c : *c;
    return;
  }
  Operation* op = v.getDefiningOp();
  if (op && depth < kMaxDepth) {
    if (mlir::isa<MulOp, DivOp>(op)) {
      Multiply(op->getOperand(0), inverted, depth + 1, product);
      Multiply(op->getOperand(1), inverted != mlir::isa<DivOp>(op), depth + 1, product);
      return;
    }
    if (mlir::isa<NegOp>(op)) {
      product.constant *= -1;
      Multiply(op->getOperand(0), inverted, depth + 1, product);
      return;
    }
    if (mlir::isa<BroadcastOp>(op))
      return Multiply(op->getOperand(0), inverted, depth + 1, product);
  }
  (inverted ? product.under : product.over).push_back(v);
}

}  // namespace

std::optional<double> Splat(Value v) {
  while (Operation* op = v.getDefiningOp()) {
    if (auto constant = mlir::dyn_cast<ConstantOp>(op)) return SplatValue(constant.getValueAttr());
    const bool moves = op->hasTrait<OpTrait::View>();
    const bool casts = mlir::isa<CastOp>(op) && IsFloat(v) && IsFloat(op->getOperand(0));
    if (!moves && !casts) return std::nullopt;
    v = op->getOperand(0);
  }
  return std::nullopt;
}

bool NearlyEqual(double a, double b, mlir::Type element) {
  const double tolerance = element.isBF16() ? 4e-3 : element.isF16() ? 1e-3 : 1e-6;
  return std::abs(a - b) <= tolerance * std::abs(b);
}

bool SameButOnes(ArrayRef<int64_t> x, ArrayRef<int64_t> y) {
  auto significant = [](ArrayRef<int64_t> shape) {
    SmallVector<int64_t> sizes(shape);
    llvm::erase(sizes, 1);
    return sizes;
  };
  return significant(x) == significant(y);
}

Value SkipBroadcasts(Value v) {
  while (Operation* op = v.getDefiningOp()) {
    const bool ones =
        mlir::isa<ReshapeOp>(op) && SameButOnes(ShapeOf(op->getOperand(0)), ShapeOf(v));
    if (!ones && !mlir::isa<BroadcastOp>(op)) break;
    v = op->getOperand(0);
  }
  return v;
}

Value PeelBroadcasts(Value v) {
  while (auto broadcast = v.getDefiningOp<BroadcastOp>()) v = broadcast.getX();
  return v;
}

Value SkipViews(Value v, llvm::SmallVectorImpl<Operation*>& views) {
  while (Operation* op = v.getDefiningOp()) {
    if (!mlir::isa<ReshapeOp, BroadcastOp, TransposeOp>(op)) break;
    views.push_back(op);
    v = op->getOperand(0);
  }
  return v;
}

std::optional<Reduced> ReadReduced(Value v, ArrayRef<Operation*> views) {
  SmallVector<Operation*, 8> path(views);  // down to the reduction
  std::optional<Reduced> r;
  for (Operation* op = v.getDefiningOp(); op;) {
    if ((r = FromReduction(op))) break;
    Value next = StepDown(op);
    if (!next) return std::nullopt;
    path.push_back(op);
    op = next.getDefiningOp();
  }
  if (!r) return std::nullopt;

  SmallVector<int64_t> axes;
  const bool keepdim = ShapeOf(r->reduction->getResult(0)).size() == ShapeOf(r->x).size();
  for (int64_t i = 0, rank = ShapeOf(r->x).size(); i < rank; ++i) {
    if (i != r->dim) axes.push_back(i);
    if (i == r->dim && keepdim) axes.push_back(kNone);
  }
  for (Operation* op : llvm::reverse(path)) {
    if (!Apply(op, *r)) return std::nullopt;
    auto next = AxesThrough(op, axes);
    if (!next) return std::nullopt;
    axes = *std::move(next);
  }
  return Aligned(axes, *r) ? r : std::nullopt;
}

Product ReadProduct(Value v) {
  Product product;
  Multiply(v, /*inverted=*/false, 0, product);
  return product;
}

void Tidy(Operation* root) {
  mlir::IRRewriter rewriter(root->getContext());
  (void)mlir::runRegionDCE(rewriter, root->getRegions());
  mlir::DominanceInfo dominance(root);
  mlir::eliminateCommonSubExpressions(rewriter, dominance, root);
}

}  // namespace trama
