// embedding, embedding_grad, gather, cache_update: ops that move elements by integer operands.
#include "ir/builder_util.h"

namespace trama {

using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::RankedTensorType;
using mlir::Value;

LogicalResult EmbeddingOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                            Adaptor adaptor,
                                            llvm::SmallVectorImpl<mlir::Type>& results) {
  auto table = TypeOf(adaptor.getTable());
  if (table.getRank() != 2)
    return InferError<EmbeddingOp>(loc, "table must be [V, D], not ", table);
  SmallVector<int64_t> shape(ShapeOf(adaptor.getIds()));
  shape.push_back(table.getDimSize(1));
  results.push_back(RankedTensorType::get(shape, table.getElementType()));
  return llvm::success();
}

LogicalResult EmbeddingGradOp::inferReturnTypes(mlir::MLIRContext*,
                                                std::optional<mlir::Location> loc, Adaptor adaptor,
                                                llvm::SmallVectorImpl<mlir::Type>& results) {
  auto grad = TypeOf(adaptor.getGrad());
  if (grad.getRank() < 1 || grad.getShape().drop_back() != ShapeOf(adaptor.getIds()))
    return InferError<EmbeddingGradOp>(loc, "grad ", grad, " is not shape(ids) x D for ids ",
                                       adaptor.getIds().getType());
  const int64_t rows = adaptor.getRows();
  if (rows < 1) return InferError<EmbeddingGradOp>(loc, "rows ", rows, " is not positive");
  results.push_back(RankedTensorType::get({rows, grad.getShape().back()}, grad.getElementType()));
  return llvm::success();
}

LogicalResult GatherOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                         Adaptor adaptor,
                                         llvm::SmallVectorImpl<mlir::Type>& results) {
  auto x = TypeOf(adaptor.getX()), index = TypeOf(adaptor.getIndex());
  const int64_t dim = adaptor.getDim();
  if (failed(CheckDim<GatherOp>(loc, dim, x))) return llvm::failure();
  SmallVector<int64_t> rest(index.getShape());
  if (index.getRank() == x.getRank()) rest[dim] = x.getDimSize(dim);
  if (llvm::ArrayRef<int64_t>(rest) != x.getShape())
    return InferError<GatherOp>(loc, "index ", index, " must have the sizes of ", x,
                                " but for dim ", dim, " (C1)");
  results.push_back(RankedTensorType::get(index.getShape(), x.getElementType()));
  return llvm::success();
}

LogicalResult CacheUpdateOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                              Adaptor adaptor,
                                              llvm::SmallVectorImpl<mlir::Type>& results) {
  auto cache = TypeOf(adaptor.getCache()), x = TypeOf(adaptor.getX());
  if (cache.getRank() != 4 || x.getRank() != 4 || cache.getElementType() != x.getElementType() ||
      cache.getShape().take_front(2) != x.getShape().take_front(2) ||
      cache.getDimSize(3) != x.getDimSize(3))
    return InferError<CacheUpdateOp>(loc, "cache ", cache,
                                     " must be [B, H, S, D] with x [B, H, C, D], not ", x);
  for (mlir::Value v : {adaptor.getPosition(), adaptor.getLength()})
    if (ShapeOf(v) != x.getShape().take_front(1) || !ElementOf(v).isInteger(32))
      return InferError<CacheUpdateOp>(loc, "position and length must be i32 [B], not ",
                                       v.getType());
  results.push_back(cache);
  return llvm::success();
}

// ---------------------------------------------------------------- derivatives

LogicalResult EmbeddingOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads,
                               llvm::ArrayRef<bool> needed, llvm::SmallVectorImpl<Value>& out) {
  Value table;
  if (needed[0])
    table = EmbeddingGradOp::create(b, getLoc(), grads.front(), getIds(), ShapeOf(getTable())[0]);
  out.append({table, Value()});
  return llvm::success();
}

// dx[.., v, ..] = sum of g[.., j, ..] over the j with index[.., j, ..] = v, by comparison with v.
LogicalResult GatherOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool> needed,
                            llvm::SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  const int64_t dim = getDim(), picks = ShapeOf(getIndex())[dim];
  Value grad;
  if (needed[0] && IsFloat(getX())) {
    Value g = grads.front(), index = getIndex();
    SmallVector<int64_t> shape(ShapeOf(getX()));
    if (picks == 1) {
      Value rows = e.Iota(shape, dim, ElementOf(index));
      grad = e.Select(e.Compare(ComparePredicate::eq, rows, index), g, 0);
    } else {
      shape.insert(shape.begin() + dim, 1);
      Value rows = e.Iota(shape, dim + 1, ElementOf(index));
      Value picked = e.Compare(ComparePredicate::eq, rows, e.Unsqueeze(index, dim + 1));
      grad = e.Sum(e.Select(picked, e.Unsqueeze(g, dim + 1), 0), {dim});
    }
  }
  out.append({grad, Value()});
  return llvm::success();
}

}  // namespace trama
