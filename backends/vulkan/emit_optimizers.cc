// adam and sgd: elementwise once decomposed, in one pass over parameter, gradient and moments.
// Results may lie where their operands do.
#include "backends/vulkan/fused_emitter.h"

namespace trama::vulkan {
namespace {
absl::StatusOr<Kernel> EmitAdam(mlir::func::FuncOp body, mlir::ModuleOp module,
                                const Target& target) {
  return EmitFused(body, module, target);
}
absl::StatusOr<Kernel> EmitSgd(mlir::func::FuncOp body, mlir::ModuleOp module,
                               const Target& target) {
  return EmitFused(body, module, target);
}

TRAMA_VULKAN_KERNEL("adam", EmitAdam);
TRAMA_VULKAN_KERNEL("sgd", EmitSgd);
}  // namespace
}  // namespace trama::vulkan
