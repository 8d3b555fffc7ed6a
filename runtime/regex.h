// Regular expressions that people write: PCRE2's.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace trama {

// Whether `pattern` matches the whole of `text`; an empty pattern matches nothing. InvalidArgument
// for a wrong pattern.
absl::StatusOr<bool> MatchesWhole(const std::string& pattern, const std::string& text);

}  // namespace trama
