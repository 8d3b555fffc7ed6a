// The batched matrix product.
#include "ir/builder_util.h"

namespace trama {

using llvm::ArrayRef;
using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::RankedTensorType;
using mlir::Value;

LogicalResult MatmulOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                         Adaptor adaptor,
                                         llvm::SmallVectorImpl<mlir::Type>& results) {
  auto lhs = TypeOf(adaptor.getLhs()), rhs = TypeOf(adaptor.getRhs());
  if (lhs.getRank() < 2 || rhs.getRank() < 2)
    return InferError<MatmulOp>(loc, "operands need two dimensions: ", lhs, ", ", rhs, " (C1)");
  if (lhs.getElementType() != rhs.getElementType())
    return InferError<MatmulOp>(loc, "element types differ: ", lhs, ", ", rhs, " (C3)");
  auto m = lhs.getShape().take_back(2), n = rhs.getShape().take_back(2);
  const bool tl = adaptor.getTransposeLhs(), tr = adaptor.getTransposeRhs();
  if (m[tl ? 0 : 1] != n[tr ? 1 : 0])
    return InferError<MatmulOp>(loc, "inner sizes ", m[tl ? 0 : 1], " and ", n[tr ? 1 : 0], " of ",
                                lhs, tl ? " transposed" : "", " and ", rhs, tr ? " transposed" : "",
                                " differ (C2)");
  auto shape = BroadcastShapes({lhs.getShape().drop_back(2), rhs.getShape().drop_back(2)});
  if (!shape)
    return InferError<MatmulOp>(loc, "leading dimensions of ", lhs, " and ", rhs,
                                " do not broadcast");
  shape->push_back(m[tl ? 1 : 0]);
  shape->push_back(n[tr ? 0 : 1]);
  results.push_back(RankedTensorType::get(*shape, AccumulatorOf(lhs.getElementType())));
  return llvm::success();
}

namespace {

// What a transpose that swaps the last two dimensions only is of; null for others.
Value SwappedLastTwo(Value v) {
  auto transpose = v.getDefiningOp<TransposeOp>();
  if (!transpose) return {};
  SmallVector<int64_t> permutation(transpose.getPermutation());
  if (permutation.size() < 2) return {};
  std::swap(permutation[permutation.size() - 1], permutation[permutation.size() - 2]);
  return llvm::is_sorted(permutation) ? transpose.getX() : Value();
}

struct AbsorbTranspose : mlir::OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op, mlir::PatternRewriter& rw) const override {
    Value lhs = SwappedLastTwo(op.getLhs()), rhs = SwappedLastTwo(op.getRhs());
    if (!lhs && !rhs)
      return rw.notifyMatchFailure(op, "no operand is a transpose of the last two dimensions");
    rw.replaceOpWithNewOp<MatmulOp>(op, lhs ? lhs : op.getLhs(), rhs ? rhs : op.getRhs(),
                                    op.getTransposeLhs() != !!lhs, op.getTransposeRhs() != !!rhs);
    return llvm::success();
  }
};

// A broadcast of an operand's leading dimensions is the op's own.
struct AbsorbBroadcast : mlir::OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op, mlir::PatternRewriter& rw) const override {
    for (int i : {0, 1}) {
      auto broadcast = op->getOperand(i).getDefiningOp<BroadcastOp>();
      if (!broadcast) continue;
      ArrayRef<int64_t> from = broadcast.getX().getType().getShape();
      if (from.size() < 2 || from.take_back(2) != broadcast.getType().getShape().take_back(2))
        continue;
      auto lead = BroadcastShapes({from.drop_back(2), ShapeOf(op->getOperand(1 - i)).drop_back(2)});
      if (!lead || ArrayRef<int64_t>(*lead) != op.getType().getShape().drop_back(2)) continue;
      rw.modifyOpInPlace(op, [&] { op->setOperand(i, broadcast.getX()); });
      return llvm::success();
    }
    return rw.notifyMatchFailure(op, "no operand is a broadcast that the op does by itself");
  }
};

}  // namespace

void MatmulOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns,
                                           mlir::MLIRContext* ctx) {
  patterns.add<AbsorbTranspose, AbsorbBroadcast>(ctx);
}

// dL = g op(R)^T and dR = op(L)^T g, each in its operand's layout: transposes are flags. A matrix
// that multiplies every leading dimension gets its gradient from one product over all rows. These
// products are of the operands' type too, as they are where hardware has units for it.
LogicalResult MatmulOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, ArrayRef<bool> needed,
                            llvm::SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  const mlir::Type element = ElementOf(getLhs());
  Value g = e.Cast(grads.front(), element), l = getLhs(), r = getRhs(), dl, dr;
  const bool tl = getTransposeLhs(), tr = getTransposeRhs();
  if (needed[0]) {
    dl = tl ? e.Matmul(r, g, tr, true) : e.Matmul(g, r, false, !tr);
    dl = e.Cast(e.SumTo(dl, ShapeOf(l)), element);
  }
  if (needed[1]) {
    if (TypeOf(r).getRank() == 2 && !tl) {
      l = e.FlattenRows(l);
      g = e.FlattenRows(g);
    }
    dr = tr ? e.Matmul(g, l, true, tl) : e.Matmul(l, g, !tl, false);
    dr = e.Cast(e.SumTo(dr, ShapeOf(r)), element);
  }
  out.append({dl, dr});
  return llvm::success();
}

}  // namespace trama
