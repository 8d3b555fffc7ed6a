// trama devices: the backends that are there and what they run on.
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

absl::StatusOr<int> Run(const Flags& flags) {
  DeviceOptions options;
  options.plugin_path = flags.String("plugin_path");
  Json all = Json::EmptyArray();
  for (const Registry::Found& plugin : Registry(options.plugin_path).List()) {
    Json item = Json::MakeObject();
    item.Set("backend", plugin.name);
    item.Set("plugin", plugin.path);
    // `check` is made of two others and has no device of its own.
    absl::StatusOr<Device> device =
        Device::Open(plugin.name == "check" ? "check:reference,reference" : plugin.name, options);
    if (device.ok()) {
      const DeviceInfo& info = device->info();
      item.Set("device", info.name);
      item.Set("memory_bytes", static_cast<int64_t>(info.target.memory_bytes));
      item.Set("alignment", static_cast<int64_t>(info.target.alignment));
      item.Set("features", Json::ArrayOf(info.features));
      item.Set("kernels", Json::ArrayOf(info.kernels));
    } else {
      item.Set("error", std::string(device.status().message()));
    }
    all.Append(std::move(item));
  }
  if (flags.Bool("json")) {
    std::cout << all.Dump(2) << "\n";
    return 0;
  }
  for (const Json& item : all.array()) {
    std::cout << absl::StrFormat("%-12s", *item.Find("backend")->if_string());
    if (const Json* error = item.Find("error"))
      std::cout << "error: " << *error->if_string() << "\n";
    else
      std::cout << *item.Find("device")->if_string() << ", "
                << *item.Find("memory_bytes")->if_int() / (1 << 20) << " MiB\n";
    std::cout << "    " << *item.Find("plugin")->if_string() << "\n";
    if (const Json* features = item.Find("features"); features && !features->array().empty()) {
      std::cout << "    features:";
      for (const Json& feature : features->array()) std::cout << " " << *feature.if_string();
      std::cout << "\n";
    }
  }
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
