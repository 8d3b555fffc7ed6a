#include "runtime/formats/tensorflow_table.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/crc32c.h"

namespace trama {
namespace {

constexpr size_t kFooterBytes = 48;
constexpr size_t kTrailerBytes = 5;  // a block's type and checksum
constexpr uint64_t kMagic = 0xdb4775248b80fb57;
// Shared prefixes let a small file spell long keys.
constexpr size_t kLongestKey = 4096, kAllKeys = 64 << 20;

template <typename T>
T LoadAt(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// Moves `at` behind the number, which lies before `end`.
bool ReadVarint(std::string_view bytes, size_t end, size_t& at, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && at < end; shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes[at++]);
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

class TableReader {
 public:
  TableReader(std::string_view bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  absl::StatusOr<std::vector<TableEntry>> Read() const {
    if (bytes_.size() < kFooterBytes)
      return Damaged(bytes_.size(), "the file ends before a footer");
    const size_t footer = bytes_.size() - kFooterBytes;
    if (LoadAt<uint64_t>(bytes_, bytes_.size() - sizeof(kMagic)) != kMagic)
      return Damaged(bytes_.size() - sizeof(kMagic), "not the magic number of a table");
    size_t at = footer;
    Block unused, index;
    TRAMA_RETURN_IF_ERROR(ReadHandle(bytes_.size(), at, unused));
    TRAMA_RETURN_IF_ERROR(ReadHandle(bytes_.size(), at, index));
    std::vector<TableEntry> blocks, entries;
    TRAMA_RETURN_IF_ERROR(ReadBlock(index, blocks));
    for (const TableEntry& block : blocks) {
      size_t place = static_cast<size_t>(block.value.data() - bytes_.data());
      Block data;
      TRAMA_RETURN_IF_ERROR(ReadHandle(place + block.value.size(), place, data));
      TRAMA_RETURN_IF_ERROR(ReadBlock(data, entries));
    }
    return entries;
  }

 private:
  struct Block {
    size_t begin = 0, end = 0;  // without its trailer
  };

  template <typename... Parts>
  absl::Status Damaged(size_t byte, const Parts&... what) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": byte ", byte, ": ", what...));
  }

  // Where a block lies, as the index and the footer say it.
  absl::Status ReadHandle(size_t end, size_t& at, Block& block) const {
    const size_t begin = at, limit = bytes_.size() - kFooterBytes;
    uint64_t offset, size;
    if (!ReadVarint(bytes_, end, at, offset) || !ReadVarint(bytes_, end, at, size))
      return Damaged(begin, "not the place of a block");
    if (offset > limit || size > limit - offset || kTrailerBytes > limit - offset - size)
      return Damaged(begin, "a block of ", size, " bytes at ", offset, " in a file of ",
                     bytes_.size());
    block = {static_cast<size_t>(offset), static_cast<size_t>(offset + size)};
    return absl::OkStatus();
  }

  // Appends the block's entries; their keys rise from the last of `entries` on.
  absl::Status ReadBlock(Block block, std::vector<TableEntry>& entries) const {
    const std::string_view covered = bytes_.substr(block.begin, block.end - block.begin + 1);
    if (MaskCrc32c(Crc32c(covered)) != LoadAt<uint32_t>(bytes_, block.end + 1))
      return Damaged(block.end + 1, "wrong checksum of the block at byte ", block.begin);
    if (const auto type = static_cast<uint8_t>(bytes_[block.end]); type == 1)
      return absl::UnimplementedError(
          absl::StrCat(path_, ": byte ", block.end,
                       ": a block compressed with Snappy; save the checkpoint uncompressed"));
    else if (type != 0)
      return Damaged(block.end, "a block of unknown type ", type);

    const size_t size = block.end - block.begin;
    if (size < sizeof(uint32_t)) return Damaged(block.begin, "a block without restart points");
    const auto restarts = LoadAt<uint32_t>(bytes_, block.end - sizeof(uint32_t));
    if (restarts > size / sizeof(uint32_t) - 1)
      return Damaged(block.end - sizeof(uint32_t), restarts, " restart points in a block of ", size,
                     " bytes");
    const size_t end = block.end - (size_t{restarts} + 1) * sizeof(uint32_t);
    std::string key;  // shared prefixes do not reach into the block before
    size_t all_keys = 0;
    for (size_t at = block.begin; at < end;) {
      const size_t begin = at;
      uint64_t shared, own, length;
      if (!ReadVarint(bytes_, end, at, shared) || !ReadVarint(bytes_, end, at, own) ||
          !ReadVarint(bytes_, end, at, length))
        return Damaged(begin, "the block ends within an entry");
      if (shared > key.size())
        return Damaged(begin, "a key shares ", shared, " bytes with one of ", key.size());
      if (own > end - at || length > end - at - own)
        return Damaged(begin, "an entry goes beyond its block");
      key.resize(shared);
      key.append(bytes_.substr(at, own));
      all_keys += key.size();
      if (key.size() > kLongestKey || all_keys > kAllKeys)
        return Damaged(begin, "a key of ", key.size(), " bytes");
      if (!entries.empty() && key <= entries.back().key)
        return Damaged(begin, "a key that is not behind the one before it");
      entries.push_back({key, bytes_.substr(at + own, length), begin});
      at += own + length;
    }
    return absl::OkStatus();
  }

  std::string_view bytes_;
  const std::string& path_;
};

}  // namespace

absl::StatusOr<std::vector<TableEntry>> ReadTable(std::string_view bytes, const std::string& path) {
  return TableReader(bytes, path).Read();
}

}  // namespace trama
