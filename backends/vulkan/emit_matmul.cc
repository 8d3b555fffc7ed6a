// matmul and linear.
#include "backends/vulkan/product.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {

template <typename Op>
absl::StatusOr<Kernel> EmitProductOf(mlir::func::FuncOp body, mlir::ModuleOp module,
                                     const Target& target) {
  Op op = codegen::FindAnchor<Op>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(codegen::Product product, codegen::ProductOf(op, body));
  codegen::Normalize(product);
  Kernel kernel;
  TRAMA_RETURN_IF_ERROR(AppendProduct(module, body, product, target, "matrix", kernel));
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

TRAMA_VULKAN_KERNEL("matmul", EmitMatmul);
TRAMA_VULKAN_KERNEL("linear", EmitLinear);

}  // namespace trama::vulkan
