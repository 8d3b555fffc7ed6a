// matmul and linear, brought into the one form of product.h.
#include "absl/strings/str_cat.h"
#include "backends/cpu/product.h"
#include "base/status_macros.h"

namespace trama::cpu {
namespace {

// `operand` [.., m, k] over the dimensions of the result, without its last two or with `row`.
SmallVector<int64_t> OverResult(ArrayRef<int64_t> shape, ArrayRef<int64_t> strides, size_t rank) {
  SmallVector<int64_t> over(rank, 0);
  const size_t leading = shape.size() - 2;
  for (size_t d = 0; d < leading; ++d)
    if (shape[d] != 1) over[rank - 2 - leading + d] = strides[d];
  return over;
}

absl::StatusOr<Product> ProductOf(MatmulOp op, mlir::func::FuncOp body) {
  Product p;
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

absl::Status CheckFloat32(mlir::Operation* op) {
  for (Value value : op->getOperands())
    if (!mlir::getElementTypeOrSelf(value).isF32())
      return absl::UnimplementedError(
          absl::StrCat(op->getName().getStringRef().str(), ": element types other than f32"));
  return absl::OkStatus();
}

template <typename Op>
absl::StatusOr<Kernel> EmitProductOf(mlir::func::FuncOp body, mlir::ModuleOp module,
                                     const Target& target) {
  Op op = FindAnchor<Op>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_RETURN_IF_ERROR(CheckFloat32(op));
  TRAMA_ASSIGN_OR_RETURN(Product product, ProductOf(op, body));
  Normalize(product);
  Builder b(module, target.lanes);
  Kernel kernel;
  AppendProduct(
      b, body, product, target, "matrix",
      [&](codegen::PhaseArguments& arguments) { return FlatBuffers(b, arguments); }, kernel);
  return kernel;
}

absl::StatusOr<Kernel> EmitMatmul(mlir::func::FuncOp body, mlir::ModuleOp module,
                                  const Target& target) {
  return EmitProductOf<MatmulOp>(body, module, target);
}
absl::StatusOr<Kernel> EmitLinear(mlir::func::FuncOp body, mlir::ModuleOp module,
                                  const Target& target) {
  return EmitProductOf<LinearOp>(body, module, target);
}
}  // namespace

TRAMA_CPU_KERNEL("matmul", EmitMatmul);
TRAMA_CPU_KERNEL("linear", EmitLinear);

}  // namespace trama::cpu
