// sum, reduce_max, mean and argmax.
#include "ir/builder_util.h"
#include "ir/fold_util.h"

namespace trama {

using mlir::OpFoldResult;

template <typename Op>
static llvm::LogicalResult InferReduction(std::optional<mlir::Location> loc,
                                          typename Op::Adaptor adaptor,
                                          llvm::SmallVectorImpl<mlir::Type>& results) {
  auto x = TypeOf(adaptor.getX());
  int64_t previous = -1;
  for (int64_t dim : adaptor.getDims()) {
    if (dim <= previous || dim >= x.getRank())
      return InferError<Op>(loc, "dims ", adaptor.getDims(), " are not ascending dimensions of ", x,
                            " (C1)");
    if (x.getDimSize(dim) == 0)
      return InferError<Op>(loc, "dim ", dim, " of ", x, " is empty (C2)");
    previous = dim;
  }
  results.push_back(mlir::RankedTensorType::get(
      ReducedShape(x.getShape(), adaptor.getDims(), adaptor.getKeepdim()), x.getElementType()));
  return llvm::success();
}

llvm::LogicalResult SumOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                            Adaptor adaptor,
                                            llvm::SmallVectorImpl<mlir::Type>& results) {
  return InferReduction<SumOp>(loc, adaptor, results);
}

llvm::LogicalResult ReduceMaxOp::inferReturnTypes(mlir::MLIRContext*,
                                                  std::optional<mlir::Location> loc,
                                                  Adaptor adaptor,
                                                  llvm::SmallVectorImpl<mlir::Type>& results) {
  return InferReduction<ReduceMaxOp>(loc, adaptor, results);
}

llvm::LogicalResult MeanOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                             Adaptor adaptor,
                                             llvm::SmallVectorImpl<mlir::Type>& results) {
  return InferReduction<MeanOp>(loc, adaptor, results);
}

llvm::LogicalResult ArgmaxOp::inferReturnTypes(mlir::MLIRContext* ctx,
                                               std::optional<mlir::Location> loc, Adaptor adaptor,
                                               llvm::SmallVectorImpl<mlir::Type>& results) {
  auto x = TypeOf(adaptor.getX());
  const int64_t dim = adaptor.getDim();
  if (failed(CheckDim<ArgmaxOp>(loc, dim, x))) return llvm::failure();
  if (x.getDimSize(dim) == 0)
    return InferError<ArgmaxOp>(loc, "dim ", dim, " of ", x, " is empty (C2)");
  results.push_back(mlir::RankedTensorType::get(
      ReducedShape(x.getShape(), {dim}, adaptor.getKeepdim()), mlir::IntegerType::get(ctx, 32)));
  return llvm::success();
}

namespace {

// Over no dimension, a reduction is its operand; over dimensions of size 1, a reshape of it.
template <typename Op>
struct ReduceNothing : mlir::OpRewritePattern<Op> {
  using mlir::OpRewritePattern<Op>::OpRewritePattern;
  llvm::LogicalResult matchAndRewrite(Op op, mlir::PatternRewriter& rw) const override {
    auto x = TypeOf(op.getX());
    if (llvm::any_of(op.getDims(), [&](int64_t dim) { return x.getDimSize(dim) != 1; }))
      return rw.notifyMatchFailure(op, "a reduced dimension has several elements");
    rw.replaceOp(op, Emitter(rw, op.getLoc()).Reshape(op.getX(), op.getType().getShape()));
    return llvm::success();
  }
};

// sum(sum(x)) = sum(x) over both sets of dimensions, where neither keeps them.
struct SumOfSum : mlir::OpRewritePattern<SumOp> {
  using OpRewritePattern::OpRewritePattern;
  llvm::LogicalResult matchAndRewrite(SumOp op, mlir::PatternRewriter& rw) const override {
    auto inner = op.getX().getDefiningOp<SumOp>();
    if (!inner || !inner->hasOneUse() || inner.getKeepdim() || op.getKeepdim())
      return rw.notifyMatchFailure(op, "not a sum of a sum without keepdim");
    llvm::SmallVector<int64_t> kept;  // dimensions of inner's operand that its result has
    for (int64_t d : Range(TypeOf(inner.getX()).getRank()))
      if (!llvm::is_contained(inner.getDims(), d)) kept.push_back(d);
    llvm::SmallVector<int64_t> dims(inner.getDims());
    for (int64_t d : op.getDims()) dims.push_back(kept[d]);
    llvm::sort(dims);
    rw.replaceOpWithNewOp<SumOp>(op, inner.getX(), dims, false);
    return llvm::success();
  }
};

}  // namespace

void SumOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns, mlir::MLIRContext* ctx) {
  patterns.add<ReduceNothing<SumOp>, SumOfSum>(ctx);
}
void ReduceMaxOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns,
                                              mlir::MLIRContext* ctx) {
  patterns.add<ReduceNothing<ReduceMaxOp>>(ctx);
}
void MeanOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns,
                                         mlir::MLIRContext* ctx) {
  patterns.add<ReduceNothing<MeanOp>>(ctx);
}

}  // namespace trama
