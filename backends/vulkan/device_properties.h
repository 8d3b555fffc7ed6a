// What a Vulkan device is, has and can do, as its driver says.
#pragma once

#include <string>
#include <vector>

#include "backends/vulkan/loader.h"
#include "backends/vulkan/target.h"

namespace trama::vulkan {

struct DeviceProperties {
  VkPhysicalDevice handle = VK_NULL_HANDLE;
  std::string name;      // "llvmpipe (LLVM 15.0.6, 256 bits)"
  std::string driver;    // "llvmpipe, Mesa 22.3.6 (LLVM 15.0.6)"
  std::string type;      // "discrete", "integrated", "virtual", "cpu" or "other"
  std::string identity;  // of device and driver: what a pipeline cache belongs to
  VkPipelineCacheHeaderVersionOne cache_header = {};  // what its pipeline caches start with
  uint32_t api_version = 0;
  std::string unfit;  // why it cannot run kernels; "" where it can

  VkPhysicalDeviceLimits limits = {};
  VkPhysicalDeviceMemoryProperties memory = {};
  uint64_t max_allocation_bytes = 0;  // of one buffer and its memory
  uint64_t memory_bytes = 0;          // of its largest local heap
  bool has_memory_budget = false;     // VK_EXT_memory_budget

  uint32_t queue_family = 0;
  uint32_t timestamp_bits = 0;  // 0: its queue has no timestamps
  bool has_device_address = false;
  // What kernels may use; device_address is whether they can.
  Target target;

  bool is_cpu() const { return target.is_cpu; }
  // What its shaders have, by name; not "f16" and its like, which are tensors' types that a backend
  // computes in.
  std::vector<std::string> Features() const;
  std::string ApiVersion() const;  // "1.3.230"
};

// Every device of the machine: GPUs of their own first, then integrated ones, processors, and what
// is unfit last.
absl::StatusOr<std::vector<DeviceProperties>> ListDevices(const Functions& vk, VkInstance instance);

}  // namespace trama::vulkan
