// The emitter of kernels that are computed element by element, for those of other kinds that can
// be written so.
#pragma once

#include "backends/vulkan/kernel.h"

namespace trama::vulkan {

absl::StatusOr<Kernel> EmitFused(mlir::func::FuncOp body, mlir::ModuleOp module,
                                 const Target& target);

}  // namespace trama::vulkan
