#include "backends/vulkan/loader.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"

namespace trama::vulkan {

absl::StatusOr<Functions> Functions::Load(const std::string& library) {
  // Never closed: drivers leave threads and thread-local destructors behind.
  void* loader = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  Functions vk;
  if (loader)
    vk.GetInstanceProcAddr =
        reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(loader, "vkGetInstanceProcAddr"));
  if (!vk.GetInstanceProcAddr) {
    const char* why = dlerror();
    return absl::FailedPreconditionError(absl::StrCat(
        "no Vulkan loader (", why ? why : library,
        "): install libvulkan1, and a driver: the GPU vendor's or mesa-vulkan-drivers"));
  }
#define TRAMA_VULKAN_LOAD(name)                                                          \
  vk.name = reinterpret_cast<PFN_vk##name>(vk.GetInstanceProcAddr(nullptr, "vk" #name)); \
  if (!vk.name)                                                                          \
    return absl::FailedPreconditionError(                                                \
        absl::StrCat(library, " has no vk" #name ": it is too old"));
  TRAMA_VULKAN_GLOBAL_FUNCTIONS(TRAMA_VULKAN_LOAD)
#undef TRAMA_VULKAN_LOAD
  return vk;
}

absl::Status Functions::LoadInstance(VkInstance instance) {
#define TRAMA_VULKAN_LOAD(name) \
  name = reinterpret_cast<PFN_vk##name>(GetInstanceProcAddr(instance, "vk" #name));
  TRAMA_VULKAN_EXTENSION_FUNCTIONS(TRAMA_VULKAN_LOAD)
#undef TRAMA_VULKAN_LOAD
#define TRAMA_VULKAN_LOAD(name)                                                     \
  name = reinterpret_cast<PFN_vk##name>(GetInstanceProcAddr(instance, "vk" #name)); \
  if (!name) return absl::FailedPreconditionError("the Vulkan loader has no vk" #name);
  TRAMA_VULKAN_INSTANCE_FUNCTIONS(TRAMA_VULKAN_LOAD)
#undef TRAMA_VULKAN_LOAD
  return absl::OkStatus();
}

absl::Status Functions::LoadDevice(VkDevice device) {
#define TRAMA_VULKAN_LOAD(name)                                                 \
  name = reinterpret_cast<PFN_vk##name>(GetDeviceProcAddr(device, "vk" #name)); \
  if (!name) return absl::FailedPreconditionError("the Vulkan driver has no vk" #name);
  TRAMA_VULKAN_DEVICE_FUNCTIONS(TRAMA_VULKAN_LOAD)
#undef TRAMA_VULKAN_LOAD
  return absl::OkStatus();
}

absl::Status ToStatus(VkResult result, absl::string_view what) {
  switch (result) {
    case VK_SUCCESS:
      return absl::OkStatus();
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_FRAGMENTATION:
    case VK_ERROR_TOO_MANY_OBJECTS:
      return absl::ResourceExhaustedError(
          absl::StrCat(what, ": the Vulkan device is out of memory"));
    case VK_ERROR_DEVICE_LOST:
      return absl::UnavailableError(absl::StrCat(
          what, ": the Vulkan device was lost (its driver reset it, or it was removed)"));
    case VK_ERROR_INCOMPATIBLE_DRIVER:
      return absl::FailedPreconditionError(absl::StrCat(
          what, ": no Vulkan driver: install the GPU vendor's or mesa-vulkan-drivers"));
    case VK_ERROR_INITIALIZATION_FAILED:
    case VK_ERROR_FEATURE_NOT_PRESENT:
    case VK_ERROR_EXTENSION_NOT_PRESENT:
    case VK_ERROR_LAYER_NOT_PRESENT:
      return absl::FailedPreconditionError(absl::StrCat(
          what, ": the Vulkan driver refuses (VkResult ", static_cast<int>(result), ")"));
    default:
      return absl::InternalError(absl::StrCat(what, ": VkResult ", static_cast<int>(result)));
  }
}

}  // namespace trama::vulkan
