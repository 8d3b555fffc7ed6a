#include "runtime/tokenizer/byte_alphabet.h"

#include <array>

#include "runtime/formats/utf8.h"

namespace trama {
namespace {

constexpr char32_t kFirstStandIn = 0x100;

struct Alphabet {
  std::array<char32_t, 256> characters;
  std::array<uint8_t, 256> stand_ins{};  // of U+0100 on
  char32_t end = kFirstStandIn;
};

constexpr bool IsPrintable(int byte) {
  return (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
}

constexpr Alphabet MakeAlphabet() {
  Alphabet alphabet{};
  alphabet.end = kFirstStandIn;
  for (int byte = 0; byte < 256; ++byte) {
    if (IsPrintable(byte)) {
      alphabet.characters[byte] = static_cast<char32_t>(byte);
    } else {
      alphabet.stand_ins[alphabet.end - kFirstStandIn] = static_cast<uint8_t>(byte);
      alphabet.characters[byte] = alphabet.end++;
    }
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = MakeAlphabet();

}  // namespace

char32_t ByteCharacter(uint8_t byte) { return kAlphabet.characters[byte]; }

std::string ToByteAlphabet(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) AppendUtf8(ByteCharacter(static_cast<uint8_t>(byte)), text);
  return text;
}

std::optional<std::string> FromByteAlphabet(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return std::nullopt;
    const char32_t c = DecodeUtf8(text.substr(0, length));
    if (c < kFirstStandIn && IsPrintable(static_cast<int>(c)))
      bytes += static_cast<char>(c);
    else if (c >= kFirstStandIn && c < kAlphabet.end)
      bytes += static_cast<char>(kAlphabet.stand_ins[c - kFirstStandIn]);
    else
      return std::nullopt;
    text.remove_prefix(length);
  }
  return bytes;
}

}  // namespace trama
