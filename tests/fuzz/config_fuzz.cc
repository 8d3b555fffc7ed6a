// Model configs: config.json's text and lines of key=value, read as each family reads them. The
// models are declared and not given memory.
#include "frontend/model.h"
#include "runtime/formats/config_json.h"
#include "runtime/model_directory.h"
#include "tests/fuzz/fuzz.h"

namespace {

// Sizes that are valid and would take long to declare are made small.
void Limit(trama::Config* config) {
  for (auto [key, value] : config->values())
    if (const int64_t* number = std::get_if<int64_t>(&value); number && *number > 4096)
      config->Set(key, *number % 4096);
  for (const char* layers : {"n_layer", "num_hidden_layers", "n_layers", "depth"})
    if (config->Int(layers, 0).value_or(0) > 64) config->Set(layers, int64_t{64});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = trama::fuzz::Text(data, size);
  trama::Config config;
  if (const absl::StatusOr<trama::Json> json = trama::Json::Parse(input); json.ok()) {
    config = trama::ConfigFromJson(*json);
  } else {
    for (std::string_view rest = input; !rest.empty();) {
      const size_t end = rest.find('\n');
      (void)config.SetFromText(rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
  Limit(&config);
  for (const auto& [name, entry] : trama::Models()) {
    const auto model = trama::ModelOfConfig(name, config);
    if (model.ok()) (void)model->model->module().num_parameters();
  }
  (void)trama::ConfigToJson(config).Dump();
  return 0;
}
