// trama devices: the backends that are there and what they run on.
#include <algorithm>
#include <cstdint>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/device.h"
#include "runtime/formats/json.h"
#include "runtime/registry.h"
#include "tools/trama/command.h"

namespace trama::cli {
namespace {

// What one device of `plugin` says, or the error that it opens with. count: of its devices.
Json Describe(const Registry::Found& plugin, const DeviceOptions& options, int64_t& count) {
  Json item = Json::MakeObject();
  item.Set("backend", plugin.name);
  item.Set("plugin", plugin.path);
  // `check` is made of two others and has no device of its own.
  absl::StatusOr<Device> device =
      Device::Open(plugin.name == "check" ? "check:reference,reference" : plugin.name, options);
  if (!device.ok()) {
    item.Set("error", std::string(device.status().message()));
    return item;
  }
  const DeviceInfo& info = device->info();
  count = info.devices;
  if (count > 1) item.Set("index", options.device);
  item.Set("device", info.name);
  for (const auto& [key, value] : {std::pair("driver", &info.driver), std::pair("type", &info.type),
                                   std::pair("api", &info.api)})
    if (!value->empty()) item.Set(key, *value);
  item.Set("memory_bytes", static_cast<int64_t>(info.target.memory_bytes));
  item.Set("max_block_bytes",
           Json(static_cast<int64_t>(std::min<uint64_t>(info.target.max_block_bytes, INT64_MAX))));
  item.Set("alignment", static_cast<int64_t>(info.target.alignment));
  if (!info.limits.empty()) {
    Json limits = Json::MakeObject();
    for (const auto& [name, value] : info.limits) limits.Set(name, value);
    item.Set("limits", std::move(limits));
  }
  item.Set("features", Json::ArrayOf(info.features));
  item.Set("kernels", Json::ArrayOf(info.kernels));
  return item;
}

void Print(const Json& item) {
  const auto text = [&](const char* key) {
    const Json* value = item.Find(key);
    return value && value->if_string() ? *value->if_string() : std::string();
  };
  std::cout << absl::StrFormat("%-12s", text("backend"));
  if (const Json* index = item.Find("index")) std::cout << "--device=" << *index->if_int() << ": ";
  if (item.Find("error")) {
    std::cout << "error: " << text("error") << "\n";
  } else {
    std::cout << text("device") << ", " << *item.Find("memory_bytes")->if_int() / (1 << 20)
              << " MiB\n";
  }
  std::cout << "    " << text("plugin") << "\n";
  if (const std::string driver = text("driver"); !driver.empty())
    std::cout << "    " << text("type") << ", " << text("api") << ", driver " << driver << "\n";
  if (const Json* limits = item.Find("limits")) {
    std::cout << "    limits:";
    for (const auto& [name, value] : limits->object())
      std::cout << " " << name << "=" << *value.if_int();
    std::cout << "\n";
  }
  if (const Json* features = item.Find("features"); features && !features->array().empty()) {
    std::cout << "    features:";
    for (const Json& feature : features->array()) std::cout << " " << *feature.if_string();
    std::cout << "\n";
  }
}

absl::StatusOr<int> Run(const Flags& flags) {
  DeviceOptions options;
  options.plugin_path = flags.String("plugin_path");
  Json all = Json::EmptyArray();
  for (const Registry::Found& plugin : Registry(options.plugin_path).List()) {
    int64_t count = 1;
    for (options.device = 0; options.device < count; ++options.device)
      all.Append(Describe(plugin, options, count));
  }
  if (flags.Bool("json"))
    std::cout << all.Dump(2) << "\n";
  else
    for (const Json& item : all.array()) Print(item);
  return 0;
}

TRAMA_COMMAND((Command{
    "devices",
    "",
    "the backends and devices found",
    "trama devices --json",
    {{"json", FlagKind::kBool, "false", "as JSON"},
     {"plugin_path", FlagKind::kString, "", "folders to look for plugins in, separated by :"}},
    Run}));

}  // namespace
}  // namespace trama::cli
