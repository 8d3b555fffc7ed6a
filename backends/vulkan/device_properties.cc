#include "backends/vulkan/device_properties.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace trama::vulkan {
namespace {

// SPIR-V 1.5 and timeline semaphores.
constexpr uint32_t kOldestApi = VK_API_VERSION_1_2;

std::string Version(uint32_t version) {
  return absl::StrCat(VK_API_VERSION_MAJOR(version), ".", VK_API_VERSION_MINOR(version), ".",
                      VK_API_VERSION_PATCH(version));
}

const char* TypeName(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return "discrete";
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return "integrated";
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return "virtual";
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return "cpu";
    default:
      return "other";
  }
}

void QueryMemory(const Functions& vk, DeviceProperties& device) {
  VkPhysicalDeviceMemoryProperties2 memory = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
  vk.GetPhysicalDeviceMemoryProperties2(device.handle, &memory);
  device.memory = memory.memoryProperties;
  for (uint32_t i = 0; i < device.memory.memoryHeapCount; ++i)
    if (device.memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
      device.memory_bytes = std::max(device.memory_bytes, device.memory.memoryHeaps[i].size);
  // A driver on the processor takes memory as any program does, and its heap is a number it made
  // up.
  if (device.target.is_cpu)
    device.memory_bytes =
        std::max(device.memory_bytes, static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                                          static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE)));
}

void QueryQueues(const Functions& vk, DeviceProperties& device) {
  uint32_t count = 0;
  vk.GetPhysicalDeviceQueueFamilyProperties(device.handle, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  vk.GetPhysicalDeviceQueueFamilyProperties(device.handle, &count, families.data());
  // One without graphics first: nothing on the screen waits for it.
  const auto rank = [](const VkQueueFamilyProperties& family) {
    if (!(family.queueFlags & VK_QUEUE_COMPUTE_BIT)) return 0;
    return family.queueFlags & VK_QUEUE_GRAPHICS_BIT ? 1 : 2;
  };
  int best = 0;
  for (uint32_t i = 0; i < count; ++i)
    if (rank(families[i]) > best) {
      best = rank(families[i]);
      device.queue_family = i;
      device.timestamp_bits =
          device.limits.timestampPeriod > 0 ? families[i].timestampValidBits : 0;
    }
  if (best == 0) device.unfit = "it has no queue for compute shaders";
}

bool HasExtension(const Functions& vk, VkPhysicalDevice device, const char* name) {
  uint32_t count = 0;
  vk.EnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr);
  std::vector<VkExtensionProperties> extensions(count);
  vk.EnumerateDeviceExtensionProperties(device, nullptr, &count, extensions.data());
  return std::any_of(extensions.begin(), extensions.end(), [&](const VkExtensionProperties& e) {
    return std::strcmp(e.extensionName, name) == 0;
  });
}

void QueryProperties(const Functions& vk, DeviceProperties& device) {
  VkPhysicalDeviceMaintenance4Properties buffers = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES};
  VkPhysicalDeviceVulkan12Properties core12 = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES};
  if (device.api_version >= VK_API_VERSION_1_3) core12.pNext = &buffers;
  VkPhysicalDeviceVulkan11Properties core11 = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES, &core12};
  VkPhysicalDeviceProperties2 properties = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                            &core11};
  vk.GetPhysicalDeviceProperties2(device.handle, &properties);
  device.driver =
      absl::StrCat(core12.driverName, *core12.driverInfo ? ", " : "", core12.driverInfo);
  device.max_allocation_bytes = core11.maxMemoryAllocationSize;
  if (buffers.maxBufferSize)
    device.max_allocation_bytes = std::min(device.max_allocation_bytes, buffers.maxBufferSize);
  const auto hex = [](const uint8_t* uuid) {
    return absl::BytesToHexString(
        absl::string_view(reinterpret_cast<const char*>(uuid), VK_UUID_SIZE));
  };
  const VkPhysicalDeviceProperties& core = properties.properties;
  device.identity = absl::StrCat(core.vendorID, " ", core.deviceID, " ", core.driverVersion, " ",
                                 hex(core11.deviceUUID), " ", hex(core11.driverUUID), " ",
                                 hex(core.pipelineCacheUUID), " ", device.driver);
  device.target.subgroup_size = core11.subgroupSize;
  device.target.special_values = core12.shaderSignedZeroInfNanPreserveFloat32;
  device.target.subgroup_arithmetic =
      (core11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
      (core11.subgroupSupportedOperations & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT);
  device.target.subgroup_shuffle =
      (core11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
      (core11.subgroupSupportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT);
}

void QueryFeatures(const Functions& vk, DeviceProperties& device) {
  VkPhysicalDeviceVulkan12Features core12 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
  VkPhysicalDeviceVulkan11Features core11 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                             &core12};
  VkPhysicalDeviceFeatures2 features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &core11};
  vk.GetPhysicalDeviceFeatures2(device.handle, &features);
  Target& target = device.target;
  target.int8 = core12.shaderInt8;
  target.int16 = features.features.shaderInt16;
  target.int64 = features.features.shaderInt64;
  target.float16 = core12.shaderFloat16;
  target.float64 = features.features.shaderFloat64;
  target.storage8 = core12.storageBuffer8BitAccess;
  target.storage16 = core11.storageBuffer16BitAccess;
  target.device_address = device.has_device_address = core12.bufferDeviceAddress;
  if (!core12.timelineSemaphore) device.unfit = "it has no timeline semaphores";
}

// The shapes of cooperative matrices that products may use; after QueryProperties and -Features.
void QueryMatrices(const Functions& vk, DeviceProperties& device) {
  Target& target = device.target;
  if (device.api_version < VK_API_VERSION_1_3 ||
      !vk.GetPhysicalDeviceCooperativeMatrixPropertiesKHR ||
      !HasExtension(vk, device.handle, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME))
    return;
  VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat16 = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR};
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
  if (HasExtension(vk, device.handle, VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME))
    matrix.pNext = &bfloat16;
  VkPhysicalDeviceVulkan13Features core13 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                                             &matrix};
  VkPhysicalDeviceVulkan12Features core12 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                             &core13};
  VkPhysicalDeviceFeatures2 features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &core12};
  vk.GetPhysicalDeviceFeatures2(device.handle, &features);
  VkPhysicalDeviceCooperativeMatrixPropertiesKHR stages = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR};
  VkPhysicalDeviceVulkan13Properties sizes = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES, &stages};
  VkPhysicalDeviceProperties2 properties = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &sizes};
  vk.GetPhysicalDeviceProperties2(device.handle, &properties);
  const bool compute = stages.cooperativeMatrixSupportedStages & sizes.requiredSubgroupSizeStages &
                       VK_SHADER_STAGE_COMPUTE_BIT;
  if (!compute || !matrix.cooperativeMatrix || !core12.vulkanMemoryModel ||
      !core12.vulkanMemoryModelDeviceScope || !core13.subgroupSizeControl ||
      !core13.computeFullSubgroups || sizes.maxComputeWorkgroupSubgroups < 8)
    return;
  // The one that the units are made for where there are several: 32 of AMD's, 8 or 16 of Intel's.
  target.matrix_subgroup_size = sizes.minSubgroupSize;
  uint32_t count = 0;
  vk.GetPhysicalDeviceCooperativeMatrixPropertiesKHR(device.handle, &count, nullptr);
  std::vector<VkCooperativeMatrixPropertiesKHR> all(
      count, {VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR});
  vk.GetPhysicalDeviceCooperativeMatrixPropertiesKHR(device.handle, &count, all.data());
  all.resize(count);
  const std::pair<VkComponentTypeKHR, MatrixShape::Element> elements[] = {
      {VK_COMPONENT_TYPE_FLOAT16_KHR, MatrixShape::kF16},
      {VK_COMPONENT_TYPE_BFLOAT16_KHR, MatrixShape::kBF16},
      {VK_COMPONENT_TYPE_FLOAT32_KHR, MatrixShape::kF32},
  };
  for (const VkCooperativeMatrixPropertiesKHR& p : all)
    for (const auto& [type, element] : elements) {
      bool has = p.AType == type && p.BType == type && p.scope == VK_SCOPE_SUBGROUP_KHR &&
                 p.CType == VK_COMPONENT_TYPE_FLOAT32_KHR && p.ResultType == p.CType;
      if (element == MatrixShape::kF16) has &= target.float16 && target.storage16;
      if (element == MatrixShape::kBF16)
        has &= target.int16 && target.storage16 && bfloat16.shaderBFloat16Type &&
               bfloat16.shaderBFloat16CooperativeMatrix;
      if (has) target.matrices.push_back({element, p.MSize, p.NSize, p.KSize});
    }
}

DeviceProperties Query(const Functions& vk, VkPhysicalDevice handle) {
  DeviceProperties device;
  device.handle = handle;
  VkPhysicalDeviceProperties core;
  vk.GetPhysicalDeviceProperties(handle, &core);
  device.name = core.deviceName;
  device.type = TypeName(core.deviceType);
  device.api_version = core.apiVersion;
  device.limits = core.limits;
  device.cache_header.headerSize = sizeof(device.cache_header);
  device.cache_header.headerVersion = VK_PIPELINE_CACHE_HEADER_VERSION_ONE;
  device.cache_header.vendorID = core.vendorID;
  device.cache_header.deviceID = core.deviceID;
  std::copy_n(core.pipelineCacheUUID, VK_UUID_SIZE, device.cache_header.pipelineCacheUUID);
  Target& target = device.target;
  target.is_cpu = core.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
  target.max_invocations = core.limits.maxComputeWorkGroupInvocations;
  std::copy_n(core.limits.maxComputeWorkGroupSize, 3, target.max_workgroup_size);
  target.max_workgroups = *std::min_element(core.limits.maxComputeWorkGroupCount,
                                            core.limits.maxComputeWorkGroupCount + 3);
  target.shared_bytes = core.limits.maxComputeSharedMemorySize;
  target.max_push_bytes = core.limits.maxPushConstantsSize;
  target.max_descriptors = std::min(core.limits.maxPerStageDescriptorStorageBuffers,
                                    core.limits.maxDescriptorSetStorageBuffers);
  // Pieces of a large buffer start where a descriptor may.
  target.max_buffer_range = core.limits.maxStorageBufferRange / 256 * uint64_t{256};
  target.device_address = false;
  QueryMemory(vk, device);
  QueryQueues(vk, device);
  if (core.apiVersion < kOldestApi) {
    device.unfit =
        absl::StrCat("it has Vulkan ", Version(core.apiVersion), ", not ", Version(kOldestApi));
    return device;
  }
  device.has_memory_budget = HasExtension(vk, handle, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
  QueryProperties(vk, device);
  QueryFeatures(vk, device);
  QueryMatrices(vk, device);
  return device;
}

constexpr int kUnfit = 5;

// The order of devices.
int Rank(const DeviceProperties& device) {
  if (!device.unfit.empty()) return kUnfit;
  if (device.type == "discrete") return 0;
  if (device.type == "integrated") return 1;
  if (device.type == "virtual") return 2;
  return device.is_cpu() ? 4 : 3;
}

}  // namespace

std::string Name(const MatrixShape& shape) {
  static constexpr const char* kElements[] = {"f16", "bf16", "f32"};
  return absl::StrCat("matrix_", kElements[shape.element], "_", shape.m, "x", shape.n, "x",
                      shape.k);
}

std::vector<std::string> DeviceProperties::Features() const {
  std::vector<std::string> names;
  const std::pair<bool, const char*> features[] = {
      {has_device_address, "device_address"},
      {timestamp_bits > 0, "timestamps"},
      {has_memory_budget, "memory_budget"},
      {target.float16, "float16"},
      {target.float64, "float64"},
      {target.int8, "int8"},
      {target.int16, "int16"},
      {target.int64, "int64"},
      {target.storage8, "storage8"},
      {target.storage16, "storage16"},
  };
  for (const auto& [has, name] : features)
    if (has) names.push_back(name);
  names.push_back(absl::StrCat("subgroup", target.subgroup_size));
  if (target.subgroup_arithmetic) names.push_back("subgroup_arithmetic");
  if (target.subgroup_shuffle) names.push_back("subgroup_shuffle");
  for (const MatrixShape& shape : target.matrices) names.push_back(Name(shape));
  return names;
}

std::string DeviceProperties::ApiVersion() const { return Version(api_version); }

absl::StatusOr<std::vector<DeviceProperties>> ListDevices(const Functions& vk,
                                                          VkInstance instance) {
  std::vector<VkPhysicalDevice> handles;
  VkResult result = VK_INCOMPLETE;
  while (result == VK_INCOMPLETE) {  // a device may come between the calls
    uint32_t count = 0;
    TRAMA_VULKAN_RETURN_IF_ERROR(vk.EnumeratePhysicalDevices(instance, &count, nullptr),
                                 "listing Vulkan devices");
    handles.resize(count);
    result = vk.EnumeratePhysicalDevices(instance, &count, handles.data());
    handles.resize(count);
  }
  TRAMA_VULKAN_RETURN_IF_ERROR(result, "listing Vulkan devices");
  std::vector<DeviceProperties> found, devices;
  for (VkPhysicalDevice handle : handles) found.push_back(Query(vk, handle));
  for (int rank = 0; rank <= kUnfit; ++rank)
    for (const DeviceProperties& device : found)
      if (Rank(device) == rank) devices.push_back(device);
  return devices;
}

}  // namespace trama::vulkan
