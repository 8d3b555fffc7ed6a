// One kernel: trama body -> emitter -> gpu dialect -> SPIR-V.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "backends/vulkan/lower_to_spirv.h"
#include "mlir/IR/MLIRContext.h"

namespace trama::vulkan {

struct CompiledPhase {
  Phase phase;
  Shader shader;
};

struct CompiledKernel {
  std::vector<CompiledPhase> phases;
  std::vector<uint64_t> workspaces;
  std::vector<std::string> constants;

  std::string Serialize() const;
  // DataLoss where the bytes are not what Serialize gave.
  static absl::StatusOr<CompiledKernel> Parse(std::string_view bytes);
};

// A context with every dialect that CompileKernel needs; one a thread.
std::unique_ptr<mlir::MLIRContext> NewContext();

// Compiles `body`, the bytecode or text of a plan's kernel, with the emitter of `kind`, or as a
// fused kernel where it has none. `text`, if not null, gets the SPIR-V of all phases to read.
absl::StatusOr<CompiledKernel> CompileKernel(mlir::MLIRContext& context, const Target& target,
                                             const std::string& kind, const std::string& body,
                                             std::string* text = nullptr);

// What the code depends on beside the kernel: the target and this build of the compiler.
std::string CompilerIdentity(const Target& target);

}  // namespace trama::vulkan
