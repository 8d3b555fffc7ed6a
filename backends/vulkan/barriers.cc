#include "backends/vulkan/barriers.h"

#include <algorithm>

namespace trama::vulkan {
namespace {
bool Conflict(const Access& earlier, const Access& later) {
  return (earlier.writes || later.writes) && earlier.memory == later.memory &&
         std::max(earlier.begin, later.begin) < std::min(earlier.end, later.end);
}
}  // namespace

bool BarrierPlanner::Next(absl::Span<const Access> accesses) {
  const bool wait = std::any_of(accesses.begin(), accesses.end(), [&](const Access& later) {
    return std::any_of(since_barrier_.begin(), since_barrier_.end(),
                       [&](const Access& earlier) { return Conflict(earlier, later); });
  });
  if (wait) since_barrier_.clear();
  for (const Access& access : accesses)
    if (access.reads || access.writes) since_barrier_.push_back(access);
  return wait;
}

std::vector<bool> PlanBarriers(absl::Span<const std::vector<Access>> dispatches) {
  BarrierPlanner planner;
  std::vector<bool> barriers;
  for (const std::vector<Access>& accesses : dispatches) barriers.push_back(planner.Next(accesses));
  return barriers;
}

}  // namespace trama::vulkan
