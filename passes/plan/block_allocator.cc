#include "passes/plan/block_allocator.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace trama {
namespace {
struct Taken {
  uint64_t begin, end;
};

// The offset of the smallest gap between `taken` that holds `bytes`, or the end of the last.
uint64_t BestFit(std::vector<Taken> taken, uint64_t bytes) {
  std::sort(taken.begin(), taken.end(),
            [](const Taken& a, const Taken& b) { return a.begin < b.begin; });
  uint64_t end = 0, best = UINT64_MAX, best_gap = UINT64_MAX;
  for (const Taken& range : taken) {
    if (range.begin > end && range.begin - end >= bytes && range.begin - end < best_gap) {
      best = end;
      best_gap = range.begin - end;
    }
    end = std::max(end, range.end);
  }
  return best == UINT64_MAX ? end : best;
}
}  // namespace

absl::StatusOr<std::vector<Place>> BlockAllocator::Allocate(const std::vector<Lifetime>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return values[a].bytes != values[b].bytes ? values[a].bytes > values[b].bytes : a < b;
  });
  std::vector<Place> places(values.size());
  std::vector<size_t> placed;
  for (size_t i : order) {
    const uint64_t bytes = Aligned(values[i].bytes);
    if (bytes > max_block_bytes_)
      return absl::ResourceExhaustedError(
          absl::StrCat("a tensor of ", values[i].bytes, " bytes does not fit in a block of ",
                       max_block_bytes_, " bytes, the device's largest"));
    for (uint32_t block = 0;; ++block) {
      if (block == blocks_.size()) blocks_.push_back(0);
      std::vector<Taken> taken;
      for (size_t j : placed)
        if (places[j].block == block && values[j].first <= values[i].last &&
            values[i].first <= values[j].last)
          taken.push_back({places[j].offset, places[j].offset + Aligned(values[j].bytes)});
      const uint64_t offset = BestFit(std::move(taken), bytes);
      if (offset + bytes > max_block_bytes_) continue;
      places[i] = {block, offset};
      blocks_[block] = std::max(blocks_[block], offset + bytes);
      break;
    }
    placed.push_back(i);
  }
  return places;
}

}  // namespace trama
