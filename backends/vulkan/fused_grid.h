// How the loops of a phase of a fused kernel are spread over invocations.
#pragma once

#include <algorithm>

#include "backends/codegen/fused_plan.h"
#include "backends/vulkan/target.h"

namespace trama::vulkan {

struct FusedGrid {
  // Of phase.merged: `outer` are spread over tasks, an invocation's or a workgroup's each; `inner`
  // is what a task loops over, all loops of an elementwise phase. `vector_loop` goes in steps of
  // `lanes` elements; -1 and 1: element by element.
  llvm::SmallVector<int> outer, inner;
  int vector_loop = -1;
  int64_t lanes = 1;

  int64_t tasks = 1;  // the product of `outer`
  int64_t steps = 1;  // the product of `inner`, in vectors
  // A task is a workgroup, whose invocations share its steps; else an invocation.
  bool workgroup_tasks = false;
  // Elementwise: no tasks, and so many steps an invocation. Those of a workgroup are next to each
  // other.
  int64_t repeats = 1;
  uint32_t local_size = 1;
  int64_t workgroups = 1;
};

FusedGrid SpreadPhase(const codegen::FusedPhase& phase, const Target& target);

// Reductions that need more tasks than they have results.
codegen::ReductionSplit SplitFor(const Target& target);
// Buffers that steps may share a phase with: what descriptors there are, some of them twice, or
// what keeps a shader small.
size_t MostBuffers(const Target& target);
// Those that one step may read, beside the one that it writes.
inline size_t MostLeaves(const Target& target) {
  return std::max<size_t>(MostBuffers(target), 3) - 1;
}

}  // namespace trama::vulkan
