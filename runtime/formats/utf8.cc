#include "runtime/formats/utf8.h"

#include <cstdio>

#include "absl/strings/str_cat.h"

namespace trama {
namespace {

// The bytes that a character with this first byte has, 0 where none starts so.
size_t LengthOfLead(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;  // continuation bytes, and the overlong C0 and C1
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) return 3;
  return lead < 0xF5 ? 4 : 0;
}

// How many bytes at the front fit a character, up to its length.
size_t MatchingBytes(std::string_view text, size_t length) {
  size_t count = 1;
  for (; count < length && count < text.size(); ++count) {
    const uint8_t lead = text[0], byte = text[count];
    uint8_t low = 0x80, high = 0xBF;
    if (count == 1 && lead == 0xE0) low = 0xA0;   // overlong
    if (count == 1 && lead == 0xED) high = 0x9F;  // surrogates
    if (count == 1 && lead == 0xF0) low = 0x90;   // overlong
    if (count == 1 && lead == 0xF4) high = 0x8F;  // above U+10FFFF
    if (byte < low || byte > high) break;
  }
  return count;
}

}  // namespace

size_t Utf8Length(std::string_view text) {
  if (text.empty()) return 0;
  const size_t length = LengthOfLead(text[0]);
  return length > 0 && MatchingBytes(text, length) == length ? length : 0;
}

bool IsUtf8Prefix(std::string_view text) {
  if (text.empty()) return false;
  const size_t length = LengthOfLead(text[0]);
  return text.size() < length && MatchingBytes(text, length) == text.size();
}

std::string_view SkipByteOrderMark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

std::optional<size_t> FindInvalidUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = Utf8Length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

absl::Status CheckUtf8(std::string_view text, const std::string& place) {
  const std::optional<size_t> invalid = FindInvalidUtf8(text);
  if (!invalid) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(place, place.empty() ? "" : ": ", "byte ", *invalid, ": invalid UTF-8"));
}

char32_t DecodeUtf8(std::string_view character) {
  const uint8_t lead = character[0];
  if (character.size() == 1) return lead;
  char32_t code_point = lead & (0xFF >> (character.size() + 1));
  for (const char c : character.substr(1)) code_point = (code_point << 6) | (c & 0x3F);
  return code_point;
}

bool IsUnicodeSpace(char32_t code_point) {
  constexpr std::pair<char32_t, char32_t> kSpaces[] = {
      {0x9, 0xD},       {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
      {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
  for (const auto& [first, last] : kSpaces)
    if (code_point >= first && code_point <= last) return true;
  return false;
}

void AppendUtf8(char32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

std::string DescribeCodePoint(char32_t code_point) {
  char number[16];
  snprintf(number, sizeof(number), "U+%04X", static_cast<unsigned>(code_point));
  if (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0)) return number;
  std::string character;
  AppendUtf8(code_point, character);
  return absl::StrCat("'", character, "' (", number, ")");
}

std::string Utf8Stream::Push(std::string_view bytes) {
  held_.append(bytes);
  std::string out;
  std::string_view rest = held_;
  while (!rest.empty() && !IsUtf8Prefix(rest)) {
    const size_t length = Utf8Length(rest);
    if (length > 0) {
      out.append(rest.substr(0, length));
    } else {
      out.append(kReplacementCharacter);
    }
    // Of a broken character, what did fit is one U+FFFD, as the Unicode standard recommends.
    const size_t lead = LengthOfLead(rest[0]);
    rest.remove_prefix(length > 0 ? length : lead > 0 ? MatchingBytes(rest, lead) : 1);
  }
  held_ = std::string(rest);
  return out;
}

std::string Utf8Stream::Flush() {
  if (held_.empty()) return "";
  held_.clear();
  return std::string(kReplacementCharacter);
}

}  // namespace trama
