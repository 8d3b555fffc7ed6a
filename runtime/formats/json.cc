#include "runtime/formats/json.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace trama {
namespace {

absl::Status Unexpected(absl::string_view wanted, const Json& json) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", wanted, ", not ", std::string(json.KindName())));
}

template <typename T>
absl::StatusOr<std::vector<T>> Elements(const Json& json, absl::string_view what) {
  if (!json.is_array()) return Unexpected(absl::StrCat("an array of ", what), json);
  std::vector<T> values;
  values.reserve(json.array().size());
  for (const Json& element : json.array()) {
    TRAMA_ASSIGN_OR_RETURN(T value, element.As<T>());
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace

namespace json_internal {

absl::Status Missing(std::string_view key) {
  return absl::NotFoundError(absl::StrCat("missing \"", std::string(key), "\""));
}

absl::Status WrongKind(std::string_view key, const absl::Status& why) {
  return absl::Status(why.code(), absl::StrCat("\"", std::string(key), "\": ", why.message()));
}

}  // namespace json_internal

const Json::Array& Json::array() const {
  static const Array* const kEmpty = new Array();
  const Array* array = std::get_if<Array>(&value_);
  return array ? *array : *kEmpty;
}

const Json::Object& Json::object() const {
  static const Object* const kEmpty = new Object();
  const Object* object = std::get_if<Object>(&value_);
  return object ? *object : *kEmpty;
}

std::string_view Json::KindName() const {
  constexpr std::string_view kNames[] = {"null",     "a boolean", "an integer", "a number",
                                         "a string", "an array",  "an object"};
  return kNames[value_.index()];
}

template <>
absl::StatusOr<bool> Json::As<bool>() const {
  if (const bool* value = if_bool()) return *value;
  return Unexpected("true or false", *this);
}

template <>
absl::StatusOr<int64_t> Json::As<int64_t>() const {
  if (const int64_t* value = if_int()) return *value;
  return Unexpected("an integer", *this);
}

template <>
absl::StatusOr<double> Json::As<double>() const {
  if (const int64_t* value = if_int()) return static_cast<double>(*value);
  if (const double* value = if_double()) return *value;
  return Unexpected("a number", *this);
}

template <>
absl::StatusOr<std::string> Json::As<std::string>() const {
  if (const std::string* value = if_string()) return *value;
  return Unexpected("a string", *this);
}

template <>
absl::StatusOr<std::vector<int64_t>> Json::As<std::vector<int64_t>>() const {
  return Elements<int64_t>(*this, "integers");
}

template <>
absl::StatusOr<std::vector<double>> Json::As<std::vector<double>>() const {
  return Elements<double>(*this, "numbers");
}

template <>
absl::StatusOr<std::vector<std::string>> Json::As<std::vector<std::string>>() const {
  return Elements<std::string>(*this, "strings");
}

const Json* Json::Find(std::string_view key) const {
  for (const Member& member : object())
    if (member.first == key) return &member.second;
  return nullptr;
}

Json& Json::Set(std::string_view key, Json value) {
  if (!is_object()) value_ = Object();
  Object& members = *std::get_if<Object>(&value_);
  for (Member& member : members) {
    if (member.first != key) continue;
    member.second = std::move(value);
    return *this;
  }
  members.emplace_back(std::string(key), std::move(value));
  return *this;
}

Json& Json::Append(Json value) {
  if (!is_array()) value_ = Array();
  std::get_if<Array>(&value_)->push_back(std::move(value));
  return *this;
}

}  // namespace trama
