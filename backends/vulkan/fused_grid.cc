#include "backends/vulkan/fused_grid.h"

#include <algorithm>
#include <bit>

#include "backends/vulkan/loop_limit.h"

namespace trama::vulkan {
namespace {
using codegen::Axis;
using codegen::FusedPhase;
using codegen::PhaseKind;

constexpr int64_t kLanes = 4;

int64_t PowerUpTo(int64_t n) {
  return std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(n, 1)));
}

int64_t LargestGroup(const Target& target) {
  return PowerUpTo(std::min(target.max_invocations, target.max_workgroup_size[0]));
}

void FindLoops(const FusedPhase& phase, FusedGrid& grid) {
  for (auto [g, loop] : llvm::enumerate(phase.merged)) {
    const bool inner = phase.kind == PhaseKind::kElementwise || loop.axis == Axis::kReduced;
    (inner ? grid.inner : grid.outer).push_back(static_cast<int>(g));
  }
  // Sums of columns keep a vector of columns; the others go along what they loop over.
  const auto& along = phase.kind == PhaseKind::kColumns ? grid.outer : grid.inner;
  if (!along.empty() && phase.merged[along.back()].extent % kLanes == 0) {
    grid.vector_loop = along.back();
    grid.lanes = kLanes;
  }
  for (int g : grid.outer) grid.tasks *= phase.merged[g].extent;
  for (int g : grid.inner) grid.steps *= phase.merged[g].extent;
  (phase.kind == PhaseKind::kColumns ? grid.tasks : grid.steps) /= grid.lanes;
}

// On a processor, whose driver runs a whole subgroup's invocation before the next, one subgroup:
// what a workgroup does then lies together. On a GPU whole subgroups, in several workgroups a core.
int64_t GroupFor(int64_t count, const Target& target) {
  const int64_t most = LargestGroup(target);
  const int64_t subgroup = std::min<int64_t>(PowerUpTo(target.subgroup_size), most);
  if (target.is_cpu) return subgroup;
  return std::clamp(PowerUpTo(count / 8), subgroup,
                    std::max<int64_t>(subgroup, std::min<int64_t>(128, most)));
}

// A processor gains by steps in one invocation; a GPU by many invocations.
void SpreadElementwise(const Target& target, FusedGrid& grid) {
  constexpr int64_t kEnough = 512, kMost = 64;
  grid.local_size = GroupFor(grid.steps, target);
  if (target.is_cpu) grid.repeats = std::clamp<int64_t>(grid.steps / kEnough, 1, kMost);
  const int64_t share = grid.local_size * grid.repeats;
  grid.workgroups = (grid.steps + share - 1) / share;
}

void SpreadRows(const FusedPhase& phase, const Target& target, FusedGrid& grid) {
  // Rows enough to fill a processor's cores and their vector registers, and not too long for one
  // invocation; on a GPU, rows too short to share.
  const int64_t passes = codegen::PassesOf(phase).size() + 1;
  grid.workgroup_tasks =
      target.is_cpu ? (grid.tasks < 16 && grid.steps >= 64) || grid.steps * passes > kMostIterations
                    : grid.steps > 8;
  if (!grid.workgroup_tasks) return;
  const int64_t most = std::min<int64_t>(target.is_cpu ? 32 : 256, LargestGroup(target));
  grid.local_size = std::clamp<int64_t>(std::bit_ceil(static_cast<uint64_t>(grid.steps)),
                                        std::min<int64_t>(32, most), most);
}
}  // namespace

FusedGrid SpreadPhase(const FusedPhase& phase, const Target& target) {
  FusedGrid grid;
  FindLoops(phase, grid);
  if (phase.kind == PhaseKind::kElementwise) {
    SpreadElementwise(target, grid);
    return grid;
  }
  if (phase.kind == PhaseKind::kRows) SpreadRows(phase, target, grid);
  if (grid.workgroup_tasks) {
    grid.workgroups = grid.tasks;
    return grid;
  }
  grid.local_size = GroupFor(grid.tasks, target);
  grid.workgroups = (grid.tasks + grid.local_size - 1) / grid.local_size;
  return grid;
}

size_t MostBuffers(const Target& target) {
  constexpr size_t kMost = 64;
  return target.device_address ? kMost : std::min<size_t>(kMost, target.max_descriptors / 2);
}

codegen::ReductionSplit SplitFor(const Target& target) {
  // A task is a row, on a GPU a workgroup's; or columns of an invocation, on a GPU of a workgroup.
  if (target.is_cpu)
    return {.least_elements = 65536,
            .enough_tasks = 16,
            .columns = 4,
            .chunk_elements = 16384,
            .longest_columns = kMostIterations};
  return {.least_elements = 16384, .enough_tasks = 64, .columns = 256, .chunk_elements = 4096};
}

}  // namespace trama::vulkan
