#include "runtime/formats/json_lines.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"

namespace trama {

absl::Status ForEachJsonLine(
    const std::string& path, int64_t limit,
    absl::FunctionRef<absl::Status(const Json& value, const std::string& place)> visit) {
  TRAMA_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  std::string_view rest = content;
  int64_t visited = 0;
  for (int64_t line = 1; !rest.empty() && (limit == 0 || visited < limit); ++line) {
    const size_t end = rest.find('\n');
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (absl::StripAsciiWhitespace({text.data(), text.size()}).empty()) continue;
    const std::string place = absl::StrCat(path, ":", line);
    const absl::StatusOr<Json> value = Json::Parse(text);
    if (!value.ok())
      return absl::Status(value.status().code(),
                          absl::StrCat(place, ": ", value.status().message()));
    TRAMA_RETURN_IF_ERROR(visit(*value, place));
    ++visited;
  }
  return absl::OkStatus();
}

}  // namespace trama
