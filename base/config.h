// A model's configuration: flat keys as in config.json, read with their types checked.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace trama {

using ConfigValue = std::variant<std::monostate, bool, int64_t, double, std::string,
                                 std::vector<std::string>, std::vector<int64_t>>;

class Config {
 public:
  void Set(std::string key, ConfigValue value) { values_[std::move(key)] = std::move(value); }
  // "n_layer=4": the value becomes a bool, an integer, a number or a string by its spelling.
  // InvalidArgument without "=".
  absl::Status SetFromText(std::string_view assignment);

  bool Has(std::string_view key) const { return values_.contains(key); }
  const std::map<std::string, ConfigValue, std::less<>>& values() const { return values_; }

  // The value of `key`, or `fallback` where it is absent or null. InvalidArgument where it has
  // another type or lies outside [low, high]: "n_layer: 0 is not in [1, 1000]". An integer reads as
  // a double.
  absl::StatusOr<int64_t> Int(std::string_view key, int64_t fallback, int64_t low = INT64_MIN,
                              int64_t high = INT64_MAX) const;
  absl::StatusOr<double> Double(std::string_view key, double fallback, double low = -1e300,
                                double high = 1e300) const;
  absl::StatusOr<bool> Bool(std::string_view key, bool fallback) const;
  absl::StatusOr<std::string> String(std::string_view key, std::string fallback) const;

 private:
  std::map<std::string, ConfigValue, std::less<>> values_;
};

}  // namespace trama
