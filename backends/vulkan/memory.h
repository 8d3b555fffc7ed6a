// Memory of a Vulkan device: buffers, and the way of the host's bytes into and out of them.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/api/plugin.h"
#include "backends/vulkan/device.h"

namespace trama::vulkan {

class Memory;

// One VkBuffer with memory of its own. Reading and writing waits for what the device is doing.
class Buffer : public plugin::BufferBase {
 public:
  ~Buffer() override;
  size_t size() const override { return bytes_; }
  absl::Status Write(size_t at, const void* src, size_t bytes) override;
  absl::Status Read(size_t at, void* dst, size_t bytes) override;
  // Null where the host cannot address the memory, or reads it uncached.
  void* Map() override;

  VkBuffer handle() const { return handle_; }
  VkDeviceAddress address() const { return address_; }  // 0 in the descriptor ABI
  uint64_t id() const { return id_; }                   // no other buffer of the process has it

 private:
  friend class Memory;
  Buffer(Memory& memory, size_t bytes);

  Memory& memory_;
  size_t bytes_;
  uint64_t id_;
  VkBuffer handle_ = VK_NULL_HANDLE;
  VkDeviceMemory allocation_ = VK_NULL_HANDLE;
  uint64_t allocated_ = 0;
  VkDeviceAddress address_ = 0;
  char* mapped_ = nullptr;  // where the host can write
  bool cached_ = false;     // and read at the speed of memory
};

class Memory {
 public:
  // Starts of buffers in a block are multiples of it on every device known.
  static constexpr uint64_t kAlignment = 256;

  // staging: no memory is mapped, as where the host cannot address the device's.
  explicit Memory(Device& device, bool staging = false);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Zero-filled. ResourceExhausted says how many bytes are missing.
  absl::StatusOr<std::unique_ptr<Buffer>> Alloc(size_t bytes);

  Device& device() const { return device_; }
  uint64_t alignment() const;
  uint64_t max_block_bytes() const;  // at most 512 MiB: no driver has to find more in one piece
  uint64_t allocated_bytes() const { return allocated_bytes_; }

 private:
  friend class Buffer;
  absl::Status Create(Buffer& buffer, VkBufferUsageFlags usage, VkMemoryPropertyFlags wanted,
                      VkMemoryPropertyFlags preferred);
  int FindType(uint32_t allowed, VkMemoryPropertyFlags wanted,
               VkMemoryPropertyFlags preferred) const;
  absl::Status Exhausted(uint64_t bytes, uint32_t heap) const;
  // Through the staging buffer, piece by piece.
  absl::Status Upload(Buffer& to, size_t at, const char* src, size_t bytes);
  absl::Status Download(Buffer& from, size_t at, char* dst, size_t bytes);
  absl::Status PrepareStaging();
  // Records with `record` and runs it to its end.
  template <typename Record>
  absl::Status Execute(const Record& record);

  Device& device_;
  bool maps_device_memory_ = false;
  uint64_t allocated_bytes_ = 0;
  std::unique_ptr<Buffer> staging_;  // of the host's memory
  VkCommandPool pool_ = VK_NULL_HANDLE;
  VkCommandBuffer commands_ = VK_NULL_HANDLE;
};

}  // namespace trama::vulkan
