#include "runtime/device.h"

#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "runtime/formats/json.h"

namespace trama {
namespace device_internal {
// The open device: closed with the last of Device, Buffer and Executable that holds it.
struct Handle {
  Plugin plugin;
  TramaDevice* device = nullptr;
  DeviceInfo info;

  const TramaBackendApi& api() const { return *plugin.api; }
  ~Handle() {
    if (device) api().close(device);
  }
};
}  // namespace device_internal

namespace {

std::string OptionText(const DeviceOptions& options, std::string_view arguments) {
  std::map<std::string, std::string> values = options.more;
  values.emplace("device", absl::StrCat(options.device));
  values.emplace("threads", absl::StrCat(options.threads));
  if (!options.precision.empty()) values["precision"] = options.precision;
  if (!options.cache_dir.empty()) values["cache_dir"] = options.cache_dir;
  if (!options.plugin_path.empty()) values["plugin_path"] = options.plugin_path;
  if (!arguments.empty()) values["backends"] = std::string(arguments);
  std::string text;
  for (const auto& [key, value] : values) absl::StrAppend(&text, key, "=", value, "\n");
  return text;
}

absl::Status ParseInfo(std::string_view text, DeviceInfo& info) {
  TRAMA_ASSIGN_OR_RETURN(const Json json, Json::Parse(text));
  TRAMA_ASSIGN_OR_RETURN(info.name, json.GetOr<std::string>("device", info.backend));
  TRAMA_ASSIGN_OR_RETURN(const std::string kernels, json.GetOr<std::string>("kernels", "*"));
  TRAMA_ASSIGN_OR_RETURN(info.features, json.GetOr<std::vector<std::string>>("features", {}));
  TRAMA_ASSIGN_OR_RETURN(info.devices, json.GetOr<int64_t>("devices", 1));
  TRAMA_ASSIGN_OR_RETURN(info.driver, json.GetOr<std::string>("driver", ""));
  TRAMA_ASSIGN_OR_RETURN(info.type, json.GetOr<std::string>("type", ""));
  TRAMA_ASSIGN_OR_RETURN(info.api, json.GetOr<std::string>("api", ""));
  if (const Json* limits = json.Find("limits"))
    for (const auto& [name, value] : limits->object())
      if (value.if_int()) info.limits[name] = *value.if_int();
  DeviceTarget& target = info.target;
  target.compiles_bodies = false;
  info.kernels = absl::StrSplit(kernels, ',', absl::SkipEmpty());
  for (const std::string& kernel : info.kernels) {
    if (kernel == "*")
      target.compiles_bodies = true;
    else
      target.anchors.push_back(kernel);
  }
  target.narrow_products.clear();
  for (const std::string& feature : info.features)
    if (feature == "bf16_products" || feature == "f16_products")
      target.narrow_products.push_back(feature.substr(0, feature.find('_')));
  const std::pair<const char*, uint64_t*> sizes[] = {
      {"alignment", &target.alignment},
      {"max_block_bytes", &target.max_block_bytes},
      {"memory_bytes", &target.memory_bytes},
  };
  for (const auto& [key, value] : sizes) {
    if (const Json* member = json.Find(key); !member || member->if_double())
      continue;  // above 2^63
    TRAMA_ASSIGN_OR_RETURN(const int64_t bytes, json.Get<int64_t>(key));
    if (bytes < 1)
      return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" is ", bytes, ", not above 0"));
    *value = static_cast<uint64_t>(bytes);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Device> Device::Open(std::string_view spec, const DeviceOptions& options) {
  const size_t colon = spec.find(':');
  const std::string_view arguments = colon == std::string_view::npos ? "" : spec.substr(colon + 1);
  auto handle = std::make_shared<device_internal::Handle>();
  TRAMA_ASSIGN_OR_RETURN(handle->plugin, Registry(options.plugin_path).Find(spec.substr(0, colon)));
  const Plugin& plugin = handle->plugin;
  const std::string text = OptionText(options, arguments);
  TRAMA_RETURN_IF_ERROR(plugin.Take(plugin.api->open({text.data(), text.size()}, &handle->device)));
  handle->info.backend = std::string(spec);
  handle->info.plugin_path = plugin.path;
  const TramaStr info = plugin.api->info(handle->device);
  if (absl::Status parsed = ParseInfo({info.data, info.size}, handle->info); !parsed.ok())
    return absl::FailedPreconditionError(
        absl::StrCat(plugin.path, ": its info() is wrong (", parsed.message(), ")"));
  // Of what is checked, each has devices of its own.
  if (arguments.empty() && (options.device < 0 || options.device >= handle->info.devices))
    return absl::InvalidArgumentError(absl::StrCat("no device ", options.device, ": backend ",
                                                   handle->info.backend, " has ",
                                                   handle->info.devices, ", counted from 0"));
  return Device(std::move(handle));
}

const DeviceInfo& Device::info() const { return handle_->info; }

absl::StatusOr<Buffer> Device::Alloc(size_t bytes) {
  Buffer buffer;
  TRAMA_RETURN_IF_ERROR(
      handle_->plugin.Take(handle_->api().alloc(handle_->device, bytes, &buffer.handle_)));
  buffer.device_ = handle_;
  buffer.size_ = bytes;
  return buffer;
}

absl::StatusOr<std::vector<Buffer>> Device::AllocBlocks(const plan::Plan& plan) {
  std::vector<Buffer> blocks;
  for (const plan::Block& block : plan.blocks()) {
    TRAMA_ASSIGN_OR_RETURN(Buffer buffer, Alloc(block.bytes()));
    blocks.push_back(std::move(buffer));
  }
  return blocks;
}

absl::StatusOr<Executable> Device::Load(const plan::Plan& plan) {
  std::string bytes;
  if (!plan.SerializeToString(&bytes))
    return absl::ResourceExhaustedError("the plan is larger than 2 GiB");
  Executable executable;
  TRAMA_RETURN_IF_ERROR(handle_->plugin.Take(
      handle_->api().load(handle_->device, {bytes.data(), bytes.size()}, &executable.handle_)));
  executable.device_ = handle_;
  return executable;
}

absl::Status Device::Wait() { return handle_->plugin.Take(handle_->api().wait(handle_->device)); }

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  Free();
  handle_ = std::exchange(other.handle_, nullptr);
  size_ = std::exchange(other.size_, 0);
  device_ = std::move(other.device_);
  return *this;
}

void Buffer::Free() {
  if (handle_) device_->api().free_buffer(handle_);
  handle_ = nullptr;
  device_.reset();
}

absl::Status Buffer::Write(size_t at, const void* src, size_t bytes) {
  return device_->plugin.Take(device_->api().write(handle_, at, src, bytes));
}

absl::Status Buffer::Read(size_t at, void* dst, size_t bytes) const {
  return device_->plugin.Take(device_->api().read(handle_, at, dst, bytes));
}

void* Buffer::Map() const { return device_->api().map(handle_); }

Executable& Executable::operator=(Executable&& other) noexcept {
  if (this == &other) return *this;
  Unload();
  handle_ = std::exchange(other.handle_, nullptr);
  device_ = std::move(other.device_);
  return *this;
}

void Executable::Unload() {
  if (handle_) device_->api().unload(handle_);
  handle_ = nullptr;
  device_.reset();
}

absl::Status Executable::Run(uint32_t program, absl::Span<const Buffer> blocks) {
  absl::InlinedVector<TramaBuffer*, 8> handles;
  for (const Buffer& block : blocks) handles.push_back(block.handle());
  return Run(program, handles);
}

absl::Status Executable::Run(uint32_t program, absl::Span<TramaBuffer* const> blocks) {
  return device_->plugin.Take(device_->api().run(handle_, program, blocks.data(), blocks.size()));
}

std::string Executable::Statistics() const {
  const TramaStr text = device_->api().statistics(handle_);
  return std::string(text.data, text.size);
}

absl::StatusOr<std::string> Executable::Code(uint32_t kernel) const {
  const TramaBackendApi& api = device_->api();
  if (!TRAMA_HAS(&api, code))
    return absl::UnimplementedError("this backend does not show its code");
  TramaStr text = {"", 0};
  TRAMA_RETURN_IF_ERROR(device_->plugin.Take(api.code(handle_, kernel, &text)));
  return std::string(text.data, text.size);
}

}  // namespace trama
