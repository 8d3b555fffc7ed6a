#include "runtime/data/gutenberg.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/formats/utf8.h"

namespace trama {
namespace {

enum class Mark { kNone, kStart, kOpenStart, kEnd };

// What a line marks. A start whose title goes on in the next line is open.
Mark MarkOf(absl::string_view text) {
  const std::string line = absl::AsciiStrToUpper(absl::StripAsciiWhitespace(text));
  if (absl::StartsWith(line, "END OF THE PROJECT GUTENBERG") ||
      absl::StartsWith(line, "END OF PROJECT GUTENBERG"))
    return Mark::kEnd;
  if (!absl::StartsWith(line, "*")) return Mark::kNone;
  absl::string_view words = line;
  while (!words.empty() && (words[0] == '*' || words[0] == ' ')) words.remove_prefix(1);
  if (absl::StartsWith(words, "END") && absl::StrContains(words, "SMALL PRINT"))
    return Mark::kStart;
  if (!absl::StrContains(words, "GUTENBERG")) return Mark::kNone;
  if (absl::StartsWith(words, "END OF")) return Mark::kEnd;
  if (!absl::StartsWith(words, "START OF")) return Mark::kNone;
  return absl::EndsWith(words, "*") ? Mark::kStart : Mark::kOpenStart;
}

// Without empty lines at either end; the last line keeps one line feed.
absl::string_view Trimmed(std::string_view text) {
  absl::string_view body(text.data(), text.size());
  for (size_t end; (end = body.find('\n')) != absl::string_view::npos &&
                   absl::StripAsciiWhitespace(body.substr(0, end)).empty();)
    body.remove_prefix(end + 1);
  const absl::string_view solid = absl::StripTrailingAsciiWhitespace(body);
  const size_t feed = body.find('\n', solid.size());
  return body.substr(0, solid.empty()                     ? 0
                        : feed == absl::string_view::npos ? body.size()
                                                          : feed + 1);
}

}  // namespace

std::string StripGutenberg(std::string_view text) {
  text = SkipByteOrderMark(text);
  std::string books;
  size_t begin = 0;  // of the book that is read
  bool inside = true, marked = false;
  int open = 0;  // lines in which a title may still end
  for (size_t at = 0; at < text.size();) {
    const size_t feed = text.find('\n', at);
    const size_t next = feed == std::string_view::npos ? text.size() : feed + 1;
    const absl::string_view line(text.data() + at, next - at);
    const Mark mark = MarkOf(line);
    if (mark == Mark::kStart || mark == Mark::kOpenStart) {
      begin = next;
      inside = marked = true;
      open = mark == Mark::kOpenStart ? 2 : 0;
    } else if (mark == Mark::kEnd) {
      if (inside) absl::StrAppend(&books, Trimmed(text.substr(begin, at - begin)));
      inside = false;
      marked = true;
      open = 0;
    } else if (open > 0) {
      --open;
      if (absl::EndsWith(absl::StripTrailingAsciiWhitespace(line), "*")) {
        begin = next;
        open = 0;
      }
    }
    at = next;
  }
  if (!marked) return std::string(text);
  if (inside) absl::StrAppend(&books, Trimmed(text.substr(begin)));
  return books;
}

}  // namespace trama
