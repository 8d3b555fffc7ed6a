#include "runtime/tokenizer/splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "absl/strings/str_cat.h"

namespace trama {
namespace {

std::string Message(int code) {
  PCRE2_UCHAR message[256];
  pcre2_get_error_message(code, message, sizeof(message));
  return reinterpret_cast<const char*>(message);
}

}  // namespace

absl::StatusOr<Splitter> Splitter::Compile(std::string_view pattern) {
  int error;
  PCRE2_SIZE offset;
  // \C would cut characters.
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  if (!code)
    return absl::InvalidArgumentError(
        absl::StrCat("'", std::string(pattern), "': ", Message(error), " at character ", offset));
  Splitter splitter;
  splitter.code_ = std::shared_ptr<void>(
      code, [](void* owned) { pcre2_code_free(static_cast<pcre2_code*>(owned)); });
  splitter.jit_ = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
  return splitter;
}

Splitter::Pieces::Pieces(const Splitter& splitter, std::string_view text)
    : code_(splitter.code_.get()),
      text_(text),
      jit_(splitter.jit_),
      match_(pcre2_match_data_create(1, nullptr),
             [](void* owned) { pcre2_match_data_free(static_cast<pcre2_match_data*>(owned)); }) {}

bool Splitter::Pieces::Next(std::string_view* piece) {
  const auto* code = static_cast<const pcre2_code*>(code_);
  auto* match = static_cast<pcre2_match_data*>(match_.get());
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text_.data());
  while (at_ < text_.size()) {
    // pcre2_jit_match spares each piece the checks that pcre2_match makes.
    const int found =
        jit_ ? pcre2_jit_match(code, subject, text_.size(), at_, PCRE2_NOTEMPTY, match, nullptr)
             : pcre2_match(code, subject, text_.size(), at_, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY,
                           match, nullptr);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      error_ = found;
      return false;
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match);
    at_ = range[1];
    if (range[1] > range[0]) {
      *piece = text_.substr(range[0], range[1] - range[0]);
      return true;
    }
    ++at_;  // \K may still make a match empty
    while (at_ < text_.size() && (text_[at_] & 0xC0) == 0x80) ++at_;
  }
  at_ = text_.size();
  return false;
}

absl::Status Splitter::Pieces::status() const {
  if (error_ == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("byte ", at_, ": ", Message(error_)));
}

}  // namespace trama
