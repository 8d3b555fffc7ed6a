// reshape, transpose, broadcast, slice, pad, concat: ops that move elements.
#include "base/shape.h"
#include "ir/builder_util.h"
#include "ir/fold_util.h"

namespace trama {

using llvm::ArrayRef;
using llvm::LogicalResult;
using llvm::SmallVector;
using llvm::SmallVectorImpl;
using mlir::OpFoldResult;
using mlir::RankedTensorType;
using mlir::Value;

namespace {

Shape StridesOf(RankedTensorType type) {
  return Strides({type.getShape().data(), type.getShape().size()});
}

// Constraints C1 and C2 of slice: the box of shape `box` lies inside `whole`.
template <typename Op>
LogicalResult CheckBox(Op op, RankedTensorType whole, RankedTensorType box) {
  ArrayRef<int64_t> starts = op.getStarts(), strides = op.getStrides();
  const size_t rank = whole.getRank();
  if (box.getElementType() != whole.getElementType())
    return op.emitOpError("element types differ: ") << whole << ", " << box;
  if (starts.size() != rank || strides.size() != rank || box.getRank() != whole.getRank())
    return op.emitOpError("needs one start, stride and size for each of ")
           << rank << " dimensions (C1)";
  for (size_t i = 0; i < rank; ++i) {
    const int64_t size = box.getDimSize(i), room = whole.getDimSize(i) - starts[i];
    const bool inside = strides[i] >= 1 && starts[i] >= 0 && room >= 0 &&
                        (size == 0 || (room > 0 && size - 1 <= (room - 1) / strides[i]));
    if (!inside)
      return op.emitOpError("start ") << starts[i] << ", stride " << strides[i] << ", size " << size
                                      << " leave dim " << i << " of " << whole << " (C2)";
  }
  return llvm::success();
}

bool IsBroadcastable(ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
  auto joined = BroadcastShapes({from, to});
  return joined && ArrayRef<int64_t>(*joined) == to;
}

}  // namespace

// ---------------------------------------------------------------- reshape

LogicalResult ReshapeOp::verify() {
  auto x = getX().getType(), y = getType();
  if (x.getElementType() == y.getElementType() && x.getNumElements() == y.getNumElements())
    return llvm::success();
  return emitOpError("cannot turn ") << x << " into " << y << " (C1)";
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType()) return getX();
  if (auto inner = getX().getDefiningOp<ReshapeOp>()) {
    if (inner.getX().getType() == getType()) return inner.getX();
    getXMutable().set(inner.getX());
    return getResult();
  }
  if (auto dense = mlir::dyn_cast_or_null<mlir::DenseElementsAttr>(adaptor.getX()))
    return dense.reshape(getType());
  return {};
}

// ---------------------------------------------------------------- transpose

LogicalResult TransposeOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                            Adaptor adaptor,
                                            llvm::SmallVectorImpl<mlir::Type>& results) {
  auto x = TypeOf(adaptor.getX());
  SmallVector<int64_t> sorted(adaptor.getPermutation());
  llvm::sort(sorted);
  if (sorted != Range(x.getRank()))
    return InferError<TransposeOp>(loc, "permutation ", adaptor.getPermutation(),
                                   " does not permute the dimensions of ", x, " (C1)");
  SmallVector<int64_t> shape;
  for (int64_t d : adaptor.getPermutation()) shape.push_back(x.getDimSize(d));
  results.push_back(RankedTensorType::get(shape, x.getElementType()));
  return llvm::success();
}

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  ArrayRef<int64_t> permutation = getPermutation();
  if (llvm::is_sorted(permutation)) return getX();
  if (auto inner = getX().getDefiningOp<TransposeOp>()) {
    SmallVector<int64_t> joined;
    for (int64_t d : permutation) joined.push_back(inner.getPermutation()[d]);
    if (llvm::is_sorted(joined)) return inner.getX();
    setPermutation(joined);
    getXMutable().set(inner.getX());
    return getResult();
  }
  const Shape strides = StridesOf(getX().getType());
  return FoldMove(adaptor.getX(), getType(), [&](ArrayRef<int64_t> index) {
    int64_t at = 0;
    for (auto [i, d] : llvm::zip_equal(index, permutation)) at += i * strides[d];
    return at;
  });
}

// ---------------------------------------------------------------- broadcast

LogicalResult BroadcastOp::verify() {
  auto x = getX().getType(), y = getType();
  if (x.getElementType() == y.getElementType() && IsBroadcastable(x.getShape(), y.getShape()))
    return llvm::success();
  return emitOpError("cannot repeat ") << x << " to " << y << " (C1)";
}

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType()) return getX();
  if (auto inner = getX().getDefiningOp<BroadcastOp>()) {
    getXMutable().set(inner.getX());
    return getResult();
  }
  if (SplatValue(adaptor.getX()))
    return mlir::cast<mlir::DenseElementsAttr>(adaptor.getX()).resizeSplat(getType());
  return {};
}

// ---------------------------------------------------------------- slice and pad

LogicalResult SliceOp::verify() { return CheckBox(*this, getX().getType(), getType()); }

LogicalResult PadOp::verify() { return CheckBox(*this, getType(), getX().getType()); }

OpFoldResult SliceOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType()) return getX();
  if (auto inner = getX().getDefiningOp<SliceOp>()) {
    SmallVector<int64_t> starts, strides;
    for (auto [start, stride, inner_start, inner_stride, size] :
         llvm::zip_equal(getStarts(), getStrides(), inner.getStarts(), inner.getStrides(),
                         getType().getShape())) {
      starts.push_back(inner_start + start * inner_stride);
      strides.push_back(size <= 1 ? 1 : stride * inner_stride);  // one element takes no step
    }
    setStarts(starts);
    setStrides(strides);
    getXMutable().set(inner.getX());
    return getResult();
  }
  const Shape x_strides = StridesOf(getX().getType());
  return FoldMove(adaptor.getX(), getType(), [&](ArrayRef<int64_t> index) {
    int64_t at = 0;
    for (size_t d = 0; d < index.size(); ++d)
      at += (getStarts()[d] + index[d] * getStrides()[d]) * x_strides[d];
    return at;
  });
}

OpFoldResult PadOp::fold(FoldAdaptor adaptor) {
  return getX().getType() == getType() ? OpFoldResult(getX()) : OpFoldResult();
}

// ---------------------------------------------------------------- concat

LogicalResult ConcatOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                         Adaptor adaptor,
                                         llvm::SmallVectorImpl<mlir::Type>& results) {
  mlir::ValueRange xs = adaptor.getXs();
  if (xs.empty() || !AreTensors(xs))
    return InferError<ConcatOp>(loc, "needs one tensor at least, and nothing else (C1)");
  auto first = TypeOf(xs.front());
  const int64_t dim = adaptor.getDim();
  if (failed(CheckDim<ConcatOp>(loc, dim, first))) return llvm::failure();
  SmallVector<int64_t> shape(first.getShape());
  shape[dim] = 0;
  for (Value x : xs) {
    SmallVector<int64_t> rest(ShapeOf(x));
    if (rest.size() == shape.size()) rest[dim] = first.getDimSize(dim);
    if (ArrayRef<int64_t>(rest) != first.getShape() || ElementOf(x) != first.getElementType())
      return InferError<ConcatOp>(loc, "cannot join ", x.getType(), " to ", first, " along dim ",
                                  dim, " (C1)");
    shape[dim] += ShapeOf(x)[dim];
  }
  results.push_back(RankedTensorType::get(shape, first.getElementType()));
  return llvm::success();
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getXs().size() == 1 ? OpFoldResult(getXs().front()) : OpFoldResult();
}

// ---------------------------------------------------------------- derivatives

LogicalResult ReshapeOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, ArrayRef<bool>,
                             SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  out.push_back(IsFloat(getX()) ? e.Reshape(grads.front(), ShapeOf(getX())) : Value());
  return llvm::success();
}

LogicalResult TransposeOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, ArrayRef<bool>,
                               SmallVectorImpl<Value>& out) {
  SmallVector<int64_t> inverse(getPermutation().size());
  for (auto [i, d] : llvm::enumerate(getPermutation())) inverse[d] = i;
  Emitter e(b, getLoc());
  out.push_back(IsFloat(getX()) ? e.Transpose(grads.front(), inverse) : Value());
  return llvm::success();
}

LogicalResult BroadcastOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, ArrayRef<bool>,
                               SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  out.push_back(IsFloat(getX()) ? e.SumTo(grads.front(), ShapeOf(getX())) : Value());
  return llvm::success();
}

LogicalResult SliceOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, ArrayRef<bool>,
                           SmallVectorImpl<Value>& out) {
  Value grad;
  if (IsFloat(getX()))
    grad = PadOp::create(b, getLoc(), getX().getType(), grads.front(), getStarts(), getStrides());
  out.push_back(grad);
  return llvm::success();
}

LogicalResult PadOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, ArrayRef<bool>,
                         SmallVectorImpl<Value>& out) {
  Value grad;
  if (IsFloat(getX()))
    grad = SliceOp::create(b, getLoc(), getX().getType(), grads.front(), getStarts(), getStrides());
  out.push_back(grad);
  return llvm::success();
}

LogicalResult ConcatOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, ArrayRef<bool> needed,
                            SmallVectorImpl<Value>& out) {
  const int64_t rank = getType().getRank(), dim = getDim();
  SmallVector<int64_t> starts(rank, 0), strides(rank, 1);
  for (auto [x, wanted] : llvm::zip_equal(getXs(), needed)) {
    Value grad;
    if (wanted && IsFloat(x))
      grad = SliceOp::create(b, getLoc(), TypeOf(x), grads.front(), starts, strides);
    out.push_back(grad);
    starts[dim] += ShapeOf(x)[dim];
  }
  return llvm::success();
}

}  // namespace trama
