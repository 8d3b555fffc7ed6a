// JSON values: model configs, headers, metrics and what the command line prints.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace trama {

// A null, bool, integer, double, string, array or object. An object keeps the order in which its
// members were set or stood in the text.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;                // null
  template <std::same_as<bool> T>  // no pointer is a bool
  Json(T value) : value_(value) {}
  Json(double value) : value_(value) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Json(T value) : value_(static_cast<int64_t>(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  // An array of whatever a Json can be made of.
  template <typename T>
  static Json ArrayOf(const std::vector<T>& values) {
    return Json(Array(values.begin(), values.end()));
  }
  static Json EmptyArray() { return Json(Array()); }
  static Json MakeObject(Object members = {}) {
    Json json;
    json.value_ = std::move(members);
    return json;
  }

  // InvalidArgument "byte N: WHAT" for text that is not one JSON value in UTF-8, nests deeper than
  // `max_depth`, or has a number beyond the range of a double. Integers beyond int64 become
  // doubles. A byte order mark before the text is passed over.
  static absl::StatusOr<Json> Parse(std::string_view whole, int max_depth = 128);
  // The same of a file, the message preceded by its path.
  static absl::StatusOr<Json> ParseFile(const std::string& path);

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  // The value as that kind, nullptr where it is of another.
  const bool* if_bool() const { return std::get_if<bool>(&value_); }
  const int64_t* if_int() const { return std::get_if<int64_t>(&value_); }
  const double* if_double() const { return std::get_if<double>(&value_); }
  const std::string* if_string() const { return std::get_if<std::string>(&value_); }
  // The elements or members; empty where it is of another kind.
  const Array& array() const;
  const Object& object() const;
  // "an integer", "a string", ...: for messages.
  std::string_view KindName() const;

  // The value as a C++ type: bool, int64_t, double (an integer will do), std::string, or a vector
  // of those. InvalidArgument "expected WHAT, not WHAT".
  template <typename T>
  absl::StatusOr<T> As() const;

  // The first member of that name, nullptr where there is none or this is no object.
  const Json* Find(std::string_view key) const;
  // The member of that name as T. NotFound: `missing "KEY"`. InvalidArgument: `"KEY": expected
  // ...`.
  template <typename T>
  absl::StatusOr<T> Get(std::string_view key) const;
  // The same, but `fallback` where the member is absent or null.
  template <typename T>
  absl::StatusOr<T> GetOr(std::string_view key, T fallback) const;

  // Adds or replaces a member; a null becomes an object first. Returns *this to chain.
  Json& Set(std::string_view key, Json value);
  // Adds an element; a null becomes an array first.
  Json& Append(Json value);

  // The text: members in order, numbers in the fewest digits that read back the same (a double
  // keeps a fraction or an exponent), UTF-8 as it is, NaN and infinities as null. With an indent,
  // one member or element a line.
  std::string Dump(int indent = 0) const;

  bool operator==(const Json& other) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

template <>
absl::StatusOr<bool> Json::As<bool>() const;
template <>
absl::StatusOr<int64_t> Json::As<int64_t>() const;
template <>
absl::StatusOr<double> Json::As<double>() const;
template <>
absl::StatusOr<std::string> Json::As<std::string>() const;
template <>
absl::StatusOr<std::vector<int64_t>> Json::As<std::vector<int64_t>>() const;
template <>
absl::StatusOr<std::vector<double>> Json::As<std::vector<double>>() const;
template <>
absl::StatusOr<std::vector<std::string>> Json::As<std::vector<std::string>>() const;

namespace json_internal {
absl::Status Missing(std::string_view key);
absl::Status WrongKind(std::string_view key, const absl::Status& why);
}  // namespace json_internal

template <typename T>
absl::StatusOr<T> Json::Get(std::string_view key) const {
  const Json* member = Find(key);
  if (!member) return json_internal::Missing(key);
  absl::StatusOr<T> value = member->As<T>();
  if (!value.ok()) return json_internal::WrongKind(key, value.status());
  return value;
}

template <typename T>
absl::StatusOr<T> Json::GetOr(std::string_view key, T fallback) const {
  const Json* member = Find(key);
  if (!member || member->is_null()) return fallback;
  return Get<T>(key);
}

}  // namespace trama
