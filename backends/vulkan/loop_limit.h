// How many loop iterations an invocation may take.
#pragma once

#include <cstdint>

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace trama::vulkan {

// Mesa's drivers on processors leave every loop of an invocation once it has taken 65535 iterations
// in all of them together, and report nothing (LP_MAX_TGSI_LOOP_ITERATIONS). Kernels for processors
// are spread so that they stay below this.
constexpr int64_t kMostIterations = 60000;

// No less than the iterations of all loops of an invocation, up to kMostIterations + 1, which also
// stands for a loop with bounds that are not understood.
int64_t IterationsOf(mlir::gpu::GPUModuleOp phase);

}  // namespace trama::vulkan
