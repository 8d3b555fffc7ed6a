// Pointwise ops of two operands, with broadcasting.
#include <cmath>

#include "ir/builder_util.h"
#include "ir/fold_util.h"

namespace trama {

using mlir::Attribute;
using mlir::OpFoldResult;
using mlir::Value;

namespace {

// x, where `attr` is a splat of `neutral` and x has the result's type already; null otherwise.
Value NeutralFold(Value x, Attribute attr, double neutral, mlir::Type result) {
  return x.getType() == result && SplatValue(attr) == neutral ? x : Value();
}

int64_t Wrap(uint64_t x) { return static_cast<int64_t>(x); }

// op(broadcast(x), y) = op(x, y) where y alone gives the result its shape.
template <typename Op>
struct DropBroadcast : mlir::OpRewritePattern<Op> {
  using mlir::OpRewritePattern<Op>::OpRewritePattern;
  llvm::LogicalResult matchAndRewrite(Op op, mlir::PatternRewriter& rw) const override {
    Value operands[] = {op.getLhs(), op.getRhs()};
    for (int i : {0, 1}) {
      auto broadcast = operands[i].template getDefiningOp<BroadcastOp>();
      if (!broadcast) continue;
      Value x = broadcast.getX(), other = operands[1 - i];
      auto shape = BroadcastShapes({ShapeOf(x), ShapeOf(other)});
      if (!shape || llvm::ArrayRef<int64_t>(*shape) != op.getType().getShape()) continue;
      rw.modifyOpInPlace(op, [&] { op->setOperand(i, x); });
      return llvm::success();
    }
    return rw.notifyMatchFailure(op, "no operand is a broadcast that the op does by itself");
  }
};

}  // namespace

#define TRAMA_INFER_BINARY(Op)                                                                    \
  llvm::LogicalResult Op::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc, \
                                           Adaptor adaptor,                                       \
                                           llvm::SmallVectorImpl<mlir::Type>& results) {          \
    return InferArithmetic<Op>(loc, adaptor, results);                                            \
  }

template <typename Op>
static llvm::LogicalResult InferArithmetic(std::optional<mlir::Location> loc,
                                           typename Op::Adaptor adaptor,
                                           llvm::SmallVectorImpl<mlir::Type>& results) {
  Value lhs = adaptor.getLhs(), rhs = adaptor.getRhs();
  if (ElementOf(lhs) != ElementOf(rhs))
    return InferError<Op>(loc, "element types differ: ", lhs.getType(), ", ", rhs.getType());
  return InferBroadcast<Op>(loc, {lhs, rhs}, ElementOf(lhs), results);
}

TRAMA_INFER_BINARY(AddOp)
TRAMA_INFER_BINARY(SubOp)
TRAMA_INFER_BINARY(MulOp)
TRAMA_INFER_BINARY(DivOp)
TRAMA_INFER_BINARY(PowOp)
TRAMA_INFER_BINARY(MaxOp)
TRAMA_INFER_BINARY(MinOp)
#undef TRAMA_INFER_BINARY

OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (Value x = NeutralFold(getLhs(), adaptor.getRhs(), 0, getType())) return x;
  return FoldBinary(
      adaptor.getLhs(), adaptor.getRhs(), getType(), [](double l, double r) { return l + r; },
      [](int64_t l, int64_t r) { return Wrap(uint64_t(l) + uint64_t(r)); });
}

OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  if (Value x = NeutralFold(getLhs(), adaptor.getRhs(), 0, getType())) return x;
  return FoldBinary(
      adaptor.getLhs(), adaptor.getRhs(), getType(), [](double l, double r) { return l - r; },
      [](int64_t l, int64_t r) { return Wrap(uint64_t(l) - uint64_t(r)); });
}

OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  if (Value x = NeutralFold(getLhs(), adaptor.getRhs(), 1, getType())) return x;
  return FoldBinary(
      adaptor.getLhs(), adaptor.getRhs(), getType(), [](double l, double r) { return l * r; },
      [](int64_t l, int64_t r) { return Wrap(uint64_t(l) * uint64_t(r)); });
}

OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  if (Value x = NeutralFold(getLhs(), adaptor.getRhs(), 1, getType())) return x;
  return FoldBinary(
      adaptor.getLhs(), adaptor.getRhs(), getType(), [](double l, double r) { return l / r; },
      [](int64_t l, int64_t r) {
        return r == 0 ? 0 : r == -1 ? Wrap(-static_cast<uint64_t>(l)) : l / r;
      });
}

OpFoldResult PowOp::fold(FoldAdaptor adaptor) {
  if (Value x = NeutralFold(getLhs(), adaptor.getRhs(), 1, getType())) return x;
  return FoldBinary(adaptor.getLhs(), adaptor.getRhs(), getType(),
                    [](double l, double r) { return std::pow(l, r); });
}

// NaN wins, as in torch.maximum and torch.minimum.
OpFoldResult MaxOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs()) return getLhs();
  return FoldBinary(
      adaptor.getLhs(), adaptor.getRhs(), getType(),
      [](double l, double r) { return std::isnan(l) || l > r ? l : r; },
      [](int64_t l, int64_t r) { return std::max(l, r); });
}

OpFoldResult MinOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs()) return getLhs();
  return FoldBinary(
      adaptor.getLhs(), adaptor.getRhs(), getType(),
      [](double l, double r) { return std::isnan(l) || l < r ? l : r; },
      [](int64_t l, int64_t r) { return std::min(l, r); });
}

// ---------------------------------------------------------------- canonical forms

namespace {

// x + (-y) = x - y
struct AddNeg : mlir::OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  llvm::LogicalResult matchAndRewrite(AddOp op, mlir::PatternRewriter& rw) const override {
    if (auto neg = op.getRhs().getDefiningOp<NegOp>()) {
      rw.replaceOpWithNewOp<SubOp>(op, op.getLhs(), neg.getX());
      return llvm::success();
    }
    if (auto neg = op.getLhs().getDefiningOp<NegOp>()) {
      rw.replaceOpWithNewOp<SubOp>(op, op.getRhs(), neg.getX());
      return llvm::success();
    }
    return rw.notifyMatchFailure(op, "no operand is a negation");
  }
};

// x - (-y) = x + y; 0 - x = -x
struct SubNeg : mlir::OpRewritePattern<SubOp> {
  using OpRewritePattern::OpRewritePattern;
  llvm::LogicalResult matchAndRewrite(SubOp op, mlir::PatternRewriter& rw) const override {
    if (auto neg = op.getRhs().getDefiningOp<NegOp>()) {
      rw.replaceOpWithNewOp<AddOp>(op, op.getLhs(), neg.getX());
      return llvm::success();
    }
    if (SplatValue(op.getLhs()) == 0.0 && op.getRhs().getType() == op.getType()) {
      rw.replaceOpWithNewOp<NegOp>(op, op.getRhs());
      return llvm::success();
    }
    return rw.notifyMatchFailure(op, "neither x - (-y) nor 0 - x");
  }
};

// x * -1 = -x
struct MulMinusOne : mlir::OpRewritePattern<MulOp> {
  using OpRewritePattern::OpRewritePattern;
  llvm::LogicalResult matchAndRewrite(MulOp op, mlir::PatternRewriter& rw) const override {
    if (SplatValue(op.getRhs()) != -1.0 || op.getLhs().getType() != op.getType())
      return rw.notifyMatchFailure(op, "not x * -1");
    rw.replaceOpWithNewOp<NegOp>(op, op.getLhs());
    return llvm::success();
  }
};

// The powers that have an op of their own, as torch.pow computes them.
struct PowConstant : mlir::OpRewritePattern<PowOp> {
  using OpRewritePattern::OpRewritePattern;
  llvm::LogicalResult matchAndRewrite(PowOp op, mlir::PatternRewriter& rw) const override {
    auto power = SplatValue(op.getRhs());
    Value x = op.getLhs();
    if (!power || x.getType() != op.getType())
      return rw.notifyMatchFailure(op, "the exponent is not one constant");
    Emitter e(rw, op.getLoc());
    if (*power == 2) {
      rw.replaceOp(op, e.Mul(x, x));
    } else if (*power == 3) {
      rw.replaceOp(op, e.Mul(e.Mul(x, x), x));
    } else if (*power == 0.5) {
      rw.replaceOp(op, e.Sqrt(x));
    } else if (*power == -0.5) {
      rw.replaceOp(op, e.Rsqrt(x));
    } else if (*power == -1) {
      rw.replaceOp(op, e.Div(1, x));
    } else {
      return rw.notifyMatchFailure(op, "no op of its own for this exponent");
    }
    return llvm::success();
  }
};

}  // namespace

void AddOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns, mlir::MLIRContext* ctx) {
  patterns.add<AddNeg, DropBroadcast<AddOp>>(ctx);
}
void SubOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns, mlir::MLIRContext* ctx) {
  patterns.add<SubNeg, DropBroadcast<SubOp>>(ctx);
}
void MulOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns, mlir::MLIRContext* ctx) {
  patterns.add<MulMinusOne, DropBroadcast<MulOp>>(ctx);
}
void DivOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns, mlir::MLIRContext* ctx) {
  patterns.add<DropBroadcast<DivOp>>(ctx);
}
void PowOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns, mlir::MLIRContext* ctx) {
  patterns.add<PowConstant, DropBroadcast<PowOp>>(ctx);
}
void MaxOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns, mlir::MLIRContext* ctx) {
  patterns.add<DropBroadcast<MaxOp>>(ctx);
}
void MinOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns, mlir::MLIRContext* ctx) {
  patterns.add<DropBroadcast<MinOp>>(ctx);
}

// ---------------------------------------------------------------- derivatives

namespace {

// Appends both operands' gradients, summed to their shapes: `left` and `right` build them in the
// result's shape where they are needed.
llvm::LogicalResult BinaryVjp(mlir::Operation* op, mlir::OpBuilder& b, llvm::ArrayRef<bool> needed,
                              llvm::SmallVectorImpl<Value>& out,
                              llvm::function_ref<Value(Emitter&)> left,
                              llvm::function_ref<Value(Emitter&)> right) {
  Emitter e(b, op->getLoc());
  for (int i : {0, 1}) {
    Value operand = op->getOperand(i);
    const bool wanted = needed[i] && IsFloat(operand);
    out.push_back(wanted ? e.SumTo((i == 0 ? left : right)(e), ShapeOf(operand)) : Value());
  }
  return llvm::success();
}

// The gradient of the operand that max or min picked: all of g where it was picked, half at a tie.
Value PickedGrad(Emitter& e, Value g, ComparePredicate picks, Value x, Value other) {
  Value at_tie = e.Select(e.Compare(ComparePredicate::eq, x, other), e.Mul(g, 0.5), 0);
  return e.Select(e.Compare(picks, x, other), g, at_tie);
}

}  // namespace

#define TRAMA_BINARY_VJP(Op, left, right)                                                       \
  llvm::LogicalResult Op::vjp(mlir::OpBuilder& b, mlir::ValueRange grads,                       \
                              llvm::ArrayRef<bool> needed, llvm::SmallVectorImpl<Value>& out) { \
    Value g = grads.front(), l = getLhs(), r = getRhs(), y = getY();                            \
    (void)l, (void)r, (void)y;                                                                  \
    return BinaryVjp(                                                                           \
        *this, b, needed, out, [&](Emitter& e) -> Value { return left; },                       \
        [&](Emitter& e) -> Value { return right; });                                            \
  }
TRAMA_BINARY_VJP(AddOp, g, g)
TRAMA_BINARY_VJP(SubOp, g, e.Neg(g))
TRAMA_BINARY_VJP(MulOp, e.Mul(g, r), e.Mul(g, l))
TRAMA_BINARY_VJP(DivOp, e.Div(g, r), e.Neg(e.Div(e.Mul(g, y), r)))
// As torch: 0 where the exponent is 0, and the exponent's 0 at 0 ^ r for r >= 0.
TRAMA_BINARY_VJP(
    PowOp,
    e.Select(e.Compare(ComparePredicate::eq, r, 0), 0, e.Mul(g, e.Mul(r, e.Pow(l, e.Sub(r, 1))))),
    e.Select(e.And(e.Compare(ComparePredicate::eq, l, 0), e.Compare(ComparePredicate::ge, r, 0)), 0,
             e.Mul(g, e.Mul(y, e.Log(l)))))
TRAMA_BINARY_VJP(MaxOp, PickedGrad(e, g, ComparePredicate::gt, l, r),
                 PickedGrad(e, g, ComparePredicate::gt, r, l))
TRAMA_BINARY_VJP(MinOp, PickedGrad(e, g, ComparePredicate::lt, l, r),
                 PickedGrad(e, g, ComparePredicate::lt, r, l))
#undef TRAMA_BINARY_VJP

}  // namespace trama
