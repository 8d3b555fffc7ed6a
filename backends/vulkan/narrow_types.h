// Types of other than 32 bits, where a device's memory or arithmetic has them not; and what is an
// error of those.
#pragma once

#include "backends/vulkan/target.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/PatternMatch.h"

namespace trama::vulkan {

// What computes with bf16, in f32.
void PopulateBFloat16Expansions(mlir::RewritePatternSet& patterns);

// Of 64-bit integers in memory the lower halves, where nothing else is read, as it is of ids: no
// 64-bit integers are left then. Does nothing where the target has them.
void ReadLowerHalves(mlir::gpu::GPUFuncOp function, const Target& target);

// Failure names the first value of `function` whose type the target has not, nor these rewrites.
mlir::LogicalResult CheckTypes(mlir::gpu::GPUFuncOp function, const Target& target);

// Memory of bf16 becomes that of its bits. Buffers of 8- and 16-bit elements become those of words
// where the target's do not hold them: storing a part of a word takes two atomic operations, as
// other invocations may write the rest. Accesses are memref.load and memref.store. The last word
// may go beyond the buffer's end. Failure where a buffer is used otherwise.
mlir::LogicalResult StoreNarrowTypes(mlir::gpu::GPUFuncOp function, const Target& target);

}  // namespace trama::vulkan
