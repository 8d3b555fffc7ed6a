#include "backends/vulkan/device.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {
constexpr char kLayer[] = "VK_LAYER_KHRONOS_validation";
constexpr char kInstall[] = "install the GPU vendor's driver, or mesa-vulkan-drivers";

std::atomic<int64_t> all_messages{0};

bool HasLayer(const Functions& vk) {
  uint32_t count = 0;
  vk.EnumerateInstanceLayerProperties(&count, nullptr);
  std::vector<VkLayerProperties> layers(count);
  vk.EnumerateInstanceLayerProperties(&count, layers.data());
  return std::any_of(layers.begin(), layers.end(), [](const VkLayerProperties& layer) {
    return std::strcmp(layer.layerName, kLayer) == 0;
  });
}
}  // namespace

int64_t Device::messages_ever() { return all_messages.load(); }

VkBool32 VKAPI_PTR Device::OnMessage(VkDebugUtilsMessageSeverityFlagBitsEXT,
                                     VkDebugUtilsMessageTypeFlagsEXT,
                                     const VkDebugUtilsMessengerCallbackDataEXT* data, void* user) {
  auto* messages = static_cast<Messages*>(user);
  std::fprintf(stderr, "vulkan validation: %s\n", data->pMessage);
  std::lock_guard lock(messages->mutex);
  if (messages->count++ == 0) messages->first = data->pMessage;
  ++all_messages;
  return VK_FALSE;
}

VkDebugUtilsMessengerCreateInfoEXT Device::MessengerInfo() {
  VkDebugUtilsMessengerCreateInfoEXT info = {
      VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT};
  info.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT |
                         VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT;
  // Not the general ones: the loader's about drivers of other machines.
  info.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                     VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT;
  info.pfnUserCallback = &Device::OnMessage;
  info.pUserData = &messages_;
  return info;
}

absl::Status Device::CreateInstance(bool validation) {
  uint32_t version = VK_API_VERSION_1_0;
  TRAMA_VULKAN_RETURN_IF_ERROR(vk.EnumerateInstanceVersion(&version),
                               "asking for Vulkan's version");
  if (version < VK_API_VERSION_1_2)
    return absl::FailedPreconditionError(
        "the Vulkan loader is older than 1.2: install a newer one");
  VkApplicationInfo application = {VK_STRUCTURE_TYPE_APPLICATION_INFO};
  application.pApplicationName = application.pEngineName = "trama";
  application.apiVersion = std::min(version, VK_API_VERSION_1_3);
  VkInstanceCreateInfo info = {VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
  info.pApplicationInfo = &application;

  const char* layers[] = {kLayer};
  const char* extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
  VkDebugUtilsMessengerCreateInfoEXT messenger = MessengerInfo();  // for the instance's own calls
  const VkValidationFeatureEnableEXT enabled[] = {
      VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
  VkValidationFeaturesEXT features = {VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT, &messenger};
  features.enabledValidationFeatureCount = 1;
  features.pEnabledValidationFeatures = enabled;
  if (validation) {
    if (!HasLayer(vk))
      return absl::FailedPreconditionError(
          "validation: no VK_LAYER_KHRONOS_validation: install vulkan-validationlayers");
    info.pNext = &features;
    info.enabledLayerCount = 1;
    info.ppEnabledLayerNames = layers;
    info.enabledExtensionCount = 1;
    info.ppEnabledExtensionNames = extensions;
  }
  TRAMA_VULKAN_RETURN_IF_ERROR(vk.CreateInstance(&info, nullptr, &instance_), "starting Vulkan");
  TRAMA_RETURN_IF_ERROR(vk.LoadInstance(instance_));
  if (validation) {
    if (!vk.CreateDebugUtilsMessengerEXT)
      return absl::FailedPreconditionError("validation: the layer has no VK_EXT_debug_utils");
    messenger = MessengerInfo();
    TRAMA_VULKAN_RETURN_IF_ERROR(
        vk.CreateDebugUtilsMessengerEXT(instance_, &messenger, nullptr, &messenger_),
        "listening to the validation layer");
  }
  return absl::OkStatus();
}

absl::Status Device::CreateDevice(const DeviceOptions& options) {
  const DeviceProperties& device = properties();
  target_ = device.target;
  if (options.device_address && *options.device_address && !device.has_device_address)
    return absl::FailedPreconditionError(
        absl::StrCat("abi=address: ", device.name, " has no bufferDeviceAddress"));
  // lavapipe loads a vector at an address element by element: products take 1.4 times as long.
  target_.device_address =
      options.device_address.value_or(device.has_device_address && !device.target.is_cpu);
  target_.is_cpu = options.is_cpu.value_or(target_.is_cpu);
  if (options.narrow) options.narrow(target_);

  std::vector<const char*> extensions;
  if (device.has_memory_budget) extensions.push_back(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
  const bool matrices = !target_.matrices.empty();
  const bool bfloat16 =
      std::any_of(target_.matrices.begin(), target_.matrices.end(),
                  [](const MatrixShape& shape) { return shape.element == MatrixShape::kBF16; });
  VkPhysicalDeviceShaderBfloat16FeaturesKHR want_bfloat16 = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR};
  want_bfloat16.shaderBFloat16Type = want_bfloat16.shaderBFloat16CooperativeMatrix = VK_TRUE;
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR want_matrices = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
  want_matrices.cooperativeMatrix = VK_TRUE;
  VkPhysicalDeviceVulkan13Features want13 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                                             &want_matrices};
  want13.subgroupSizeControl = want13.computeFullSubgroups = VK_TRUE;
  VkPhysicalDeviceVulkan12Features want12 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
  if (matrices) {
    extensions.push_back(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
    want12.pNext = &want13;
    want12.vulkanMemoryModel = want12.vulkanMemoryModelDeviceScope = VK_TRUE;
  }
  if (bfloat16) {
    extensions.push_back(VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME);
    want_matrices.pNext = &want_bfloat16;
  }
  want12.timelineSemaphore = VK_TRUE;
  want12.bufferDeviceAddress = target_.device_address;
  want12.shaderFloat16 = target_.float16;
  want12.shaderInt8 = target_.int8;
  want12.storageBuffer8BitAccess = target_.storage8;
  VkPhysicalDeviceVulkan11Features want11 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                             &want12};
  want11.storageBuffer16BitAccess = target_.storage16;
  VkPhysicalDeviceFeatures want = {};
  want.shaderInt16 = target_.int16;
  want.shaderInt64 = target_.int64;
  want.shaderFloat64 = target_.float64;
  const float priority = 1;
  VkDeviceQueueCreateInfo queue = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO};
  queue.queueFamilyIndex = device.queue_family;
  queue.queueCount = 1;
  queue.pQueuePriorities = &priority;
  VkDeviceCreateInfo info = {VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, &want11};
  info.pEnabledFeatures = &want;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue;
  info.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
  info.ppEnabledExtensionNames = extensions.data();
  TRAMA_VULKAN_RETURN_IF_ERROR(vk.CreateDevice(device.handle, &info, nullptr, &device_),
                               absl::StrCat("opening ", device.name));
  TRAMA_RETURN_IF_ERROR(vk.LoadDevice(device_));
  vk.GetDeviceQueue(device_, device.queue_family, 0, &queue_);

  VkSemaphoreTypeCreateInfo type = {VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO};
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  VkSemaphoreCreateInfo semaphore = {VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, &type};
  TRAMA_VULKAN_RETURN_IF_ERROR(vk.CreateSemaphore(device_, &semaphore, nullptr, &timeline_),
                               "creating a semaphore");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Device>> Device::Open(const DeviceOptions& options) {
  std::unique_ptr<Device> device(new Device);
  TRAMA_ASSIGN_OR_RETURN(device->vk, Functions::Load(options.loader));
  TRAMA_RETURN_IF_ERROR(device->CreateInstance(options.validation));
  TRAMA_ASSIGN_OR_RETURN(device->all_, ListDevices(device->vk, device->instance_));
  if (device->all_.empty())
    return absl::FailedPreconditionError(absl::StrCat("no Vulkan device: ", kInstall));
  if (options.index < 0 || static_cast<size_t>(options.index) >= device->all_.size()) {
    std::string names;
    for (size_t i = 0; i < device->all_.size(); ++i)
      absl::StrAppend(&names, i ? ", " : "", i, ": ", device->all_[i].name);
    return absl::OutOfRangeError(
        absl::StrCat("no Vulkan device ", options.index, "; there are ", names));
  }
  device->index_ = static_cast<size_t>(options.index);
  const DeviceProperties& properties = device->properties();
  if (!properties.unfit.empty())
    return absl::FailedPreconditionError(
        absl::StrCat(properties.name, " cannot run kernels: ", properties.unfit));
  device->timeout_seconds_ = options.timeout_seconds > 0 ? options.timeout_seconds
                             : properties.is_cpu()       ? 3600
                                                         : 600;
  TRAMA_RETURN_IF_ERROR(device->CreateDevice(options));
  TRAMA_RETURN_IF_ERROR(device->CheckMessages());
  return device;
}

Device::~Device() {
  if (device_ && vk.DestroyDevice) {
    Wait().IgnoreError();
    if (timeline_) vk.DestroySemaphore(device_, timeline_, nullptr);
    vk.DestroyDevice(device_, nullptr);
  }
  if (messenger_) vk.DestroyDebugUtilsMessengerEXT(instance_, messenger_, nullptr);
  if (instance_ && vk.DestroyInstance) vk.DestroyInstance(instance_, nullptr);
}

absl::Status Device::Submit(VkCommandBuffer commands) {
  TRAMA_RETURN_IF_ERROR(failed_);
  const uint64_t end = submitted_ + 1;
  VkTimelineSemaphoreSubmitInfo timeline = {VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO};
  timeline.signalSemaphoreValueCount = 1;
  timeline.pSignalSemaphoreValues = &end;
  VkSubmitInfo submit = {VK_STRUCTURE_TYPE_SUBMIT_INFO, &timeline};
  submit.commandBufferCount = 1;
  submit.pCommandBuffers = &commands;
  submit.signalSemaphoreCount = 1;
  submit.pSignalSemaphores = &timeline_;
  const VkResult result = vk.QueueSubmit(queue_, 1, &submit, VK_NULL_HANDLE);
  if (result != VK_SUCCESS) return Failed(ToStatus(result, "starting a program"));
  submitted_ = end;
  return absl::OkStatus();
}

absl::Status Device::Wait(uint64_t submissions) {
  if (submissions <= ended_) return absl::OkStatus();
  TRAMA_RETURN_IF_ERROR(failed_);
  VkSemaphoreWaitInfo wait = {VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO};
  wait.semaphoreCount = 1;
  wait.pSemaphores = &timeline_;
  // One submission after the other, so that a long program is no hanging one.
  while (ended_ < submissions) {
    const uint64_t next = ended_ + 1;
    wait.pValues = &next;
    const VkResult result =
        vk.WaitSemaphores(device_, &wait, static_cast<uint64_t>(timeout_seconds_ * 1e9));
    if (result == VK_TIMEOUT) {
      Abandon();
      return Failed(absl::DeadlineExceededError(
          absl::StrCat(properties().name, " made no progress for ", timeout_seconds_,
                       " seconds: it hangs, or a kernel is too slow on it")));
    }
    if (result != VK_SUCCESS) return Failed(ToStatus(result, "running a program"));
    if (vk.GetSemaphoreCounterValue(device_, timeline_, &ended_) != VK_SUCCESS || ended_ < next)
      ended_ = next;
  }
  return absl::OkStatus();
}

absl::Status Device::Failed(absl::Status status) {
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) failed_ = status;
  return status;
}

// A device that hangs still uses what it was given: none of that is freed any more.
void Device::Abandon() {
#define TRAMA_VULKAN_KEEP(type, name) vk.name = [](VkDevice, type, const VkAllocationCallbacks*) {}
  TRAMA_VULKAN_KEEP(VkSemaphore, DestroySemaphore);
  TRAMA_VULKAN_KEEP(VkBuffer, DestroyBuffer);
  TRAMA_VULKAN_KEEP(VkDeviceMemory, FreeMemory);
  TRAMA_VULKAN_KEEP(VkPipeline, DestroyPipeline);
  TRAMA_VULKAN_KEEP(VkPipelineLayout, DestroyPipelineLayout);
  TRAMA_VULKAN_KEEP(VkDescriptorSetLayout, DestroyDescriptorSetLayout);
  TRAMA_VULKAN_KEEP(VkDescriptorPool, DestroyDescriptorPool);
  TRAMA_VULKAN_KEEP(VkCommandPool, DestroyCommandPool);
  TRAMA_VULKAN_KEEP(VkQueryPool, DestroyQueryPool);
#undef TRAMA_VULKAN_KEEP
  vk.DestroyDevice = [](VkDevice, const VkAllocationCallbacks*) {};
  vk.DestroyInstance = [](VkInstance, const VkAllocationCallbacks*) {};
  vk.DestroyDebugUtilsMessengerEXT = [](VkInstance, VkDebugUtilsMessengerEXT,
                                        const VkAllocationCallbacks*) {};
}

absl::Status Device::CheckMessages() const {
  std::lock_guard lock(messages_.mutex);
  if (messages_.count == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("Vulkan's validation layer has ", messages_.count,
                                          " messages, the first: ", messages_.first));
}

}  // namespace trama::vulkan
