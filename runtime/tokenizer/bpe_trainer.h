// Training of byte-pair encodings (Sennrich 2016).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"

namespace trama {

using WordCounts = absl::flat_hash_map<std::string, int64_t>;

class BpeTrainer {
 public:
  struct Options {
    int64_t vocab_size = 0;     // the initial tokens count
    int64_t min_frequency = 1;  // of a pair that is merged
    std::string continues{};    // what a token that goes on a word starts with: "##"
    std::function<void(int64_t tokens)> progress{};  // after each new token
  };

  // `tokens`: the initial ones, in the order of their ids.
  explicit BpeTrainer(std::vector<std::string> tokens);
  // A word of the corpus as ids of initial tokens, and how often it is there.
  void AddWord(std::vector<int32_t> ids, int64_t count);
  // Merges the most frequent pair of neighbours, in each word from left to right, until there are
  // enough tokens. Of pairs as frequent, the one of the smallest ids (left, then right) wins, as in
  // Hugging Face's BpeTrainer. Counts are kept up to date by the words that a merge changes.
  void Train(const Options& options);

  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<std::pair<int32_t, int32_t>>& merges() const { return merges_; }

 private:
  struct Word {
    std::vector<int32_t> ids;
    int64_t count;
  };
  struct Pair {
    int64_t count = 0;
    std::vector<uint32_t> words;  // that may have it, in the order they came to have it
  };
  struct Candidate {
    int64_t count;
    uint64_t pair;
  };
  static bool Worse(const Candidate& a, const Candidate& b);
  void Push(uint64_t pair);
  void MergeIn(uint32_t index, uint64_t pair, int32_t id, std::vector<uint64_t>& changed);

  std::vector<std::string> tokens_;
  std::vector<std::pair<int32_t, int32_t>> merges_;
  std::vector<Word> words_;
  absl::flat_hash_map<uint64_t, Pair> pairs_;
  std::vector<Candidate> heap_;
};

}  // namespace trama
