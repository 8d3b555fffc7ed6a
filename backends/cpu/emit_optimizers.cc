// adam and sgd: elementwise once decomposed, in one pass over parameter, gradient and moments, with
// the scalars' arithmetic before the loop. Results may lie where their operands do.
#include "backends/cpu/fused_emitter.h"

namespace trama::cpu {
namespace {
absl::StatusOr<Kernel> EmitAdam(mlir::func::FuncOp body, mlir::ModuleOp module,
                                const Target& target) {
  return EmitFused(body, module, target);
}
absl::StatusOr<Kernel> EmitSgd(mlir::func::FuncOp body, mlir::ModuleOp module,
                               const Target& target) {
  return EmitFused(body, module, target);
}

TRAMA_CPU_KERNEL("adam", EmitAdam);
TRAMA_CPU_KERNEL("sgd", EmitSgd);
}  // namespace
}  // namespace trama::cpu
