// matmul and linear.
#include "backends/cpu/product.h"
#include "base/status_macros.h"

namespace trama::cpu {
namespace {

template <typename Op>
absl::StatusOr<Kernel> EmitProductOf(mlir::func::FuncOp body, mlir::ModuleOp module,
                                     const Target& target) {
  Op op = FindAnchor<Op>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(Product product, codegen::ProductOf(op, body));
  codegen::Normalize(product);
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
