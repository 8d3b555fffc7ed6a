// Writes TensorFlow's checkpoints as that project does, for tests of their reader: everything is
// encoded by hand, so that nothing of the reader is trusted.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/host_tensor.h"

namespace trama {

void AppendVarint(std::string& bytes, uint64_t value);
// A field of a protocol buffer: a varint, or bytes with their length.
void AppendField(std::string& bytes, int number, uint64_t value);
void AppendField(std::string& bytes, int number, const std::string& value);

struct Table {
  std::string bytes;
  std::vector<std::pair<size_t, size_t>> blocks;  // begin and end of each, without its trailer
  // Makes the checksums right again after a change of bytes.
  void Seal();
};
// Blocks of about `block_bytes`; `type` is written as that of every block (1: Snappy).
Table WriteTable(const std::map<std::string, std::string>& entries, size_t block_bytes = 256,
                 char type = 0);

struct BundleEntry {
  int dtype = 1;
  Shape shape;
  int64_t shard = 0, offset = 0, size = 0;
  uint32_t checksum = 0;  // masked
  bool sliced = false;
  std::string Encode() const;
};
std::string EncodeBundleHeader(int shards, int endianness = 0, int min_consumer = 0);

struct Bundle {
  std::map<std::string, std::string> entries;  // of the index, the header too
  std::string data;
};
// Of f32 tensors, one shard.
Bundle MakeBundle(const TensorMap& tensors);

}  // namespace trama
