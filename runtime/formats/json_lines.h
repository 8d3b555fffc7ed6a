// JSON Lines: a JSON value in each line.
#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "runtime/formats/json.h"

namespace trama {

// Calls `visit` for each line that is not blank, with the line's value and "PATH:LINE", for `limit`
// of them (0: all). The first error ends it: that of `visit`, or of a line that is no JSON
// ("PATH:LINE: byte N: ...").
absl::Status ForEachJsonLine(
    const std::string& path, int64_t limit,
    absl::FunctionRef<absl::Status(const Json& value, const std::string& place)> visit);

}  // namespace trama
