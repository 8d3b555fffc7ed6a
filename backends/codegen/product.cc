#include "backends/codegen/product.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/codegen/vector_math.h"
#include "base/status_macros.h"

namespace trama::codegen {
namespace {

// `operand` [.., m, k] over the dimensions of the result, without its last two or with `row`.
SmallVector<int64_t> OverResult(ArrayRef<int64_t> shape, ArrayRef<int64_t> strides, size_t rank) {
  SmallVector<int64_t> over(rank, 0);
  const size_t leading = shape.size() - 2;
  for (size_t d = 0; d < leading; ++d)
    if (shape[d] != 1) over[rank - 2 - leading + d] = strides[d];
  return over;
}

absl::Status OtherTypes(mlir::Operation* op) {
  return absl::UnimplementedError(
      absl::StrCat(op->getName().getStringRef().str(),
                   ": element types other than f32, bf16 and f16, or a result that is not f32"));
}

}  // namespace

absl::StatusOr<Type> MultipliedType(mlir::Operation* op, Value left, Value right) {
  const Type element = mlir::getElementTypeOrSelf(left);
  if (element != mlir::getElementTypeOrSelf(right)) return OtherTypes(op);
  if (!element.isF32() && !element.isBF16() && !element.isF16()) return OtherTypes(op);
  for (Value result : op->getResults())
    if (!mlir::getElementTypeOrSelf(result).isF32()) return OtherTypes(op);
  return element;
}

absl::Status RequireFloat32(Type element) {
  if (element.isF32()) return absl::OkStatus();
  return absl::UnimplementedError("products of operands other than f32");
}

absl::StatusOr<Product> ProductOf(MatmulOp op, mlir::func::FuncOp body) {
  Product p;
  TRAMA_ASSIGN_OR_RETURN(p.element, MultipliedType(op, op.getLhs(), op.getRhs()));
  TRAMA_ASSIGN_OR_RETURN(p.left, ReadAccess(op.getLhs()));
  TRAMA_ASSIGN_OR_RETURN(p.right, ReadAccess(op.getRhs()));
  TRAMA_ASSIGN_OR_RETURN(p.epilogue, Epilogue::Create(body, op.getY()));
  p.sizes.assign(ShapeOf(op.getY()).begin(), ShapeOf(op.getY()).end());
  const size_t rank = p.sizes.size();
  const size_t l = ShapeOf(op.getLhs()).size(), r = ShapeOf(op.getRhs()).size();
  const size_t left_depth = op.getTransposeLhs() ? l - 2 : l - 1;
  const size_t right_depth = op.getTransposeRhs() ? r - 1 : r - 2;
  p.depth = ShapeOf(op.getLhs())[left_depth];
  p.left_depth_stride = p.left.strides[left_depth];
  p.right_depth_stride = p.right.strides[right_depth];
  const int64_t row_stride = p.left.strides[2 * l - 3 - left_depth];
  const int64_t column_stride = p.right.strides[2 * r - 3 - right_depth];
  p.left.strides = OverResult(ShapeOf(op.getLhs()), p.left.strides, rank);
  p.right.strides = OverResult(ShapeOf(op.getRhs()), p.right.strides, rank);
  p.left.strides[rank - 2] = row_stride;
  p.right.strides[rank - 1] = column_stride;
  return p;
}

absl::StatusOr<Product> ProductOf(LinearOp op, mlir::func::FuncOp body) {
  Product p;
  TRAMA_ASSIGN_OR_RETURN(p.element, MultipliedType(op, op.getX(), op.getWeight()));
  TRAMA_ASSIGN_OR_RETURN(p.left, ReadAccess(op.getX()));
  TRAMA_ASSIGN_OR_RETURN(p.right, ReadAccess(op.getWeight()));
  TRAMA_ASSIGN_OR_RETURN(p.epilogue, Epilogue::Create(body, op.getY()));
  p.sizes.assign(ShapeOf(op.getY()).begin(), ShapeOf(op.getY()).end());
  p.depth = ShapeOf(op.getX()).back();
  p.left_depth_stride = p.left.strides.back();
  p.left.strides.back() = 0;
  p.right_depth_stride = p.right.strides[op.getTransposeWeight() ? 1 : 0];
  const int64_t column_stride = p.right.strides[op.getTransposeWeight() ? 0 : 1];
  p.right.strides.assign(p.sizes.size(), 0);
  p.right.strides.back() = column_stride;
  if (op.getBias()) {
    if (!mlir::getElementTypeOrSelf(op.getBias()).isF32()) return OtherTypes(op);
    TRAMA_ASSIGN_OR_RETURN(p.bias, ReadAccess(op.getBias()));
    const int64_t stride = p.bias->strides.back();
    p.bias->strides.assign(p.sizes.size(), 0);
    p.bias->strides.back() = stride;
  }
  p.activation = op.getActivation();
  if (p.sizes.size() == 1) {  // one row
    p.sizes.insert(p.sizes.begin(), 1);
    for (Access* access : p.Accesses()) access->strides.insert(access->strides.begin(), 0);
  }
  return p;
}

int64_t Product::batch() const {
  int64_t count = 1;
  for (size_t d = 0; d + 2 < sizes.size(); ++d) count *= sizes[d];
  return count;
}

SmallVector<Access*> Product::Accesses() {
  SmallVector<Access*> all = epilogue.Accesses();
  all.push_back(&left);
  all.push_back(&right);
  if (bias) all.push_back(&*bias);
  return all;
}

void Normalize(Product& p) {
  // The right operand is the same for all rows: a batch of right operands may not become rows, not
  // even where each has one row.
  const bool shared =
      llvm::all_of(llvm::drop_end(p.right.strides, 2), [](int64_t stride) { return stride == 0; });
  MergeDimensions(p.sizes, p.Accesses(), shared ? 1 : 2);
  const size_t rank = p.sizes.size(), row = rank - 2, column = rank - 1;
  SmallVector<Access*> outputs = p.epilogue.Accesses();
  const Access& first = *outputs.front();
  const bool by_rows = first.strides[row] == 1 && p.sizes[row] > 1 &&
                       (p.sizes[column] == 1 || first.strides[column] != 1);
  if (by_rows) {
    for (Access* access : p.Accesses()) std::swap(access->strides[row], access->strides[column]);
    std::swap(p.sizes[row], p.sizes[column]);
    std::swap(p.left, p.right);
    std::swap(p.left_depth_stride, p.right_depth_stride);
  }
  // A dimension of one element has any stride: one that makes vectors of it.
  if (p.sizes[column] == 1) {
    for (Access* access : p.Accesses()) access->strides[column] = 1;
    p.left.strides[column] = 0;
  }
  if (p.depth == 1 && p.right.strides[column] != 1) p.right_depth_stride = 1;
}

Value Activate(Builder& b, Activation activation, Value x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return b.Max(x, b.Constant(x.getType(), 0));
    case Activation::gelu:
      return Gelu(b, x, /*tanh_form=*/false);
    case Activation::gelu_tanh:
      return Gelu(b, x, /*tanh_form=*/true);
    case Activation::tanh:
      return Tanh(b, x);
    case Activation::sigmoid:
      return Sigmoid(b, x);
  }
  return x;
}

}  // namespace trama::codegen
