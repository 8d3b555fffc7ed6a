// Byte-pair encoding (Sennrich 2016): the tokens, and the merges that make a word into them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace trama {

// Two neighbouring ids as one key of a hash table.
constexpr uint64_t PairKey(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

class BpeModel {
 public:
  using Merge = std::pair<int32_t, int32_t>;  // ids of the left and the right token

  // `tokens`: the bytes of each id. InvalidArgument `merge N: WHAT` (from 0) where a merge's result
  // is no token or it is there twice.
  static absl::StatusOr<BpeModel> Create(std::vector<std::string> tokens,
                                         std::vector<Merge> merges);

  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<Merge>& merges() const { return merges_; }  // the first merges first

  // Where Encode works; kept from word to word to save allocations.
  struct Scratch {
    struct Symbol {
      int32_t id, previous, next;
    };
    struct Candidate {
      int32_t rank, at, id;
    };
    std::vector<int32_t> bytes;
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
  };
  // Merges n tokens by rank, the leftmost first, in O(n log n), and appends what remains to `ids`.
  void MergeAll(absl::Span<const int32_t> tokens, Scratch& scratch,
                std::vector<int32_t>& ids) const;
  // The same from the bytes of a word. Returns how many have a token: where not all, nothing is
  // appended.
  size_t Encode(std::string_view word, Scratch& scratch, std::vector<int32_t>& ids) const;

 private:
  struct Result {
    int32_t rank, id;
  };
  const Result* Find(int32_t left, int32_t right) const;

  std::vector<std::string> tokens_;
  std::vector<Merge> merges_;
  std::array<int32_t, 256> byte_ids_;  // -1 where the byte is no token
  absl::flat_hash_map<uint64_t, Result> results_;
};

}  // namespace trama
