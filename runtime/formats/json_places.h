// Where in a JSON text its values stand, for messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/formats/json.h"

namespace trama {

// The line, from 1, on which each element of an array starts: of the array that the members `keys`,
// one inside the other, lead to from the root. Empty where there is none. `text` is valid JSON.
std::vector<int64_t> ElementLines(std::string_view text, absl::Span<const std::string_view> keys);

struct JsonWithLines {
  Json json;
  std::vector<int64_t> lines;
};
// Json::ParseFile, and the file's ElementLines.
absl::StatusOr<JsonWithLines> ParseFileWithLines(const std::string& path,
                                                 absl::Span<const std::string_view> keys);

// "PATH:LINE" of an element, or "PATH" where its line is not known.
std::string PlaceOf(const std::string& path, const std::vector<int64_t>& lines, size_t element);

}  // namespace trama
