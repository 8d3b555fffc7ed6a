// Compute pipelines: one for each distinct shader, made on several threads, kept by the driver's
// own cache from one process to the next.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/codegen/object_cache.h"
#include "backends/vulkan/device.h"
#include "backends/vulkan/lower_to_spirv.h"

namespace trama::vulkan {

struct Pipeline {
  VkPipeline handle = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;  // of the descriptor ABI
  // As in Shader.
  std::vector<uint32_t> pieces;
  bool address_table = false;

  uint32_t total_pieces() const;
};

// Calls function(i, thread) for i in [0, count) on up to `threads` threads, this one among them.
void ParallelFor(size_t count, int threads,
                 const std::function<void(size_t index, int thread)>& function);

class Pipelines {
 public:
  // `cache` keeps the driver's pipeline cache.
  Pipelines(Device& device, codegen::ObjectCache cache);
  ~Pipelines();
  Pipelines(const Pipelines&) = delete;
  Pipelines& operator=(const Pipelines&) = delete;

  // One a shader, living as long as this; equal shaders have the same.
  absl::StatusOr<std::vector<const Pipeline*>> Get(absl::Span<const Shader* const> shaders,
                                                   int threads);
  size_t size() const { return pipelines_.size(); }

 private:
  struct Layout {
    VkDescriptorSetLayout set = VK_NULL_HANDLE;
    VkPipelineLayout pipeline = VK_NULL_HANDLE;
  };
  absl::StatusOr<Layout> GetLayout(uint32_t buffers, bool address_table);
  absl::Status Create(const Shader& shader, Pipeline& pipeline);
  void CreateDriverCache();
  void StoreDriverCache();

  Device& device_;
  codegen::ObjectCache cache_;
  std::string cache_key_, stored_;
  VkPipelineCache driver_cache_ = VK_NULL_HANDLE;
  std::map<uint32_t, Layout> layouts_;  // by the number of buffers (descriptors) or push bytes
  std::map<std::string, std::unique_ptr<Pipeline>> pipelines_;  // by the shader's digest
};

}  // namespace trama::vulkan
