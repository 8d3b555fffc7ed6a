// The Vulkan loader, opened at run time: the plugin loads on a machine without it, and says so.
#pragma once

#include <string>

#ifndef VK_NO_PROTOTYPES
#define VK_NO_PROTOTYPES
#endif
#include <vulkan/vulkan_core.h>

#include "absl/status/statusor.h"
#include "backends/vulkan/newer_vulkan.h"

namespace trama::vulkan {

#define TRAMA_VULKAN_GLOBAL_FUNCTIONS(X) \
  X(CreateInstance)                      \
  X(EnumerateInstanceVersion)            \
  X(EnumerateInstanceLayerProperties)    \
  X(EnumerateInstanceExtensionProperties)

#define TRAMA_VULKAN_INSTANCE_FUNCTIONS(X)  \
  X(DestroyInstance)                        \
  X(EnumeratePhysicalDevices)               \
  X(GetPhysicalDeviceProperties)            \
  X(GetPhysicalDeviceProperties2)           \
  X(GetPhysicalDeviceFeatures2)             \
  X(GetPhysicalDeviceMemoryProperties2)     \
  X(GetPhysicalDeviceQueueFamilyProperties) \
  X(EnumerateDeviceExtensionProperties)     \
  X(CreateDevice)                           \
  X(GetDeviceProcAddr)

// Of extensions: null where the instance or its devices have them not.
#define TRAMA_VULKAN_EXTENSION_FUNCTIONS(X) \
  X(CreateDebugUtilsMessengerEXT)           \
  X(DestroyDebugUtilsMessengerEXT)          \
  X(GetPhysicalDeviceCooperativeMatrixPropertiesKHR)

#define TRAMA_VULKAN_DEVICE_FUNCTIONS(X) \
  X(DestroyDevice)                       \
  X(GetDeviceQueue)                      \
  X(QueueSubmit)                         \
  X(CreateSemaphore)                     \
  X(DestroySemaphore)                    \
  X(GetSemaphoreCounterValue)            \
  X(WaitSemaphores)                      \
  X(CreateBuffer)                        \
  X(DestroyBuffer)                       \
  X(GetBufferMemoryRequirements)         \
  X(GetBufferDeviceAddress)              \
  X(AllocateMemory)                      \
  X(FreeMemory)                          \
  X(BindBufferMemory)                    \
  X(MapMemory)                           \
  X(CreateShaderModule)                  \
  X(DestroyShaderModule)                 \
  X(CreateDescriptorSetLayout)           \
  X(DestroyDescriptorSetLayout)          \
  X(CreatePipelineLayout)                \
  X(DestroyPipelineLayout)               \
  X(CreatePipelineCache)                 \
  X(DestroyPipelineCache)                \
  X(GetPipelineCacheData)                \
  X(CreateComputePipelines)              \
  X(DestroyPipeline)                     \
  X(CreateCommandPool)                   \
  X(DestroyCommandPool)                  \
  X(AllocateCommandBuffers)              \
  X(FreeCommandBuffers)                  \
  X(BeginCommandBuffer)                  \
  X(EndCommandBuffer)                    \
  X(CreateDescriptorPool)                \
  X(DestroyDescriptorPool)               \
  X(AllocateDescriptorSets)              \
  X(UpdateDescriptorSets)                \
  X(CreateQueryPool)                     \
  X(DestroyQueryPool)                    \
  X(GetQueryPoolResults)                 \
  X(CmdBindPipeline)                     \
  X(CmdBindDescriptorSets)               \
  X(CmdPushConstants)                    \
  X(CmdDispatch)                         \
  X(CmdPipelineBarrier)                  \
  X(CmdCopyBuffer)                       \
  X(CmdFillBuffer)                       \
  X(CmdResetQueryPool)                   \
  X(CmdWriteTimestamp)

// Vulkan's functions, of one instance and device, without their prefix.
struct Functions {
#define TRAMA_VULKAN_MEMBER(name) PFN_vk##name name = nullptr;
  TRAMA_VULKAN_GLOBAL_FUNCTIONS(TRAMA_VULKAN_MEMBER)
  TRAMA_VULKAN_INSTANCE_FUNCTIONS(TRAMA_VULKAN_MEMBER)
  TRAMA_VULKAN_EXTENSION_FUNCTIONS(TRAMA_VULKAN_MEMBER)
  TRAMA_VULKAN_DEVICE_FUNCTIONS(TRAMA_VULKAN_MEMBER)
#undef TRAMA_VULKAN_MEMBER
  PFN_vkGetInstanceProcAddr GetInstanceProcAddr = nullptr;

  // The functions that need no instance. FailedPrecondition where there is no such library.
  static absl::StatusOr<Functions> Load(const std::string& library = "libvulkan.so.1");
  absl::Status LoadInstance(VkInstance instance);
  absl::Status LoadDevice(VkDevice device);
};

// ResourceExhausted where memory ends, Unavailable for a lost device, FailedPrecondition where the
// driver cannot serve us, else Internal. `what` was being done: "creating a buffer".
absl::Status ToStatus(VkResult result, absl::string_view what);

#define TRAMA_VULKAN_RETURN_IF_ERROR(call, what)                            \
  do {                                                                      \
    if (const VkResult trama_result_ = (call); trama_result_ != VK_SUCCESS) \
      return ::trama::vulkan::ToStatus(trama_result_, what);                \
  } while (false)

}  // namespace trama::vulkan
