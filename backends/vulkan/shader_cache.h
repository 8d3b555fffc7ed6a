// Compiled kernels in this process: each distinct one compiled to SPIR-V, or read from the disk,
// and made into pipelines once.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/codegen/object_cache.h"
#include "backends/vulkan/compiler.h"
#include "backends/vulkan/memory.h"
#include "backends/vulkan/pipeline.h"

namespace trama::vulkan {

struct LoadedPhase {
  const Pipeline* pipeline = nullptr;
  std::array<uint32_t, 3> workgroups = {1, 1, 1};
  std::vector<BufferUse> buffers;
  bool is_copy = false;
};

// Bytes [offset, offset + bytes) of something.
struct ByteRange {
  uint64_t offset = 0, bytes = 0;
};

struct LoadedKernel {
  std::vector<LoadedPhase> phases;
  // Of a dispatch's scratch memory, at multiples of the device's alignment.
  std::vector<ByteRange> workspaces;
  uint64_t workspace_bytes = 0;  // in all
  std::vector<ByteRange> constants;
  std::unique_ptr<Buffer> constant_data;  // null where there are none
};

// A kernel to load: its kind, MLIR body and what identifies both.
struct KernelSource {
  std::string kind;
  const std::string* body;  // bytecode or text
  std::string hash;         // "" where unknown: taken from kind and body
};

struct LoadStatistics {
  int64_t compiled = 0, cached = 0;
  double compile_ms = 0;
};

class ShaderCache {
 public:
  // Keeps compiled kernels in `directory` ("": nowhere), and the driver's pipelines.
  ShaderCache(Memory& memory, const std::string& directory, int threads);

  // One entry a source, living as long as this. Kernels are compiled on all threads.
  absl::StatusOr<std::vector<const LoadedKernel*>> Load(absl::Span<const KernelSource> sources,
                                                        LoadStatistics* statistics);

  // One kernel as it is for `target`, which is the device's but for its tiles; kept nowhere.
  absl::StatusOr<LoadedKernel> Compile(const KernelSource& source, const Target& target);

 private:
  absl::StatusOr<LoadedKernel> Place(const CompiledKernel& compiled,
                                     absl::Span<const Pipeline* const> pipelines);

  Memory& memory_;
  const int threads_;
  codegen::ObjectCache cache_;
  Pipelines pipelines_;
  std::map<std::string, LoadedKernel> loaded_;  // by key
};

}  // namespace trama::vulkan
