#include "runtime/tokenizer/bpe_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace trama {
namespace {

// A heap's order: the first merge, then the leftmost, comes out first.
bool Later(const BpeModel::Scratch::Candidate& a, const BpeModel::Scratch::Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
}

}  // namespace

absl::StatusOr<BpeModel> BpeModel::Create(std::vector<std::string> tokens,
                                          std::vector<Merge> merges) {
  BpeModel model;
  absl::flat_hash_map<std::string_view, int32_t> ids;
  ids.reserve(tokens.size());
  model.byte_ids_.fill(-1);
  for (size_t id = 0; id < tokens.size(); ++id) {
    ids.emplace(tokens[id], static_cast<int32_t>(id));
    if (tokens[id].size() == 1)
      model.byte_ids_[static_cast<uint8_t>(tokens[id][0])] = static_cast<int32_t>(id);
  }
  model.results_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto [left, right] = merges[rank];
    const std::string result = tokens[left] + tokens[right];
    const auto found = ids.find(result);
    if (found == ids.end())
      return absl::InvalidArgumentError(
          absl::StrCat("merge ", rank, ": its result is not in the vocabulary"));
    if (!model.results_
             .emplace(PairKey(left, right), Result{static_cast<int32_t>(rank), found->second})
             .second)
      return absl::InvalidArgumentError(absl::StrCat("merge ", rank, ": is there twice"));
  }
  model.tokens_ = std::move(tokens);
  model.merges_ = std::move(merges);
  return model;
}

const BpeModel::Result* BpeModel::Find(int32_t left, int32_t right) const {
  const auto found = results_.find(PairKey(left, right));
  return found == results_.end() ? nullptr : &found->second;
}

size_t BpeModel::Encode(std::string_view word, Scratch& scratch, std::vector<int32_t>& ids) const {
  scratch.bytes.clear();
  for (const char byte : word) {
    const int32_t id = byte_ids_[static_cast<uint8_t>(byte)];
    if (id < 0) return scratch.bytes.size();
    scratch.bytes.push_back(id);
  }
  MergeAll(scratch.bytes, scratch, ids);
  return word.size();
}

void BpeModel::MergeAll(absl::Span<const int32_t> tokens, Scratch& scratch,
                        std::vector<int32_t>& ids) const {
  if (tokens.empty()) return;
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  symbols.clear();
  heap.clear();
  for (const int32_t id : tokens) {
    const int32_t at = static_cast<int32_t>(symbols.size());
    symbols.push_back({id, at - 1, at + 1});
  }
  symbols.back().next = -1;
  auto consider = [&](int32_t at) {
    if (at < 0 || symbols[at].next < 0) return;
    const Result* result = Find(symbols[at].id, symbols[symbols[at].next].id);
    if (!result) return;
    heap.push_back({result->rank, at, result->id});
    std::push_heap(heap.begin(), heap.end(), Later);
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i) consider(static_cast<int32_t>(i));
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), Later);
    const Scratch::Candidate best = heap.back();
    heap.pop_back();
    Scratch::Symbol& left = symbols[best.at];
    if (left.id < 0 || left.next < 0) continue;
    Scratch::Symbol& right = symbols[left.next];
    const Result* result = Find(left.id, right.id);
    if (!result || result->rank != best.rank) continue;  // a merge nearby has changed the pair
    left.id = best.id;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) symbols[left.next].previous = best.at;
    consider(left.previous);
    consider(best.at);
  }
  for (int32_t at = 0; at >= 0; at = symbols[at].next) ids.push_back(symbols[at].id);
}

}  // namespace trama
