// CRC-32C (Castagnoli), the checksum of iSCSI and ext4: finds every burst of up to 32 wrong bits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trama {

// `crc` is what the call for the bytes before returned.
uint32_t Crc32c(std::string_view bytes, uint32_t crc = 0);
// Eight lower-case hexadecimal digits.
std::string Crc32cHex(uint32_t crc);
std::string Crc32cHex(std::string_view bytes);

}  // namespace trama
