// gpu.func -> SPIR-V words of a compute shader.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/vulkan/kernel.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace trama::vulkan {

// The dialects that kernels are made of, beside trama's and codegen's.
void PrepareLowering(mlir::MLIRContext& context);

// The memory space of a kernel's buffers.
mlir::Attribute BufferSpace(mlir::MLIRContext* context, const Target& target);
mlir::Attribute SharedSpace(mlir::MLIRContext* context);
mlir::Attribute PrivateSpace(mlir::MLIRContext* context);
// Bytes of a scalar or a vector there.
uint64_t ElementBytes(mlir::Type element);

struct Shader {
  std::vector<uint32_t> words;
  // Storage buffers (descriptor ABI) or addresses in the push-constant block: argument i of the
  // phase's function is pieces[i] of them, more than one where the buffer is larger than
  // max_buffer_range: so many bytes each, the last one the rest. More addresses than max_push_bytes
  // holds: the block is one address, of a table of them.
  std::vector<uint32_t> pieces;
  bool address_table = false;
  // Its workgroups must be made of whole subgroups of that size; 0: of any.
  uint32_t subgroup_size = 0;
};

// Lowers the one gpu.func of `module`, entry point "main". The module gives place to a spirv.module
// named ShaderName (what `trama explain` prints).
std::string ShaderName(const std::string& module_name);
absl::StatusOr<Shader> LowerToSpirv(mlir::gpu::GPUModuleOp module, const Target& target);

}  // namespace trama::vulkan
