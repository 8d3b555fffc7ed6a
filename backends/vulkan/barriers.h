// Where a sequence of dispatches needs barriers: only where the memory that they use overlaps.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace trama::vulkan {

// What one dispatch does with bytes [begin, end) of a piece of memory.
struct Access {
  uint64_t memory = 0;  // a buffer's id
  uint64_t begin = 0, end = 0;
  bool reads = false, writes = false;
};

// Decides in the order of recording. A barrier makes all that was recorded before it wait for and
// visible to all that comes after.
class BarrierPlanner {
 public:
  // Whether a dispatch with these accesses must wait: it reads what was written, or writes what was
  // read or written, since the last barrier. If so a barrier is taken to be recorded before it.
  bool Next(absl::Span<const Access> accesses);

 private:
  std::vector<Access> since_barrier_;
};

// Of each dispatch, whether a barrier stands before it.
std::vector<bool> PlanBarriers(absl::Span<const std::vector<Access>> dispatches);

}  // namespace trama::vulkan
