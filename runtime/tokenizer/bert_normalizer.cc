#include "runtime/tokenizer/bert_normalizer.h"

#include <utf8proc.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "runtime/formats/utf8.h"

namespace trama {
namespace {

utf8proc_category_t CategoryOf(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

bool IsSpace(char32_t c) {
  if (c == ' ' || c == '\t' || c == '\n' || c == '\r') return true;
  const utf8proc_category_t category = CategoryOf(c);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP;
}

bool IsDropped(char32_t c) {
  if (c == 0xFFFD) return true;
  if (c == '\t' || c == '\n' || c == '\r') return false;
  switch (CategoryOf(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CS:
      return true;
    default:
      return false;
  }
}

bool IsPunctuation(char32_t c) {
  if (c < 0x80)  // signs that Unicode has as symbols ($, +, <, ^, `, |, ~) too
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
           (c >= 123 && c <= 126);
  const utf8proc_category_t category = CategoryOf(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool IsIdeograph(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kBlocks[] = {
      {0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F},
      {0x2B740, 0x2B81F}, {0x2B820, 0x2CEAF}, {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
  for (const auto& [first, last] : kBlocks)
    if (c >= first && c <= last) return true;
  return false;
}

// Calls `visit` with every code point of valid UTF-8.
template <typename Visit>
void ForEachCodePoint(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    visit(DecodeUtf8(text.substr(0, length)));
    text.remove_prefix(length);
  }
}

std::string Decompose(const std::string& text) {
  utf8proc_uint8_t* decomposed = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &decomposed,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE));
  std::string result =
      size < 0 ? text
               : std::string(reinterpret_cast<const char*>(decomposed), static_cast<size_t>(size));
  free(decomposed);  // NOLINT: utf8proc allocates with malloc
  return result;
}

void AppendLowercase(char32_t c, std::string& out) {
  constexpr char32_t kDottedI = 0x130;  // the one whose lower case is two code points
  AppendUtf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))), out);
  if (c == kDottedI) AppendUtf8(0x307, out);
}

}  // namespace

std::vector<std::string> BertNormalizer::Words(std::string_view text) const {
  std::string clean;
  ForEachCodePoint(text, [&](char32_t c) {
    if (IsDropped(c)) return;
    const bool ideograph = split_cjk && IsIdeograph(c);
    if (ideograph) clean += ' ';
    AppendUtf8(IsSpace(c) ? U' ' : c, clean);
    if (ideograph) clean += ' ';
  });
  if (strip_accents) clean = Decompose(clean);
  std::vector<std::string> words;
  bool open = false;  // whether the last word may go on
  ForEachCodePoint(clean, [&](char32_t c) {
    if (strip_accents && CategoryOf(c) == UTF8PROC_CATEGORY_MN) return;
    const bool space = IsSpace(c), alone = IsPunctuation(c);
    if (!space && (!open || alone)) words.emplace_back();
    open = !space && !alone;
    if (space) return;
    if (lowercase)
      AppendLowercase(c, words.back());
    else
      AppendUtf8(c, words.back());
  });
  return words;
}

}  // namespace trama
