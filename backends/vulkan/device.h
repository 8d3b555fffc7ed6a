// An open Vulkan device: instance, logical device, one compute queue, and what validation said.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/vulkan/device_properties.h"
#include "backends/vulkan/loader.h"

namespace trama::vulkan {

struct DeviceOptions {
  int index = 0;                       // in the order of ListDevices
  bool validation = false;             // under VK_LAYER_KHRONOS_validation
  std::optional<bool> device_address;  // the kernels' ABI; absent: the faster one
  std::optional<bool> is_cpu;          // what kernels are made for; absent: what the device is
  // Takes from what kernels may use of the device. Null: they may use all.
  std::function<void(Target&)> narrow;
  std::string loader = "libvulkan.so.1";
  // How long a submission may take before the device is given up; 0: ten minutes, and an hour on a
  // processor, which is slow and does not hang.
  double timeout_seconds = 0;
};

class Device {
 public:
  // FailedPrecondition says what to install where there is no loader, driver or layer, and why the
  // device is unfit; OutOfRange names the devices there are.
  static absl::StatusOr<std::unique_ptr<Device>> Open(const DeviceOptions& options);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Its functions. Tests replace some to see what happens when they fail.
  Functions vk;
  VkDevice handle() const { return device_; }
  const DeviceProperties& properties() const { return all_[index_]; }
  const std::vector<DeviceProperties>& all() const { return all_; }
  // What kernels are compiled for, in the ABI asked for.
  const Target& target() const { return target_; }
  // How kernels that are compiled from now on cut matrix products.
  void SetTiles(std::shared_ptr<const TileChoice> tiles) { target_.tiles = std::move(tiles); }

  // Starts `commands`, which must stay until they have ended, after all submitted before.
  absl::Status Submit(VkCommandBuffer commands);
  // The submissions so far; a number that Wait takes.
  uint64_t submitted() const { return submitted_; }
  // Waits until that many have ended: all, without a number. Unavailable for a lost device,
  // DeadlineExceeded for one that hangs; every later call then says the same.
  absl::Status Wait(uint64_t submissions);
  absl::Status Wait() { return Wait(submitted_); }

  // Internal with the first message of the validation layers where there was one.
  absl::Status CheckMessages() const;
  // Messages about any device of this process, also those of its end.
  static int64_t messages_ever();

 private:
  struct Messages {
    mutable std::mutex mutex;
    int64_t count = 0;
    std::string first;
  };

  Device() = default;
  absl::Status CreateInstance(bool validation);
  absl::Status CreateDevice(const DeviceOptions& options);
  absl::Status Failed(absl::Status status);
  void Abandon();
  static VkBool32 VKAPI_PTR OnMessage(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                      VkDebugUtilsMessageTypeFlagsEXT types,
                                      const VkDebugUtilsMessengerCallbackDataEXT* data, void* user);
  VkDebugUtilsMessengerCreateInfoEXT MessengerInfo();

  VkInstance instance_ = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
  std::vector<DeviceProperties> all_;
  size_t index_ = 0;
  Target target_;
  VkDevice device_ = VK_NULL_HANDLE;
  VkQueue queue_ = VK_NULL_HANDLE;
  VkSemaphore timeline_ = VK_NULL_HANDLE;  // counts ended submissions
  uint64_t submitted_ = 0, ended_ = 0;
  double timeout_seconds_ = 0;
  absl::Status failed_;  // of a lost device
  Messages messages_;
};

}  // namespace trama::vulkan
