#include "tests/tensorflow_checkpoint_writer.h"

#include <algorithm>
#include <cstring>

#include "runtime/formats/crc32c.h"

namespace trama {
namespace {

void AppendFixed(std::string& bytes, uint64_t value, int size) {
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
}

uint32_t Masked(const std::string& bytes) {
  const uint32_t crc = Crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

// Entries of one block: a whole key at every 16th, what differs from the last elsewhere.
class BlockWriter {
 public:
  void Add(const std::string& key, const std::string& value) {
    size_t shared = 0;
    if (count_++ % 16 == 0) {
      restarts_.push_back(bytes_.size());
    } else {
      while (shared < std::min(key.size(), last_.size()) && key[shared] == last_[shared]) ++shared;
    }
    AppendVarint(bytes_, shared);
    AppendVarint(bytes_, key.size() - shared);
    AppendVarint(bytes_, value.size());
    bytes_ += key.substr(shared) + value;
    last_ = key;
  }
  size_t size() const { return bytes_.size(); }
  const std::string& last() const { return last_; }
  // Appends the block to the table; its handle.
  std::string Finish(Table& table, char type) {
    if (restarts_.empty()) restarts_.push_back(0);
    for (const size_t at : restarts_) AppendFixed(bytes_, at, 4);
    AppendFixed(bytes_, restarts_.size(), 4);
    std::string handle;
    AppendVarint(handle, table.bytes.size());
    AppendVarint(handle, bytes_.size());
    table.blocks.emplace_back(table.bytes.size(), table.bytes.size() + bytes_.size());
    bytes_.push_back(type);
    table.bytes += bytes_;
    AppendFixed(table.bytes, Masked(bytes_), 4);
    *this = BlockWriter();
    return handle;
  }

 private:
  std::string bytes_, last_;
  std::vector<size_t> restarts_;
  int count_ = 0;
};

}  // namespace

void AppendVarint(std::string& bytes, uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
}

void AppendField(std::string& bytes, int number, uint64_t value) {
  AppendVarint(bytes, static_cast<uint64_t>(number) << 3);
  AppendVarint(bytes, value);
}

void AppendField(std::string& bytes, int number, const std::string& value) {
  AppendVarint(bytes, (static_cast<uint64_t>(number) << 3) | 2);
  AppendVarint(bytes, value.size());
  bytes += value;
}

void Table::Seal() {
  for (const auto& [begin, end] : blocks) {
    const uint32_t sum = Masked(bytes.substr(begin, end - begin + 1));
    std::memcpy(bytes.data() + end + 1, &sum, sizeof(sum));
  }
}

Table WriteTable(const std::map<std::string, std::string>& entries, size_t block_bytes, char type) {
  Table table;
  BlockWriter block, index;
  for (const auto& [key, value] : entries) {
    block.Add(key, value);
    if (block.size() < block_bytes && key != entries.rbegin()->first) continue;
    const std::string last = block.last();
    index.Add(last, block.Finish(table, type));
  }
  std::string footer = BlockWriter().Finish(table, type);  // the block of meta data, empty
  footer += index.Finish(table, type);
  footer.resize(40);
  table.bytes += footer;
  AppendFixed(table.bytes, 0xdb4775248b80fb57, 8);
  return table;
}

std::string BundleEntry::Encode() const {
  std::string dims, bytes;
  for (const int64_t size : shape) {
    std::string dim;
    AppendField(dim, 1, static_cast<uint64_t>(size));
    AppendField(dims, 2, dim);
  }
  AppendField(bytes, 1, static_cast<uint64_t>(dtype));
  AppendField(bytes, 2, dims);
  if (shard) AppendField(bytes, 3, static_cast<uint64_t>(shard));
  if (offset) AppendField(bytes, 4, static_cast<uint64_t>(offset));
  AppendField(bytes, 5, static_cast<uint64_t>(size));
  AppendVarint(bytes, (6 << 3) | 5);
  AppendFixed(bytes, checksum, 4);
  if (sliced) AppendField(bytes, 7, std::string());
  return bytes;
}

std::string EncodeBundleHeader(int shards, int endianness, int min_consumer) {
  std::string bytes, version;
  AppendField(bytes, 1, static_cast<uint64_t>(shards));
  if (endianness) AppendField(bytes, 2, static_cast<uint64_t>(endianness));
  AppendField(version, 1, 1);
  if (min_consumer) AppendField(version, 2, static_cast<uint64_t>(min_consumer));
  AppendField(bytes, 3, version);
  return bytes;
}

Bundle MakeBundle(const TensorMap& tensors) {
  Bundle bundle;
  bundle.entries[""] = EncodeBundleHeader(1);
  for (const auto& [name, tensor] : tensors) {
    const std::string bytes(reinterpret_cast<const char*>(tensor.bytes.data()),
                            tensor.bytes.size());
    BundleEntry entry;
    entry.shape = tensor.shape;
    entry.offset = static_cast<int64_t>(bundle.data.size());
    entry.size = static_cast<int64_t>(bytes.size());
    entry.checksum = Masked(bytes);
    bundle.entries[name] = entry.Encode();
    bundle.data += bytes;
  }
  return bundle;
}

}  // namespace trama
