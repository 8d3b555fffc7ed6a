#include "runtime/formats/config_json.h"

namespace trama {

Config ConfigFromJson(const Json& json) {
  Config config;
  for (const auto& [key, value] : json.object()) {
    if (value.is_null()) {
      config.Set(key, std::monostate());
    } else if (const bool* flag = value.if_bool()) {
      config.Set(key, *flag);
    } else if (const int64_t* integer = value.if_int()) {
      config.Set(key, *integer);
    } else if (const double* number = value.if_double()) {
      config.Set(key, *number);
    } else if (const std::string* text = value.if_string()) {
      config.Set(key, *text);
    } else if (absl::StatusOr<std::vector<std::string>> list = value.As<std::vector<std::string>>();
               list.ok()) {
      config.Set(key, *std::move(list));
    } else if (absl::StatusOr<std::vector<int64_t>> integers = value.As<std::vector<int64_t>>();
               integers.ok()) {
      config.Set(key, *std::move(integers));
    }
  }
  return config;
}

Json ConfigToJson(const Config& config) {
  Json json = Json::MakeObject();
  for (const auto& [key, value] : config.values()) {
    if (const bool* flag = std::get_if<bool>(&value)) {
      json.Set(key, *flag);
    } else if (const int64_t* integer = std::get_if<int64_t>(&value)) {
      json.Set(key, *integer);
    } else if (const double* number = std::get_if<double>(&value)) {
      json.Set(key, *number);
    } else if (const std::string* text = std::get_if<std::string>(&value)) {
      json.Set(key, *text);
    } else if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
      json.Set(key, Json::ArrayOf(*list));
    } else if (const auto* integers = std::get_if<std::vector<int64_t>>(&value)) {
      json.Set(key, Json::ArrayOf(*integers));
    } else {
      json.Set(key, Json());
    }
  }
  return json;
}

}  // namespace trama
