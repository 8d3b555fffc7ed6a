#include "runtime/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "absl/strings/str_cat.h"

namespace trama {

absl::StatusOr<bool> MatchesWhole(const std::string& pattern, const std::string& text) {
  if (pattern.empty()) return false;
  int code;
  PCRE2_SIZE offset;
  pcre2_code* compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                       PCRE2_ANCHORED | PCRE2_ENDANCHORED, &code, &offset, nullptr);
  if (!compiled) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(code, message, sizeof(message));
    return absl::InvalidArgumentError(absl::StrCat(
        "'", pattern, "': ", reinterpret_cast<const char*>(message), " at character ", offset));
  }
  pcre2_match_data* match = pcre2_match_data_create_from_pattern(compiled, nullptr);
  const int found = pcre2_match(compiled, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0,
                                0, match, nullptr);
  pcre2_match_data_free(match);
  pcre2_code_free(compiled);
  return found >= 0;
}

}  // namespace trama
