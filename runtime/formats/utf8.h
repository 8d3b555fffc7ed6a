// UTF-8: decoding with the byte of an error, and streaming whole characters only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace trama {

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

// The bytes of the character at the front of `text` (1 to 4), 0 where they are not a valid
// character: overlong forms, surrogates and code points above U+10FFFF are not.
size_t Utf8Length(std::string_view text);
// True where `text` is a proper prefix of some valid character.
bool IsUtf8Prefix(std::string_view text);
// `text` without the byte order mark that some editors put before it.
std::string_view SkipByteOrderMark(std::string_view text);
// The offset of the first byte that does not start a valid character.
std::optional<size_t> FindInvalidUtf8(std::string_view text);
// InvalidArgument "PLACE: byte N: invalid UTF-8"; an empty `place` is left out.
absl::Status CheckUtf8(std::string_view text, const std::string& place = "");
// The code point of a valid character.
char32_t DecodeUtf8(std::string_view character);
// Unicode's White_Space.
bool IsUnicodeSpace(char32_t code_point);
void AppendUtf8(char32_t code_point, std::string& out);
// "'ç' (U+00E7)", the control characters without the quoted part.
std::string DescribeCodePoint(char32_t code_point);

// Takes bytes as they come and gives out whole characters only; a byte that belongs to none
// becomes U+FFFD.
class Utf8Stream {
 public:
  // The characters that `bytes` completes.
  std::string Push(std::string_view bytes);
  // What is still held: U+FFFD for an incomplete character, else "".
  std::string Flush();

 private:
  std::string held_;
};

}  // namespace trama
