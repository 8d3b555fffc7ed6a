// The ids of the words met most recently. Words of a text repeat: most are found here.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

namespace trama {

// A table of cache lines in pairs, no pointers: a new word moves its pair's first to the second
// place. Not for several threads at once.
class WordCache {
 public:
  static constexpr size_t kMaxBytes = 23, kMaxIds = 9;

  WordCache() : lines_(size_t{1} << kBits) {}

  // Appends the word's ids; false where it is not here.
  bool Find(std::string_view word, std::vector<int32_t>& ids) const {
    if (word.size() > kMaxBytes) return false;
    const Key key = KeyOf(word);
    const size_t at = Place(key);
    for (const size_t i : {at, at ^ 1}) {
      const Line& line = lines_[i];
      if (line.key != key || line.count == 0) continue;
      ids.insert(ids.end(), line.ids.begin(), line.ids.begin() + line.count);
      return true;
    }
    return false;
  }

  void Insert(std::string_view word, absl::Span<const int32_t> ids) {
    if (word.size() > kMaxBytes || ids.empty() || ids.size() > kMaxIds) return;
    const Key key = KeyOf(word);
    const size_t at = Place(key);
    lines_[at ^ 1] = lines_[at];
    lines_[at].key = key;
    lines_[at].count = static_cast<uint32_t>(ids.size());
    std::copy(ids.begin(), ids.end(), lines_[at].ids.begin());
  }

 private:
  static constexpr int kBits = 16;  // 4 MiB
  using Key = std::array<uint64_t, 3>;
  struct alignas(64) Line {
    Key key{};  // 23 bytes of the word and its length
    uint32_t count = 0;
    std::array<int32_t, kMaxIds> ids{};
  };

  static Key KeyOf(std::string_view word) {
    char bytes[sizeof(Key)] = {};
    memcpy(bytes, word.data(), word.size());
    bytes[kMaxBytes] = static_cast<char>(word.size());
    Key key;
    memcpy(key.data(), bytes, sizeof(Key));
    return key;
  }
  static size_t Place(const Key& key) {
    uint64_t hash = key[0] * 0x9E3779B97F4A7C15u;
    hash = (hash ^ (hash >> 32) ^ key[1]) * 0xC2B2AE3D27D4EB4Fu;
    hash = (hash ^ (hash >> 32) ^ key[2]) * 0x165667B19E3779F9u;
    return hash >> (64 - kBits);
  }

  std::vector<Line> lines_;
};

}  // namespace trama
