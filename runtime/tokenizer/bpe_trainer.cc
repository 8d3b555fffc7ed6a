#include "runtime/tokenizer/bpe_trainer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/tokenizer/bpe_model.h"

namespace trama {
namespace {

// The parts of a PairKey.
int32_t Left(uint64_t pair) { return static_cast<int32_t>(pair >> 32); }
int32_t Right(uint64_t pair) { return static_cast<int32_t>(pair & 0xFFFFFFFFu); }

}  // namespace

BpeTrainer::BpeTrainer(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}

void BpeTrainer::AddWord(std::vector<int32_t> ids, int64_t count) {
  words_.push_back({std::move(ids), count});
}

// The heap's top is the most frequent pair; of equals, the smallest.
bool BpeTrainer::Worse(const Candidate& a, const Candidate& b) {
  return a.count != b.count ? a.count < b.count : a.pair > b.pair;
}

void BpeTrainer::Push(uint64_t pair) {
  const auto found = pairs_.find(pair);
  if (found == pairs_.end() || found->second.count <= 0) return;
  heap_.push_back({found->second.count, pair});
  std::push_heap(heap_.begin(), heap_.end(), Worse);
}

void BpeTrainer::MergeIn(uint32_t index, uint64_t pair, int32_t id,
                         std::vector<uint64_t>& changed) {
  Word& word = words_[index];
  std::vector<int32_t>& ids = word.ids;
  const auto is_pair = [&](size_t i) {
    return i + 1 < ids.size() && PairKey(ids[i], ids[i + 1]) == pair;
  };
  size_t first = 0;
  while (first + 1 < ids.size() && !is_pair(first)) ++first;
  if (first + 1 >= ids.size()) return;  // an earlier merge has taken it
  for (size_t i = 0; i + 1 < ids.size(); ++i)
    pairs_[PairKey(ids[i], ids[i + 1])].count -= word.count;
  size_t to = 0;
  for (size_t from = 0; from < ids.size(); ++to) {
    const bool merged = is_pair(from);
    ids[to] = merged ? id : ids[from];
    from += merged ? 2 : 1;
  }
  ids.resize(to);
  for (size_t i = 0; i + 1 < ids.size(); ++i) {
    const uint64_t now = PairKey(ids[i], ids[i + 1]);
    Pair& of_pair = pairs_[now];
    of_pair.count += word.count;
    if (ids[i] != id && ids[i + 1] != id) continue;  // it had this pair before
    if (of_pair.words.empty() || of_pair.words.back() != index) of_pair.words.push_back(index);
    changed.push_back(now);
  }
}

void BpeTrainer::Train(const Options& options) {
  absl::flat_hash_map<std::string, int32_t> ids;
  for (size_t id = 0; id < tokens_.size(); ++id) ids.emplace(tokens_[id], static_cast<int32_t>(id));
  for (uint32_t index = 0; index < words_.size(); ++index) {
    const Word& word = words_[index];
    for (size_t i = 0; i + 1 < word.ids.size(); ++i) {
      Pair& pair = pairs_[PairKey(word.ids[i], word.ids[i + 1])];
      pair.count += word.count;
      if (pair.words.empty() || pair.words.back() != index) pair.words.push_back(index);
    }
  }
  for (const auto& [pair, counted] : pairs_) heap_.push_back({counted.count, pair});
  std::make_heap(heap_.begin(), heap_.end(), Worse);
  std::vector<uint64_t> changed;
  while (static_cast<int64_t>(tokens_.size()) < options.vocab_size && !heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), Worse);
    const Candidate best = heap_.back();
    heap_.pop_back();
    Pair& pair = pairs_[best.pair];
    if (pair.count != best.count) {
      // Counts only fall between pushes: this one comes out again at its true place. A count that
      // rose was pushed when it did.
      if (pair.count < best.count) Push(best.pair);
      continue;
    }
    if (best.count < options.min_frequency) break;
    const int32_t left = Left(best.pair), right = Right(best.pair);
    std::string token = tokens_[left];
    absl::StrAppend(&token, absl::StripPrefix(tokens_[right], options.continues));
    // Two pairs may make one token: "a bc" and "ab c".
    const auto [found, is_new] = ids.emplace(token, static_cast<int32_t>(tokens_.size()));
    const int32_t id = found->second;
    if (is_new) tokens_.push_back(std::move(token));
    merges_.emplace_back(left, right);
    changed.clear();
    const std::vector<uint32_t> words = std::move(pair.words);
    for (const uint32_t index : words) MergeIn(index, best.pair, id, changed);
    pairs_.erase(best.pair);
    std::sort(changed.begin(), changed.end());
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
    for (const uint64_t pushed : changed) Push(pushed);
    if (options.progress) options.progress(static_cast<int64_t>(tokens_.size()));
  }
}

}  // namespace trama
