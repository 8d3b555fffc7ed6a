// What a kernel emitter hands to the Vulkan backend: GPU functions, one dispatch each.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/vulkan/target.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace trama::vulkan {

// A buffer that a phase's function takes.
struct BufferUse {
  enum Kind : uint8_t {
    kOperand,    // of the dispatch
    kResult,     // of the dispatch; may lie on an operand where the plan's may_alias says so
    kWorkspace,  // memory of the device that the phases of a dispatch share
    kConstant,   // the kernel's own bytes
  };
  Kind kind = kOperand;
  uint32_t index = 0;
  bool reads = true, writes = false;  // what the function does: decides the barriers
  // Where the function's argument begins, in bytes, a multiple of 256. Phases that differ by it
  // alone share a pipeline. Not of buffers larger than max_buffer_range.
  uint64_t offset = 0;
};

// One phase of a kernel: a gpu.func in the kernel's module, dispatched once over a grid of
// workgroups. Phases run in order, each after the end of the one before where they share a buffer
// that either writes. Made by PhaseBuilder (phase_builder.h).
struct Phase {
  std::string symbol;
  std::array<uint32_t, 3> workgroups = {1, 1, 1};
  std::array<uint32_t, 3> local_size = {1, 1, 1};
  std::vector<BufferUse> buffers;  // one an argument of the function
  bool is_copy = false;  // of operands to results at the same place: not run where they are one
};

struct Kernel {
  std::vector<Phase> phases;
  std::vector<uint64_t> workspaces;          // bytes of each; undefined at the start
  std::vector<std::string> constants;        // their bytes, row-major
  std::vector<std::string> workspace_names;  // one a workspace: how PhaseBuilder finds it again
};

// Emits the kernel whose body is `body` (trama ops) as gpu.funcs in `module`. Results are written
// in full, and no element depends on how invocations are scheduled. Unimplemented names what the
// emitter cannot do: there is no fallback on the host.
using Emitter = absl::StatusOr<Kernel> (*)(mlir::func::FuncOp body, mlir::ModuleOp module,
                                           const Target& target);

// By kind, filled by each emitter's file: `TRAMA_VULKAN_KERNEL("matmul", EmitMatmul);`
bool RegisterEmitter(const char* kind, Emitter emitter);
Emitter FindEmitter(const std::string& kind);  // null where there is none
std::vector<std::string> EmitterKinds();

#define TRAMA_VULKAN_KERNEL(kind, emitter)                    \
  static const bool trama_vulkan_##emitter [[maybe_unused]] = \
      ::trama::vulkan::RegisterEmitter(kind, emitter)

}  // namespace trama::vulkan
