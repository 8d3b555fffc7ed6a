// Devices of backend plugins: C++ ownership over the C ABI of backends/api/plugin_api.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/api/plan.pb.h"
#include "passes/device_target.h"
#include "runtime/registry.h"

namespace trama {

struct DeviceOptions {
  std::string plugin_path;                       // more folders to look for plugins in, "DIR[:DIR]"
  int device = 0;                                // which of the backend's devices
  int threads = 0;                               // 0: all cores
  std::string precision = {};                    // "f32", "bf16", "f64" or "" for the plan's types
  std::string cache_dir = {};                    // for compiled kernels; "" lets the backend choose
  std::map<std::string, std::string> more = {};  // any other option of the plugin
};

// A device's info(), parsed.
struct DeviceInfo {
  std::string backend;               // the plugin's name
  std::string plugin_path;           // its file
  std::string name;                  // the device: "Intel Xeon ..., AVX-512"
  std::vector<std::string> kernels;  // kinds and ops it has; "*": it compiles any body
  std::vector<std::string> features;
  int64_t devices = 1;                    // that the backend has: DeviceOptions.device is below it
  std::string driver, type, api;          // "NVIDIA 535.183", "discrete", "Vulkan 1.3.242"; or ""
  std::map<std::string, int64_t> limits;  // by name, as far as the backend tells them
  DeviceTarget target;                    // what the compiler needs of it
};

namespace device_internal {
struct Handle;
}

// Memory of a device. Keeps the device open.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { Free(); }

  size_t size() const { return size_; }
  // OutOfRange where the range is not inside the buffer.
  absl::Status Write(size_t at, const void* src, size_t bytes);
  absl::Status Read(size_t at, void* dst, size_t bytes) const;
  void* Map() const;  // the memory if the host can address it, else null
  TramaBuffer* handle() const { return handle_; }

 private:
  friend class Device;
  void Free();
  std::shared_ptr<device_internal::Handle> device_;
  TramaBuffer* handle_ = nullptr;
  size_t size_ = 0;
};

// A plan loaded by a device. Keeps the device open.
class Executable {
 public:
  Executable() = default;
  Executable(Executable&& other) noexcept { *this = std::move(other); }
  Executable& operator=(Executable&& other) noexcept;
  ~Executable() { Unload(); }

  // Starts program `program` of the plan over one buffer a block; Device::Wait waits for its end.
  absl::Status Run(uint32_t program, absl::Span<const Buffer> blocks);
  absl::Status Run(uint32_t program, absl::Span<TramaBuffer* const> blocks);
  std::string Statistics() const;  // JSON
  // What kernel `kernel` of the plan became, as text to read. Unimplemented where the backend does
  // not show it.
  absl::StatusOr<std::string> Code(uint32_t kernel) const;

 private:
  friend class Device;
  void Unload();
  std::shared_ptr<device_internal::Handle> device_;
  TramaExecutable* handle_ = nullptr;
};

class Device {
 public:
  // spec: a backend's name, or NAME:ARGS for one over others, as "check:reference,cpu". NotFound
  // and FailedPrecondition as Registry::Find; whatever the plugin's open() says.
  static absl::StatusOr<Device> Open(std::string_view spec, const DeviceOptions& options = {});

  const DeviceInfo& info() const;
  const DeviceTarget& target() const { return info().target; }

  // Zero-filled. ResourceExhausted where the device has not so much.
  absl::StatusOr<Buffer> Alloc(size_t bytes);
  // One buffer a block of the plan, in order.
  absl::StatusOr<std::vector<Buffer>> AllocBlocks(const plan::Plan& plan);
  // The plan compiled for this device; whatever its backend says of a plan that it does not run.
  absl::StatusOr<Executable> Load(const plan::Plan& plan);
  // For the end of all that runs. Unavailable and DeadlineExceeded: the device is lost.
  absl::Status Wait();

 private:
  explicit Device(std::shared_ptr<device_internal::Handle> handle) : handle_(std::move(handle)) {}
  std::shared_ptr<device_internal::Handle> handle_;
};

}  // namespace trama
