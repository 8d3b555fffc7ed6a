// The C ABI: buffers are host memory, a loaded plan is a list of calls, a run makes them in order.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "backends/api/plan.pb.h"
#include "backends/api/plugin_api.h"
#include "kernels.h"

// Codes of absl::StatusCode.
enum Code { kInvalidArgument = 3, kResourceExhausted = 8, kOutOfRange = 11, kUnimplemented = 12 };

struct TramaStatus {
  int code;
  std::string message;
};

struct TramaDevice {
  std::string info;
};

struct TramaBuffer {
  std::unique_ptr<char, decltype(&std::free)> data;
  size_t bytes;
};

struct TramaExecutable {
  trama::plan::Plan plan;
};

namespace my_backend {
namespace {

constexpr size_t kAlignment = 16;

TramaStr Str(const char* text) { return {text, std::strlen(text)}; }
TramaStatus* Error(int code, const std::string& message) {
  return new TramaStatus{code, "my_backend: " + message};
}

TramaStatus* Open(TramaStr, TramaDevice** out) {
  *out = new TramaDevice{R"({"device": "plain loops", "alignment": )" + std::to_string(kAlignment) +
                         R"(, "kernels": ")" + KernelNames() + "\"}"};
  return nullptr;
}

TramaStatus* Alloc(TramaDevice*, size_t bytes, TramaBuffer** out) {
  const size_t padded = bytes / kAlignment * kAlignment + kAlignment;
  void* data = padded > bytes ? std::aligned_alloc(kAlignment, padded) : nullptr;
  if (!data) return Error(kResourceExhausted, "no memory for " + std::to_string(bytes) + " bytes");
  std::memset(data, 0, padded);
  *out = new TramaBuffer{{static_cast<char*>(data), &std::free}, bytes};
  return nullptr;
}

TramaStatus* CheckRange(const TramaBuffer* buffer, size_t at, size_t bytes) {
  if (at <= buffer->bytes && bytes <= buffer->bytes - at) return nullptr;
  return Error(kOutOfRange, "the range is not inside the buffer");
}

TramaStatus* Write(TramaBuffer* buffer, size_t at, const void* src, size_t bytes) {
  if (TramaStatus* error = CheckRange(buffer, at, bytes)) return error;
  if (bytes) std::memcpy(buffer->data.get() + at, src, bytes);
  return nullptr;
}

TramaStatus* Read(TramaBuffer* buffer, size_t at, void* dst, size_t bytes) {
  if (TramaStatus* error = CheckRange(buffer, at, bytes)) return error;
  if (bytes) std::memcpy(dst, buffer->data.get() + at, bytes);
  return nullptr;
}

// "" or why this backend cannot run the plan.
std::string WhyNot(const trama::plan::Plan& plan, int* code) {
  *code = kInvalidArgument;
  for (const auto& buffer : plan.buffers()) {
    View view;
    if (!MakeView(buffer.type(), &view)) {
      *code = kUnimplemented;
      return "no kernels for " + buffer.type().dtype();
    }
    if (buffer.block() >= static_cast<uint32_t>(plan.blocks_size()) ||
        buffer.offset() > plan.blocks(buffer.block()).bytes() ||
        buffer.bytes() > plan.blocks(buffer.block()).bytes() - buffer.offset())
      return "buffer " + buffer.name() + " lies outside its block";
  }
  for (const auto& kernel : plan.kernels())
    if (!FindKernel(kernel.op())) {
      *code = kUnimplemented;
      return "no kernel for " + (kernel.op().empty() ? kernel.kind() : kernel.op());
    }
  for (const auto& kernel : plan.kernels())
    if (kernel.op() == "constant" && !kernel.attributes().contains("value")) {
      *code = kUnimplemented;
      return "no kernel for a constant of several values";
    }
  for (const auto& program : plan.programs())
    for (const auto& dispatch : program.dispatches()) {
      if (dispatch.kernel() >= static_cast<uint32_t>(plan.kernels_size()))
        return "a dispatch without a kernel";
      for (const auto* list : {&dispatch.operands(), &dispatch.results()})
        for (uint32_t buffer : *list)
          if (buffer >= static_cast<uint32_t>(plan.buffers_size()))
            return "a dispatch without a buffer";
    }
  return "";
}

TramaStatus* Load(TramaDevice*, TramaStr bytes, TramaExecutable** out) {
  auto executable = std::make_unique<TramaExecutable>();
  if (!executable->plan.ParseFromArray(bytes.data, static_cast<int>(bytes.size)))
    return Error(kInvalidArgument, "this is no plan");
  int code;
  if (const std::string why = WhyNot(executable->plan, &code); !why.empty())
    return Error(code, why);
  *out = executable.release();
  return nullptr;
}

TramaStatus* Run(TramaExecutable* executable, uint32_t program, TramaBuffer* const* blocks,
                 size_t num_blocks) {
  const trama::plan::Plan& plan = executable->plan;
  if (program >= static_cast<uint32_t>(plan.programs_size()))
    return Error(kInvalidArgument, "no program " + std::to_string(program));
  if (num_blocks != static_cast<size_t>(plan.blocks_size()))
    return Error(kInvalidArgument, "one buffer a block is needed");
  for (size_t i = 0; i < num_blocks; ++i)
    if (blocks[i]->bytes < plan.blocks(static_cast<int>(i)).bytes())
      return Error(kInvalidArgument, "a block is too small");
  const auto view = [&](uint32_t index) {
    const trama::plan::Buffer& buffer = plan.buffers(static_cast<int>(index));
    View view;
    MakeView(buffer.type(), &view);
    view.data = blocks[buffer.block()]->data.get() + buffer.offset();
    return view;
  };
  for (const auto& dispatch : plan.programs(static_cast<int>(program)).dispatches()) {
    Call call{plan.kernels(static_cast<int>(dispatch.kernel())), {}, {}};
    for (uint32_t index : dispatch.operands()) call.operands.push_back(view(index));
    for (uint32_t index : dispatch.results()) call.results.push_back(view(index));
    FindKernel(call.kernel.op())(call);
  }
  return nullptr;
}

TramaBackendApi MakeApi() {
  TramaBackendApi api = {};
  api.struct_size = sizeof(api);
  api.abi_major = TRAMA_ABI_MAJOR;
  api.abi_minor = TRAMA_ABI_MINOR;
  api.name = Str("my_backend");
  api.status_code = [](const TramaStatus* s) { return s ? s->code : 0; };
  api.status_message = [](const TramaStatus* s) {
    return s ? TramaStr{s->message.data(), s->message.size()} : TramaStr{"", 0};
  };
  api.status_free = [](TramaStatus* s) { delete s; };
  api.open = Open;
  api.close = [](TramaDevice* device) { delete device; };
  api.info = [](TramaDevice* device) { return Str(device->info.c_str()); };
  api.alloc = Alloc;
  api.free_buffer = [](TramaBuffer* buffer) { delete buffer; };
  api.write = Write;
  api.read = Read;
  api.map = [](TramaBuffer* buffer) -> void* { return buffer->data.get(); };
  api.load = Load;
  api.unload = [](TramaExecutable* executable) { delete executable; };
  api.run = Run;
  api.wait = [](TramaDevice*) -> TramaStatus* {
    return nullptr;
  };  // run() has ended when it returns
  api.statistics = [](TramaExecutable*) { return Str("{}"); };
  return api;
}

}  // namespace
}  // namespace my_backend

extern "C" TRAMA_EXPORT const TramaBackendApi* trama_backend_api(uint16_t host_major, uint16_t) {
  static const TramaBackendApi api = my_backend::MakeApi();
  return host_major == TRAMA_ABI_MAJOR ? &api : nullptr;
}
