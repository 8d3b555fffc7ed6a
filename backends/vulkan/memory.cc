#include "backends/vulkan/memory.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {
constexpr uint64_t kMaxBlock = uint64_t{512} << 20;
constexpr size_t kStaging = size_t{16} << 20;
// What is read from uncached memory word by word before a copy pays.
constexpr size_t kUncachedRead = 256;

constexpr VkMemoryPropertyFlags kMapped =
    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;

uint64_t NextId() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}
}  // namespace

Buffer::Buffer(Memory& memory, size_t bytes) : memory_(memory), bytes_(bytes), id_(NextId()) {}

Buffer::~Buffer() {
  Device& device = memory_.device();
  device.Wait().IgnoreError();
  if (handle_) device.vk.DestroyBuffer(device.handle(), handle_, nullptr);
  if (allocation_) device.vk.FreeMemory(device.handle(), allocation_, nullptr);
  memory_.allocated_bytes_ -= allocated_;
}

absl::Status Buffer::Write(size_t at, const void* src, size_t bytes) {
  TRAMA_RETURN_IF_ERROR(memory_.device().Wait());
  if (!mapped_) return memory_.Upload(*this, at, static_cast<const char*>(src), bytes);
  if (bytes) std::memcpy(mapped_ + at, src, bytes);
  return absl::OkStatus();
}

absl::Status Buffer::Read(size_t at, void* dst, size_t bytes) {
  TRAMA_RETURN_IF_ERROR(memory_.device().Wait());
  if (!mapped_ || (!cached_ && bytes > kUncachedRead))
    return memory_.Download(*this, at, static_cast<char*>(dst), bytes);
  if (bytes) std::memcpy(dst, mapped_ + at, bytes);
  return absl::OkStatus();
}

void* Buffer::Map() {
  if (!cached_ || !memory_.device().Wait().ok()) return nullptr;
  return mapped_;
}

Memory::Memory(Device& device, bool staging) : device_(device) {
  // Mapped memory is for all blocks or for none: a discrete GPU without resizable BAR shows the
  // host a window of 256 MiB only.
  const VkPhysicalDeviceMemoryProperties& memory = device.properties().memory;
  uint64_t largest = 0, visible = 0;
  for (uint32_t i = 0; i < memory.memoryTypeCount; ++i) {
    const VkMemoryPropertyFlags flags = memory.memoryTypes[i].propertyFlags;
    if (!(flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT)) continue;
    const uint64_t heap = memory.memoryHeaps[memory.memoryTypes[i].heapIndex].size;
    largest = std::max(largest, heap);
    if ((flags & kMapped) == kMapped) visible = std::max(visible, heap);
  }
  maps_device_memory_ = !staging && visible > 0 && visible == largest;
}

Memory::~Memory() {
  device_.Wait().IgnoreError();
  staging_.reset();
  if (pool_) device_.vk.DestroyCommandPool(device_.handle(), pool_, nullptr);
}

uint64_t Memory::alignment() const {
  const VkPhysicalDeviceLimits& limits = device_.properties().limits;
  return std::max(kAlignment, limits.minStorageBufferOffsetAlignment);
}

uint64_t Memory::max_block_bytes() const {
  return std::min(kMaxBlock, device_.properties().max_allocation_bytes) / alignment() * alignment();
}

int Memory::FindType(uint32_t allowed, VkMemoryPropertyFlags wanted,
                     VkMemoryPropertyFlags preferred) const {
  const VkPhysicalDeviceMemoryProperties& memory = device_.properties().memory;
  int found = -1;
  for (uint32_t i = 0; i < memory.memoryTypeCount; ++i) {
    const VkMemoryPropertyFlags flags = memory.memoryTypes[i].propertyFlags;
    if (!(allowed >> i & 1) || (flags & wanted) != wanted) continue;
    if ((flags & preferred) == preferred) return static_cast<int>(i);
    if (found < 0) found = static_cast<int>(i);
  }
  return found;
}

absl::Status Memory::Exhausted(uint64_t bytes, uint32_t heap) const {
  uint64_t free = device_.properties().memory.memoryHeaps[heap].size;
  if (device_.properties().has_memory_budget) {
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 memory = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, &budget};
    device_.vk.GetPhysicalDeviceMemoryProperties2(device_.properties().handle, &memory);
    free = budget.heapBudget[heap] - std::min(budget.heapUsage[heap], budget.heapBudget[heap]);
  } else {
    free -= std::min(free, allocated_bytes_);
  }
  return absl::ResourceExhaustedError(
      absl::StrCat(device_.properties().name, ": no memory for ", bytes, " bytes: ",
                   bytes > free ? absl::StrCat(bytes - free, " are missing (", free, " are free)")
                                : absl::StrCat("the driver has not so many in one piece"),
                   ", ", allocated_bytes_,
                   " are taken; a smaller batch, shorter sequences, recompute or bf16 need less"));
}

absl::Status Memory::Create(Buffer& buffer, VkBufferUsageFlags usage, VkMemoryPropertyFlags wanted,
                            VkMemoryPropertyFlags preferred) {
  const Functions& vk = device_.vk;
  const bool addressed = usage & VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
  // Whole vectors and words may be read and filled at the end of any buffer.
  const uint64_t padded = std::max<uint64_t>(buffer.bytes_, 1) + kAlignment - 1;
  if (padded < buffer.bytes_) return Exhausted(buffer.bytes_, 0);
  VkBufferCreateInfo info = {VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO};
  info.size = padded / kAlignment * kAlignment;
  info.usage = usage;
  const uint64_t limit = device_.properties().max_allocation_bytes;
  if (limit > 0 && info.size > limit)
    return absl::ResourceExhaustedError(
        absl::StrCat(device_.properties().name, ": no memory for ", buffer.bytes_,
                     " bytes in one piece: it gives at most ", limit));
  TRAMA_VULKAN_RETURN_IF_ERROR(vk.CreateBuffer(device_.handle(), &info, nullptr, &buffer.handle_),
                               absl::StrCat("creating a buffer of ", buffer.bytes_, " bytes"));
  VkMemoryRequirements needs;
  vk.GetBufferMemoryRequirements(device_.handle(), buffer.handle_, &needs);
  const int type = FindType(needs.memoryTypeBits, wanted, preferred);
  if (type < 0) return absl::InternalError("the Vulkan driver has no memory for storage buffers");
  const VkMemoryType& memory_type = device_.properties().memory.memoryTypes[type];

  VkMemoryAllocateFlagsInfo flags = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO};
  flags.flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT;
  VkMemoryAllocateInfo allocate = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
  allocate.pNext = addressed ? &flags : nullptr;
  allocate.allocationSize = needs.size;
  allocate.memoryTypeIndex = static_cast<uint32_t>(type);
  const VkResult result =
      vk.AllocateMemory(device_.handle(), &allocate, nullptr, &buffer.allocation_);
  if (result != VK_SUCCESS) {
    const absl::Status status = ToStatus(result, "allocating memory");
    return absl::IsResourceExhausted(status) ? Exhausted(needs.size, memory_type.heapIndex)
                                             : status;
  }
  buffer.allocated_ = needs.size;
  allocated_bytes_ += needs.size;
  TRAMA_VULKAN_RETURN_IF_ERROR(
      vk.BindBufferMemory(device_.handle(), buffer.handle_, buffer.allocation_, 0),
      "binding memory");
  if ((wanted & kMapped) == kMapped) {
    void* mapped = nullptr;
    TRAMA_VULKAN_RETURN_IF_ERROR(
        vk.MapMemory(device_.handle(), buffer.allocation_, 0, VK_WHOLE_SIZE, 0, &mapped),
        "mapping memory");
    buffer.mapped_ = static_cast<char*>(mapped);
    buffer.cached_ = memory_type.propertyFlags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  }
  if (addressed) {
    VkBufferDeviceAddressInfo address = {VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO};
    address.buffer = buffer.handle_;
    buffer.address_ = vk.GetBufferDeviceAddress(device_.handle(), &address);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Buffer>> Memory::Alloc(size_t bytes) {
  VkBufferUsageFlags usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                             VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  if (device_.target().device_address) usage |= VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
  const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
  std::unique_ptr<Buffer> buffer(new Buffer(*this, bytes));
  TRAMA_RETURN_IF_ERROR(maps_device_memory_ ? Create(*buffer, usage, local | kMapped,
                                                     VK_MEMORY_PROPERTY_HOST_CACHED_BIT)
                                            : Create(*buffer, usage, local, 0));
  if (buffer->mapped_) {
    std::memset(buffer->mapped_, 0, bytes);
  } else {
    TRAMA_RETURN_IF_ERROR(Execute([&](VkCommandBuffer commands) {
      device_.vk.CmdFillBuffer(commands, buffer->handle_, 0, VK_WHOLE_SIZE, 0);
    }));
  }
  return buffer;
}

template <typename Record>
absl::Status Memory::Execute(const Record& record) {
  const Functions& vk = device_.vk;
  if (!pool_) {
    VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
    pool.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
    pool.queueFamilyIndex = device_.properties().queue_family;
    TRAMA_VULKAN_RETURN_IF_ERROR(vk.CreateCommandPool(device_.handle(), &pool, nullptr, &pool_),
                                 "creating a command pool");
    VkCommandBufferAllocateInfo buffers = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO};
    buffers.commandPool = pool_;
    buffers.commandBufferCount = 1;
    TRAMA_VULKAN_RETURN_IF_ERROR(vk.AllocateCommandBuffers(device_.handle(), &buffers, &commands_),
                                 "creating a command buffer");
  }
  TRAMA_RETURN_IF_ERROR(device_.Wait());
  VkCommandBufferBeginInfo begin = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  begin.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  TRAMA_VULKAN_RETURN_IF_ERROR(vk.BeginCommandBuffer(commands_, &begin), "recording a copy");
  // After what earlier programs and copies wrote; before what the host reads and they read then.
  VkMemoryBarrier before = {VK_STRUCTURE_TYPE_MEMORY_BARRIER};
  before.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  before.dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  vk.CmdPipelineBarrier(commands_,
                        VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                        VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &before, 0, nullptr, 0, nullptr);
  record(commands_);
  VkMemoryBarrier after = {VK_STRUCTURE_TYPE_MEMORY_BARRIER};
  after.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT;
  after.dstAccessMask =
      VK_ACCESS_HOST_READ_BIT | VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;
  vk.CmdPipelineBarrier(commands_, VK_PIPELINE_STAGE_TRANSFER_BIT,
                        VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1,
                        &after, 0, nullptr, 0, nullptr);
  TRAMA_VULKAN_RETURN_IF_ERROR(vk.EndCommandBuffer(commands_), "recording a copy");
  TRAMA_RETURN_IF_ERROR(device_.Submit(commands_));
  return device_.Wait();
}

absl::Status Memory::PrepareStaging() {
  if (staging_) return absl::OkStatus();
  std::unique_ptr<Buffer> buffer(new Buffer(*this, kStaging));
  TRAMA_RETURN_IF_ERROR(Create(*buffer,
                               VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                               kMapped, VK_MEMORY_PROPERTY_HOST_CACHED_BIT));
  staging_ = std::move(buffer);
  return absl::OkStatus();
}

absl::Status Memory::Upload(Buffer& to, size_t at, const char* src, size_t bytes) {
  TRAMA_RETURN_IF_ERROR(PrepareStaging());
  for (size_t done = 0; done < bytes; done += kStaging) {
    const VkBufferCopy copy = {0, at + done, std::min(kStaging, bytes - done)};
    std::memcpy(staging_->mapped_, src + done, copy.size);
    TRAMA_RETURN_IF_ERROR(Execute([&](VkCommandBuffer commands) {
      device_.vk.CmdCopyBuffer(commands, staging_->handle_, to.handle_, 1, &copy);
    }));
  }
  return absl::OkStatus();
}

absl::Status Memory::Download(Buffer& from, size_t at, char* dst, size_t bytes) {
  TRAMA_RETURN_IF_ERROR(PrepareStaging());
  for (size_t done = 0; done < bytes; done += kStaging) {
    const VkBufferCopy copy = {at + done, 0, std::min(kStaging, bytes - done)};
    TRAMA_RETURN_IF_ERROR(Execute([&](VkCommandBuffer commands) {
      device_.vk.CmdCopyBuffer(commands, from.handle_, staging_->handle_, 1, &copy);
    }));
    std::memcpy(dst + done, staging_->mapped_, copy.size);
  }
  return absl::OkStatus();
}

}  // namespace trama::vulkan
