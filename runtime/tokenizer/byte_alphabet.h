// GPT-2's byte alphabet: every byte written as one printable character, so that vocabularies of
// bytes are text (Radford 2019, encoder.py: bytes_to_unicode).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trama {

// The character of a byte: the byte's own code point where it is printable in Latin-1, else one
// from U+0100 on.
char32_t ByteCharacter(uint8_t byte);
std::string ToByteAlphabet(std::string_view bytes);
// The bytes of valid UTF-8 text, nullopt where a character is not of the alphabet.
std::optional<std::string> FromByteAlphabet(std::string_view text);

}  // namespace trama
