// The sorted tables of TensorFlow's checkpoint indices, which are LevelDB's: blocks of entries
// whose keys share prefixes, each block with a type and a masked CRC-32C behind it, an index block
// of the others' places, and a footer of 48 bytes that ends in a magic number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace trama {

// LevelDB's and TensorFlow's guard for checksums stored beside what they cover.
constexpr uint32_t MaskCrc32c(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

struct TableEntry {
  std::string key;
  std::string_view value;  // in the table's bytes
  size_t byte;             // where the entry begins
};

// Every entry of the table, by rising key. What the table claims wrongly is an InvalidArgument
// "PATH: byte N: WHAT", a compressed block Unimplemented; nothing is allocated by its word.
absl::StatusOr<std::vector<TableEntry>> ReadTable(std::string_view bytes, const std::string& path);

}  // namespace trama
