// Flags of one command: declared with a default and a line of help, then read from the arguments.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace trama::cli {

enum class FlagKind { kBool, kInt, kDouble, kString, kRepeated };

struct FlagSpec {
  std::string name;  // snake_case
  FlagKind kind;
  std::string fallback;  // as it would be written; "" where the absence means something
  std::string help;
  double at_least = -HUGE_VAL;  // numbers below it are wrong usage
  double at_most = HUGE_VAL;    // and so are numbers above this
};

class Flags {
 public:
  // `--name=value` and `--name value`; a bool is also set by `--name` and `--noname`. What is no
  // flag is a positional argument; everything after `--` is. InvalidArgument names the nearest flag
  // for an unknown one, and the value that is no number or outside its range.
  static absl::StatusOr<Flags> Parse(absl::Span<const FlagSpec> specs,
                                     absl::Span<const std::string> arguments);

  const std::vector<std::string>& positional() const { return positional_; }
  // Whether the user gave the flag.
  bool Given(std::string_view name) const;
  // The value or the default of a declared flag of that kind.
  bool Bool(std::string_view name) const;
  int64_t Int(std::string_view name) const;
  double Double(std::string_view name) const;
  const std::string& String(std::string_view name) const;
  std::vector<std::string> Repeated(std::string_view name) const;
  // A value for a flag that the user did not give: from --config's file. Values of a repeated flag
  // come before the user's, so that of key=value the last, the user's, wins.
  absl::Status SetUnlessGiven(const std::string& name, const std::string& value);

 private:
  struct Value {
    FlagSpec spec;
    std::vector<std::string> given;
    bool by_user = false;
    size_t from_file = 0;  // of a repeated flag's, the first ones
  };
  const Value& Get(std::string_view name) const;
  static absl::Status Check(const FlagSpec& spec, const std::string& value);
  static absl::Status Set(Value& flag, std::string value);

  std::map<std::string, Value, std::less<>> values_;
  std::vector<std::string> positional_;
};

}  // namespace trama::cli
