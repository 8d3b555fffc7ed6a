#include "tools/trama/flags.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/nearest.h"
#include "base/status_macros.h"

namespace trama::cli {
namespace {
bool ParsesAs(FlagKind kind, const std::string& value) {
  int64_t integer;
  double number;
  switch (kind) {
    case FlagKind::kBool:
      return value == "true" || value == "false";
    case FlagKind::kInt:
      return absl::SimpleAtoi(value, &integer);
    case FlagKind::kDouble:
      return absl::SimpleAtod(value, &number) && std::isfinite(number);
    case FlagKind::kString:
    case FlagKind::kRepeated:
      return true;
  }
  return false;
}

std::string_view Wanted(FlagKind kind) {
  switch (kind) {
    case FlagKind::kBool:
      return "true or false";
    case FlagKind::kInt:
      return "an integer";
    case FlagKind::kDouble:
      return "a number";
    default:
      return "a value";
  }
}
}  // namespace

absl::StatusOr<Flags> Flags::Parse(absl::Span<const FlagSpec> specs,
                                   absl::Span<const std::string> arguments) {
  Flags flags;
  for (const FlagSpec& spec : specs) flags.values_[spec.name] = {spec, {}};
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      flags.positional_.insert(flags.positional_.end(), arguments.begin() + i + 1, arguments.end());
      break;
    }
    if (argument.compare(0, 2, "--") != 0) {
      flags.positional_.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    auto it = flags.values_.find(name);
    const bool negated =
        it == flags.values_.end() && equals == std::string::npos && name.compare(0, 2, "no") == 0;
    if (negated) it = flags.values_.find(name.substr(2));
    if (it == flags.values_.end() || (negated && it->second.spec.kind != FlagKind::kBool)) {
      std::vector<std::string> names;
      for (const FlagSpec& spec : specs) names.push_back(spec.name);
      const std::string nearest = Nearest(name, names);
      return absl::InvalidArgumentError(absl::StrCat(
          "unknown flag: --", name, nearest.empty() ? "; see --help" : "; did you mean --", nearest,
          nearest.empty() ? "" : "?"));
    }
    Value& flag = it->second;
    if (equals != std::string::npos) {
      TRAMA_RETURN_IF_ERROR(flags.Set(flag, argument.substr(equals + 1)));
    } else if (flag.spec.kind == FlagKind::kBool) {
      // "--quiet false" reads as a value only where it is one.
      if (!negated && i + 1 < arguments.size() && ParsesAs(FlagKind::kBool, arguments[i + 1]))
        TRAMA_RETURN_IF_ERROR(flags.Set(flag, arguments[++i]));
      else
        TRAMA_RETURN_IF_ERROR(flags.Set(flag, negated ? "false" : "true"));
    } else {
      if (i + 1 == arguments.size())
        return absl::InvalidArgumentError(absl::StrCat("--", name, " needs a value"));
      TRAMA_RETURN_IF_ERROR(flags.Set(flag, arguments[++i]));
    }
  }
  for (auto& [name, flag] : flags.values_) flag.by_user = !flag.given.empty();
  return flags;
}

absl::Status Flags::Check(const FlagSpec& spec, const std::string& value) {
  if (!ParsesAs(spec.kind, value))
    return absl::InvalidArgumentError(
        absl::StrCat("--", spec.name, ": '", value, "' is not ", std::string(Wanted(spec.kind))));
  double number;
  if (!absl::SimpleAtod(value, &number)) return absl::OkStatus();
  if (number < spec.at_least)
    return absl::InvalidArgumentError(
        absl::StrCat("--", spec.name, ": ", value, " is not at least ", spec.at_least));
  if (number > spec.at_most)
    return absl::InvalidArgumentError(absl::StrCat("--", spec.name, ": ", value, " is not at most ",
                                                   absl::StrFormat("%.0f", spec.at_most)));
  return absl::OkStatus();
}

absl::Status Flags::Set(Value& flag, std::string value) {
  TRAMA_RETURN_IF_ERROR(Check(flag.spec, value));
  if (flag.spec.kind != FlagKind::kRepeated) flag.given.clear();
  flag.given.push_back(std::move(value));
  return absl::OkStatus();
}

absl::Status Flags::SetUnlessGiven(const std::string& name, const std::string& value) {
  auto it = values_.find(name);
  if (it == values_.end()) return absl::InvalidArgumentError(absl::StrCat("unknown field ", name));
  Value& flag = it->second;
  if (flag.spec.kind == FlagKind::kRepeated) {
    flag.given.insert(flag.given.begin() + static_cast<std::ptrdiff_t>(flag.from_file++), value);
    return absl::OkStatus();
  }
  return flag.by_user ? Check(flag.spec, value) : Set(flag, value);
}

const Flags::Value& Flags::Get(std::string_view name) const {
  static const Value kUndeclared{};
  auto it = values_.find(name);
  return it == values_.end() ? kUndeclared : it->second;
}

bool Flags::Given(std::string_view name) const { return !Get(name).given.empty(); }

const std::string& Flags::String(std::string_view name) const {
  const Value& flag = Get(name);
  return flag.given.empty() ? flag.spec.fallback : flag.given.back();
}

bool Flags::Bool(std::string_view name) const { return String(name) == "true"; }

int64_t Flags::Int(std::string_view name) const {
  int64_t value = 0;
  (void)absl::SimpleAtoi(String(name), &value);
  return value;
}

double Flags::Double(std::string_view name) const {
  double value = 0;
  (void)absl::SimpleAtod(String(name), &value);
  return value;
}

std::vector<std::string> Flags::Repeated(std::string_view name) const { return Get(name).given; }

}  // namespace trama::cli
