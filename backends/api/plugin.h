// C++ glue for plugins built with Abseil: derive from DeviceBase and ExecutableBase, and let
// TRAMA_BACKEND turn them into the C functions of plugin_api.h.
//
//   absl::StatusOr<std::unique_ptr<plugin::DeviceBase>> Open(const plugin::Options& options);
//   TRAMA_BACKEND("cpu", Open)
//
// Everything is inline, so that each plugin has a copy of its own; compile plugins with
// -fvisibility=hidden.
#pragma once

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "backends/api/plugin_api.h"

namespace trama::plugin {

// What the host passed to open(): device, threads, precision, cache_dir, ...
using Options = std::map<std::string, std::string, std::less<>>;

inline std::string_view GetOption(const Options& options, std::string_view key,
                                  std::string_view fallback = "") {
  const auto it = options.find(key);
  return it == options.end() ? fallback : std::string_view(it->second);
}

class BufferBase {
 public:
  virtual ~BufferBase() = default;
  virtual size_t size() const = 0;
  // The range lies inside the buffer: the glue has checked.
  virtual absl::Status Write(size_t at, const void* src, size_t bytes) = 0;
  virtual absl::Status Read(size_t at, void* dst, size_t bytes) = 0;
  virtual void* Map() { return nullptr; }  // null where the host cannot address it
};

class ExecutableBase {
 public:
  virtual ~ExecutableBase() = default;
  // blocks: one buffer of this device a block of the plan. May return before the end of the run.
  virtual absl::Status Run(uint32_t program, absl::Span<BufferBase* const> blocks) = 0;
  virtual std::string Statistics() { return "{}"; }  // JSON
  // What that kernel of the plan became, to read.
  virtual absl::StatusOr<std::string> Code(uint32_t kernel) {
    return absl::UnimplementedError("this backend does not show its code");
  }
};

class DeviceBase {
 public:
  virtual ~DeviceBase() = default;
  virtual std::string Info() = 0;  // JSON, asked once
  // Zero-filled. ResourceExhausted where the device has not so much.
  virtual absl::StatusOr<std::unique_ptr<BufferBase>> Alloc(size_t bytes) = 0;
  // plan: a serialised trama.plan.Plan.
  virtual absl::StatusOr<std::unique_ptr<ExecutableBase>> Load(std::string_view plan) = 0;
  virtual absl::Status Wait() { return absl::OkStatus(); }
};

// Host memory, aligned to 64 bytes.
class HostBuffer : public BufferBase {
 public:
  static constexpr size_t kAlignment = 64;

  static absl::StatusOr<std::unique_ptr<BufferBase>> Create(size_t bytes) {
    if (bytes > SIZE_MAX - kAlignment) return Exhausted(bytes);
    const size_t padded = (bytes + kAlignment) / kAlignment * kAlignment;  // never 0
    void* data = std::aligned_alloc(kAlignment, padded);
    if (!data) return Exhausted(bytes);
    std::memset(data, 0, padded);
    return std::unique_ptr<BufferBase>(new HostBuffer(data, bytes));
  }
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;
  ~HostBuffer() override { std::free(data_); }

  size_t size() const override { return bytes_; }
  absl::Status Write(size_t at, const void* src, size_t bytes) override {
    if (bytes) std::memcpy(static_cast<char*>(data_) + at, src, bytes);
    return absl::OkStatus();
  }
  absl::Status Read(size_t at, void* dst, size_t bytes) override {
    if (bytes) std::memcpy(dst, static_cast<const char*>(data_) + at, bytes);
    return absl::OkStatus();
  }
  void* Map() override { return data_; }

 private:
  HostBuffer(void* data, size_t bytes) : data_(data), bytes_(bytes) {}
  static absl::Status Exhausted(size_t bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory for ", bytes, " bytes"));
  }

  void* data_;
  size_t bytes_;
};

}  // namespace trama::plugin

// The handles of the C ABI.
struct TramaStatus {
  absl::Status status;
};
struct TramaDevice {
  std::unique_ptr<trama::plugin::DeviceBase> impl;
  std::string info;
};
struct TramaBuffer {
  std::unique_ptr<trama::plugin::BufferBase> impl;
};
struct TramaExecutable {
  std::unique_ptr<trama::plugin::ExecutableBase> impl;
  std::string statistics, code;
};

namespace trama::plugin {

inline TramaStr ToC(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view FromC(TramaStr text) { return {text.data, text.size}; }
inline TramaStatus* ToC(absl::Status status) {
  return status.ok() ? nullptr : new TramaStatus{std::move(status)};
}

inline Options ParseOptions(std::string_view text) {
  Options options;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (const size_t equals = line.find('='); equals != std::string_view::npos)
      options[std::string(line.substr(0, equals))] = std::string(line.substr(equals + 1));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return options;
}

inline absl::Status CheckRange(const BufferBase& buffer, size_t at, size_t bytes) {
  if (at <= buffer.size() && bytes <= buffer.size() - at) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat("bytes ", at, " to ", at, "+", bytes,
                                            " of a buffer of ", buffer.size(), " bytes"));
}

using OpenFunction = absl::StatusOr<std::unique_ptr<DeviceBase>> (*)(const Options&);

template <OpenFunction open>
TramaBackendApi MakeApi(std::string_view name) {
  TramaBackendApi api = {};
  api.struct_size = sizeof(TramaBackendApi);
  api.abi_major = TRAMA_ABI_MAJOR;
  api.abi_minor = TRAMA_ABI_MINOR;
  api.name = ToC(name);
  api.status_code = [](const TramaStatus* s) { return s ? static_cast<int>(s->status.code()) : 0; };
  api.status_message = [](const TramaStatus* s) {
    return s ? ToC(std::string_view(s->status.message().data(), s->status.message().size()))
             : TramaStr{"", 0};
  };
  api.status_free = [](TramaStatus* s) { delete s; };
  api.open = [](TramaStr options, TramaDevice** out) -> TramaStatus* {
    auto device = open(ParseOptions(FromC(options)));
    if (!device.ok()) return ToC(device.status());
    std::string info = (*device)->Info();
    *out = new TramaDevice{*std::move(device), std::move(info)};
    return nullptr;
  };
  api.close = [](TramaDevice* device) { delete device; };
  api.info = [](TramaDevice* device) { return ToC(std::string_view(device->info)); };
  api.alloc = [](TramaDevice* device, size_t bytes, TramaBuffer** out) -> TramaStatus* {
    auto buffer = device->impl->Alloc(bytes);
    if (!buffer.ok()) return ToC(buffer.status());
    *out = new TramaBuffer{*std::move(buffer)};
    return nullptr;
  };
  api.free_buffer = [](TramaBuffer* buffer) { delete buffer; };
  api.write = [](TramaBuffer* buffer, size_t at, const void* src, size_t bytes) {
    absl::Status status = CheckRange(*buffer->impl, at, bytes);
    return ToC(status.ok() ? buffer->impl->Write(at, src, bytes) : status);
  };
  api.read = [](TramaBuffer* buffer, size_t at, void* dst, size_t bytes) {
    absl::Status status = CheckRange(*buffer->impl, at, bytes);
    return ToC(status.ok() ? buffer->impl->Read(at, dst, bytes) : status);
  };
  api.map = [](TramaBuffer* buffer) { return buffer->impl->Map(); };
  api.load = [](TramaDevice* device, TramaStr plan, TramaExecutable** out) -> TramaStatus* {
    auto executable = device->impl->Load(FromC(plan));
    if (!executable.ok()) return ToC(executable.status());
    *out = new TramaExecutable{*std::move(executable), {}, {}};
    return nullptr;
  };
  api.unload = [](TramaExecutable* executable) { delete executable; };
  api.run = [](TramaExecutable* executable, uint32_t program, TramaBuffer* const* blocks,
               size_t num_blocks) {
    absl::InlinedVector<BufferBase*, 8> buffers;
    for (size_t i = 0; i < num_blocks; ++i) buffers.push_back(blocks[i]->impl.get());
    return ToC(executable->impl->Run(program, buffers));
  };
  api.wait = [](TramaDevice* device) { return ToC(device->impl->Wait()); };
  api.statistics = [](TramaExecutable* executable) {
    executable->statistics = executable->impl->Statistics();
    return ToC(std::string_view(executable->statistics));
  };
  api.code = [](TramaExecutable* executable, uint32_t kernel, TramaStr* out) -> TramaStatus* {
    auto code = executable->impl->Code(kernel);
    if (!code.ok()) return ToC(code.status());
    executable->code = *std::move(code);
    *out = ToC(std::string_view(executable->code));
    return nullptr;
  };
  return api;
}

}  // namespace trama::plugin

// Defines the plugin's exported symbol.
#define TRAMA_BACKEND(name, open)                                                             \
  extern "C" TRAMA_EXPORT const TramaBackendApi* trama_backend_api(uint16_t host_major,       \
                                                                   uint16_t /*host_minor*/) { \
    static const TramaBackendApi api = ::trama::plugin::MakeApi<open>(name);                  \
    return host_major == TRAMA_ABI_MAJOR ? &api : nullptr;                                    \
  }
