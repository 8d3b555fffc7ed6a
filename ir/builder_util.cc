#include "ir/builder_util.h"

#include "ir/fold_util.h"

namespace trama {

using llvm::ArrayRef;
using mlir::RankedTensorType;
using mlir::Value;

Value Emitter::Constant(RankedTensorType type, double splat) const {
  return ConstantOp::create(b_, loc_, SplatAttr(type, splat));
}

Value Emitter::Scalar(mlir::Type element, double value) const {
  return Constant(RankedTensorType::get({}, element), value);
}

Value Emitter::Iota(ArrayRef<int64_t> shape, int64_t dim, mlir::Type element) const {
  return IotaOp::create(b_, loc_, RankedTensorType::get(shape, element), dim);
}

Value Emitter::Compare(ComparePredicate predicate, Value l, Value r) const {
  return CompareOp::create(b_, loc_, predicate, l, r);
}

Value Emitter::Compare(ComparePredicate predicate, Value l, double r) const {
  return Compare(predicate, l, Scalar(ElementOf(l), r));
}

Value Emitter::Select(Value condition, Value yes, Value no) const {
  return SelectOp::create(b_, loc_, condition, yes, no);
}

Value Emitter::Select(Value condition, Value yes, double no) const {
  return Select(condition, yes, Scalar(ElementOf(yes), no));
}

Value Emitter::Select(Value condition, double yes, Value no) const {
  return Select(condition, Scalar(ElementOf(no), yes), no);
}

Value Emitter::Cast(Value x, mlir::Type element) const {
  if (ElementOf(x) == element) return x;
  return CastOp::create(b_, loc_, RankedTensorType::get(ShapeOf(x), element), x);
}

Value Emitter::Sum(Value x, ArrayRef<int64_t> dims, bool keepdim) const {
  return SumOp::create(b_, loc_, x, dims, keepdim);
}

Value Emitter::ReduceMax(Value x, ArrayRef<int64_t> dims, bool keepdim) const {
  return ReduceMaxOp::create(b_, loc_, x, dims, keepdim);
}

Value Emitter::Mean(Value x, ArrayRef<int64_t> dims, bool keepdim) const {
  return MeanOp::create(b_, loc_, x, dims, keepdim);
}

Value Emitter::Reshape(Value x, ArrayRef<int64_t> shape) const {
  if (ShapeOf(x) == shape) return x;
  return ReshapeOp::create(b_, loc_, RankedTensorType::get(shape, ElementOf(x)), x);
}

Value Emitter::Transpose(Value x, ArrayRef<int64_t> permutation) const {
  if (llvm::is_sorted(permutation)) return x;
  return TransposeOp::create(b_, loc_, x, permutation);
}

Value Emitter::Broadcast(Value x, ArrayRef<int64_t> shape) const {
  if (ShapeOf(x) == shape) return x;
  return BroadcastOp::create(b_, loc_, RankedTensorType::get(shape, ElementOf(x)), x);
}

Value Emitter::SumTo(Value x, ArrayRef<int64_t> shape) const {
  const int64_t added = TypeOf(x).getRank() - static_cast<int64_t>(shape.size());
  llvm::SmallVector<int64_t> dims = Range(added);
  for (auto [i, size] : llvm::enumerate(shape))
    if (size == 1 && ShapeOf(x)[i + added] != 1) dims.push_back(i + added);
  if (!dims.empty()) x = Sum(x, dims);
  return Reshape(x, shape);
}

Value Emitter::Unsqueeze(Value x, int64_t dim) const {
  llvm::SmallVector<int64_t> shape(ShapeOf(x));
  shape.insert(shape.begin() + dim, 1);
  return Reshape(x, shape);
}

Value Emitter::FlattenRows(Value x) const {
  const int64_t columns = ShapeOf(x).back();
  const int64_t rows = mlir::ShapedType::getNumElements(ShapeOf(x).drop_back());
  return Reshape(x, {rows, columns});
}

Value Emitter::Matmul(Value l, Value r, bool transpose_l, bool transpose_r) const {
  return MatmulOp::create(b_, loc_, l, r, transpose_l, transpose_r);
}

llvm::SmallVector<int64_t> Range(int64_t n) { return llvm::to_vector(llvm::seq<int64_t>(0, n)); }

}  // namespace trama
