#include "runtime/formats/json_places.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/utf8.h"

namespace trama {
namespace {

// Walks valid JSON, value by value, counting lines.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(SkipByteOrderMark(text)) {}

  int64_t line() const { return line_; }
  bool AtEnd() const { return at_ >= text_.size(); }
  // The next character that is no space, 0 at the end.
  char Peek() {
    while (!AtEnd() && absl::StrContains(" \t\r\n", text_[at_])) Step();
    return AtEnd() ? '\0' : text_[at_];
  }
  // Steps over one of these.
  bool Eat(char c) {
    if (Peek() != c) return false;
    Step();
    return true;
  }
  // The string that starts here, as it is written.
  std::string_view String() {
    Eat('"');
    const size_t begin = at_;
    while (!AtEnd() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    const std::string_view string = text_.substr(begin, at_ - begin);
    ++at_;
    return string;
  }
  void SkipValue() {
    int64_t depth = 0;
    do {
      const char c = Peek();
      if (c == '"') {
        String();
        continue;
      }
      depth += c == '[' || c == '{';
      depth -= c == ']' || c == '}';
      if (c == '[' || c == '{' || c == ']' || c == '}' || c == ',' || c == ':')
        Step();
      else
        while (!AtEnd() && !absl::StrContains(" \t\r\n,:]}", text_[at_])) Step();
    } while (depth > 0 && !AtEnd());
  }
  // Goes to the value of this member of the object that starts here.
  bool Enter(std::string_view key) {
    if (!Eat('{')) return false;
    while (Peek() == '"') {
      const bool found = String() == key;
      Eat(':');
      if (found) return true;
      SkipValue();
      Eat(',');
    }
    return false;
  }

 private:
  void Step() { line_ += text_[at_++] == '\n'; }

  std::string_view text_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

std::vector<int64_t> ElementLines(std::string_view text, absl::Span<const std::string_view> keys) {
  Walker walker(text);
  for (const std::string_view key : keys)
    if (!walker.Enter(key)) return {};
  std::vector<int64_t> lines;
  if (!walker.Eat('[')) return {};
  while (walker.Peek() != ']' && !walker.AtEnd()) {
    lines.push_back(walker.line());
    walker.SkipValue();
    walker.Eat(',');
  }
  return lines;
}

absl::StatusOr<JsonWithLines> ParseFileWithLines(const std::string& path,
                                                 absl::Span<const std::string_view> keys) {
  TRAMA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  absl::StatusOr<Json> json = Json::Parse(text);
  if (!json.ok())
    return absl::Status(json.status().code(), absl::StrCat(path, ": ", json.status().message()));
  return JsonWithLines{*std::move(json), ElementLines(text, keys)};
}

std::string PlaceOf(const std::string& path, const std::vector<int64_t>& lines, size_t element) {
  return element < lines.size() ? absl::StrCat(path, ":", lines[element]) : path;
}

}  // namespace trama
