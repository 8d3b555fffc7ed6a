// sum, reduce_max, mean and argmax.
#include "ir/builder_util.h"

namespace trama {

using mlir::Value;

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
    if (failed(CheckNotEmpty<Op>(loc, dim, x))) return llvm::failure();
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
  if (failed(CheckDim<ArgmaxOp>(loc, dim, x)) || failed(CheckNotEmpty<ArgmaxOp>(loc, dim, x)))
    return llvm::failure();
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

// How many elements go into one of the result.
static double Count(MeanOp op) {
  double count = 1;
  for (int64_t dim : op.getDims()) count *= ShapeOf(op.getX())[dim];
  return count;
}

// ---------------------------------------------------------------- derivatives

// A value of the reduction's result type with the reduced dimensions back at size 1.
template <typename Op>
static Value KeepDims(const Emitter& e, Op op, Value v) {
  return e.Reshape(v, ReducedShape(ShapeOf(op.getX()), op.getDims(), true));
}

llvm::LogicalResult SumOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool>,
                               llvm::SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  out.push_back(IsFloat(getX()) ? e.Broadcast(KeepDims(e, *this, grads.front()), ShapeOf(getX()))
                                : Value());
  return llvm::success();
}

llvm::LogicalResult MeanOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool>,
                                llvm::SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  Value grad;
  if (IsFloat(getX())) {
    Value scaled = e.Div(KeepDims(e, *this, grads.front()), Count(*this));
    grad = e.Broadcast(scaled, ShapeOf(getX()));
  }
  out.push_back(grad);
  return llvm::success();
}

// Shared evenly among the largest, as torch.amax.
llvm::LogicalResult ReduceMaxOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads,
                                     llvm::ArrayRef<bool>, llvm::SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  Value grad;
  if (IsFloat(getX())) {
    Value largest = e.Compare(ComparePredicate::eq, getX(), KeepDims(e, *this, getY()));
    Value count = e.Sum(e.Select(largest, e.Constant(getX().getType(), 1), 0), getDims(), true);
    grad = e.Select(largest, e.Div(KeepDims(e, *this, grads.front()), count), 0);
  }
  out.push_back(grad);
  return llvm::success();
}

// ---------------------------------------------------------------- decomposition

llvm::SmallVector<Value> MeanOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  return {e.Div(e.Sum(getX(), getDims(), getKeepdim()), Count(*this))};
}

}  // namespace trama
