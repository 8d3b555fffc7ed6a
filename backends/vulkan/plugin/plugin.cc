// The vulkan backend: kernels compiled to SPIR-V, run by a GPU, or by a driver on the processor.
//
// Options: device (0: the first of `trama devices`), abi ("address" or "descriptors"; where absent
// the faster one of those it has), validation=1 (a message of the validation layer is an error),
// profile=1 (the time of each dispatch in the statistics), cache_dir ("" for none), threads (that
// compile; 0: all cores), staging=1 (map no memory of the device), timeout (seconds without
// progress after which a run is given up; 0: ten minutes, on processors an hour), tiles (the file
// of the measured tiles of matrix products, or "none"; where absent one in cache_dir), tune=1
// (measures the products of the plans that are loaded and keeps that file). abi, validation,
// staging and tiles may also come from the environment, as TRAMA_VULKAN_ABI and so on.
#include <algorithm>
#include <cstdlib>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/api/plugin.h"
#include "backends/vulkan/executable.h"
#include "backends/vulkan/kernel.h"
#include "backends/vulkan/tile_table.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {
using codegen::JsonString;

class VulkanDevice : public plugin::DeviceBase {
 public:
  explicit VulkanDevice(Engine engine) : engine_(std::move(engine)) {}

  std::string Info() override {
    const DeviceProperties& device = engine_.device->properties();
    std::vector<std::string> kinds = EmitterKinds();
    std::erase(kinds, "fused");
    // Composites that the pointwise lowering has: they stay whole inside kernels.
    kinds.insert(kinds.end(), {"gelu", "gelu_grad", "relu"});
    const Target& target = engine_.device->target();
    std::vector<std::string> features = device.Features();
    features.push_back("bf16_products");
    if (target.float16 && target.storage16) features.push_back("f16_products");
    const std::pair<const char*, uint64_t> limits[] = {
        {"max_workgroup_invocations", target.max_invocations},
        {"max_workgroups", target.max_workgroups},
        {"workgroup_memory_bytes", target.shared_bytes},
        {"push_constant_bytes", target.max_push_bytes},
        {"storage_buffer_bytes", device.limits.maxStorageBufferRange},
        {"allocation_bytes", device.max_allocation_bytes},
        {"subgroup_size", target.subgroup_size},
    };
    const auto limit = [](std::string* out, const auto& entry) {
      absl::StrAppend(out, JsonString(entry.first), ": ", entry.second);
    };
    const auto quoted = [](std::string* out, const std::string& name) { *out += JsonString(name); };
    return absl::StrCat(
        R"({"device": )", JsonString(device.name), R"(, "kernels": "*,)", absl::StrJoin(kinds, ","),
        R"(", "alignment": )", engine_.memory->alignment(), R"(, "max_block_bytes": )",
        engine_.memory->max_block_bytes(), R"(, "memory_bytes": )", device.memory_bytes,
        R"(, "features": [)", absl::StrJoin(features, ", ", quoted), R"(], "devices": )",
        engine_.device->all().size(), R"(, "driver": )", JsonString(device.driver), R"(, "type": )",
        JsonString(device.type), R"(, "api": )",
        JsonString(absl::StrCat("Vulkan ", device.ApiVersion())), R"(, "limits": {)",
        absl::StrJoin(limits, ", ", limit), "}}");
  }
  absl::StatusOr<std::unique_ptr<plugin::BufferBase>> Alloc(size_t bytes) override {
    TRAMA_ASSIGN_OR_RETURN(auto buffer, engine_.memory->Alloc(bytes));
    return std::unique_ptr<plugin::BufferBase>(std::move(buffer));
  }
  absl::StatusOr<std::unique_ptr<plugin::ExecutableBase>> Load(std::string_view plan) override {
    TRAMA_ASSIGN_OR_RETURN(auto executable, Executable::Load(engine_, plan));
    return std::unique_ptr<plugin::ExecutableBase>(std::move(executable));
  }
  absl::Status Wait() override {
    TRAMA_RETURN_IF_ERROR(engine_.device->Wait());
    return engine_.device->CheckMessages();
  }

 private:
  Engine engine_;
};

// A whole number from `low` to `high`, or an error that names the option.
absl::StatusOr<int> Number(const plugin::Options& options, std::string_view key,
                           std::string_view fallback, int low, int high) {
  const std::string text(plugin::GetOption(options, key, fallback));
  int value = 0;
  if (absl::SimpleAtoi(text, &value) && value >= low && value <= high) return value;
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(key), ": \"", text, "\" is not a number from ", low, " to ", high));
}

std::string_view OptionOrVariable(const plugin::Options& options, std::string_view key,
                                  const char* variable) {
  const char* value = std::getenv(variable);
  return plugin::GetOption(options, key, value ? value : "");
}

absl::StatusOr<std::unique_ptr<plugin::DeviceBase>> Open(const plugin::Options& options) {
  DeviceOptions device;
  TRAMA_ASSIGN_OR_RETURN(device.index, Number(options, "device", "0", 0, 1 << 20));
  TRAMA_ASSIGN_OR_RETURN(device.timeout_seconds, Number(options, "timeout", "0", 0, 1 << 20));
  TRAMA_ASSIGN_OR_RETURN(int threads, Number(options, "threads", "0", 0, 1024));
  if (threads == 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const char* validation = std::getenv("TRAMA_VULKAN_VALIDATION");
  device.validation = plugin::GetOption(options, "validation", validation ? validation : "") == "1";
  const std::string_view abi = OptionOrVariable(options, "abi", "TRAMA_VULKAN_ABI");
  if (abi == "address" || abi == "descriptors")
    device.device_address = abi == "address";
  else if (!abi.empty())
    return absl::InvalidArgumentError(
        absl::StrCat("abi: \"", std::string(abi), "\" is neither address nor descriptors"));

  Engine engine;
  TRAMA_ASSIGN_OR_RETURN(engine.device, Device::Open(device));
  engine.profile = plugin::GetOption(options, "profile") == "1";
  if (engine.profile && engine.device->properties().timestamp_bits == 0)
    return absl::FailedPreconditionError(absl::StrCat("profile: ", engine.device->properties().name,
                                                      " has no timestamps for its queue"));
  engine.memory = std::make_unique<Memory>(
      *engine.device, OptionOrVariable(options, "staging", "TRAMA_VULKAN_STAGING") == "1");
  const std::string cache(
      plugin::GetOption(options, "cache_dir", codegen::ObjectCache::DefaultDirectory()));
  engine.shaders = std::make_unique<ShaderCache>(*engine.memory, cache, threads);
  engine.tune = plugin::GetOption(options, "tune") == "1";
  const std::string tiles(OptionOrVariable(options, "tiles", "TRAMA_VULKAN_TILES"));
  if (tiles.empty())
    engine.tile_file = TileFile(cache, DeviceName(*engine.device));
  else if (tiles != "none")
    engine.tile_file = tiles;
  if (engine.tune && engine.tile_file.empty())
    return absl::InvalidArgumentError("tune: there is no file to keep the tiles in");
  TRAMA_RETURN_IF_ERROR(engine.ReadTiles());
  return std::make_unique<VulkanDevice>(std::move(engine));
}

}  // namespace
}  // namespace trama::vulkan

TRAMA_BACKEND("vulkan", trama::vulkan::Open)
