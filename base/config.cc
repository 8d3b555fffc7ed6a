#include "base/config.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace trama {
namespace {
absl::Status WrongType(std::string_view key, std::string_view want) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(key), " is not ", std::string(want)));
}

template <typename T>
absl::StatusOr<T> InRange(std::string_view key, T value, T low, T high) {
  if (value >= low && value <= high) return value;
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(key), ": ", value, " is not in [", low, ", ", high, "]"));
}
}  // namespace

absl::Status Config::SetFromText(std::string_view assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return absl::InvalidArgumentError(
        absl::StrCat("'", std::string(assignment), "' is not key=value"));
  std::string key(assignment.substr(0, equals)), text(assignment.substr(equals + 1));
  int64_t integer;
  double number;
  if (text == "true" || text == "false")
    Set(key, text == "true");
  else if (text == "null")
    Set(key, std::monostate());
  else if (absl::SimpleAtoi(text, &integer))
    Set(key, integer);
  else if (absl::SimpleAtod(text, &number))
    Set(key, number);
  else
    Set(key, text);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Config::Int(std::string_view key, int64_t fallback, int64_t low,
                                    int64_t high) const {
  auto it = values_.find(key);
  if (it == values_.end() || std::holds_alternative<std::monostate>(it->second)) return fallback;
  if (auto* value = std::get_if<int64_t>(&it->second)) return InRange(key, *value, low, high);
  return WrongType(key, "an integer");
}

absl::StatusOr<double> Config::Double(std::string_view key, double fallback, double low,
                                      double high) const {
  auto it = values_.find(key);
  if (it == values_.end() || std::holds_alternative<std::monostate>(it->second)) return fallback;
  if (auto* value = std::get_if<double>(&it->second)) return InRange(key, *value, low, high);
  if (auto* value = std::get_if<int64_t>(&it->second))
    return InRange(key, static_cast<double>(*value), low, high);
  return WrongType(key, "a number");
}

absl::StatusOr<bool> Config::Bool(std::string_view key, bool fallback) const {
  auto it = values_.find(key);
  if (it == values_.end() || std::holds_alternative<std::monostate>(it->second)) return fallback;
  if (auto* value = std::get_if<bool>(&it->second)) return *value;
  return WrongType(key, "true or false");
}

absl::StatusOr<std::string> Config::String(std::string_view key, std::string fallback) const {
  auto it = values_.find(key);
  if (it == values_.end() || std::holds_alternative<std::monostate>(it->second)) return fallback;
  if (auto* value = std::get_if<std::string>(&it->second)) return *value;
  return WrongType(key, "a string");
}

}  // namespace trama
