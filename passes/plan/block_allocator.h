// Offsets inside blocks of limited size.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace trama {

struct Place {
  uint32_t block = 0;  // among the allocator's blocks
  uint64_t offset = 0;
};

// A request for memory from step `first` to step `last`, both included.
struct Lifetime {
  uint64_t bytes = 0;
  int64_t first = 0, last = 0;
};

// Places values in blocks of at most `max_block_bytes`, at multiples of `alignment`.
class BlockAllocator {
 public:
  BlockAllocator(uint64_t alignment, uint64_t max_block_bytes)
      : alignment_(alignment), max_block_bytes_(max_block_bytes) {}

  // Places all of `values` so that those alive at one step do not overlap: the largest first, each
  // in the gap it fits best (Pisarchyk and Lee 2020, greedy by size). Values of different calls may
  // overlap. ResourceExhausted where a value is larger than a block.
  absl::StatusOr<std::vector<Place>> Allocate(const std::vector<Lifetime>& values);

  // The size of each block so far, rounded up to the alignment.
  const std::vector<uint64_t>& blocks() const { return blocks_; }

 private:
  uint64_t Aligned(uint64_t bytes) const {
    return (bytes + alignment_ - 1) / alignment_ * alignment_;
  }

  uint64_t alignment_, max_block_bytes_;
  std::vector<uint64_t> blocks_;
};

}  // namespace trama
