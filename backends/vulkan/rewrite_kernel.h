// Rewrites a kernel, before its conversion to SPIR-V, into what MLIR's patterns convert.
#pragma once

#include <vector>

#include "backends/vulkan/target.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace trama::vulkan {

// Views of buffers are folded into their accesses; vector accesses to buffers of scalars, masked
// ones and reductions go an element at a time; functions without an instruction are expanded; index
// arithmetic is unsigned where that is the same. Without device addresses, an argument that is
// larger than target.max_buffer_range becomes several of that size, the last one shorter, and every
// access chooses among them: `pieces` gets their number for each argument.
mlir::LogicalResult RewriteKernel(mlir::gpu::GPUModuleOp module, const Target& target,
                                  std::vector<uint32_t>& pieces);

}  // namespace trama::vulkan
