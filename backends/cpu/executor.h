// Runs compiled phases: small ones on the calling thread, others on all.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "backends/cpu/jit.h"
#include "backends/cpu/thread_pool.h"

namespace trama::cpu {

// Memory of `bytes` at a 64-byte boundary, zero-filled; large blocks in huge pages where the system
// has them, and taken from it when they are first written. Null where there is none.
struct FreeAligned {
  size_t mapped = 0;  // bytes, where the memory came from the system itself
  void operator()(void* memory) const;
};
using AlignedMemory = std::unique_ptr<void, FreeAligned>;
AlignedMemory AllocateAligned(size_t bytes);

// One phase of one dispatch, ready to run.
struct Step {
  PhaseFunction function;
  void** buffers;  // operands, then results
  int64_t tasks, grain;
  bool parallel;
  absl::Span<const int64_t> shifts;  // Phase::shifts
};

// What kernels compute in beside their buffers.
class Workspace {
 public:
  // Room for kernels of up to these sizes on `threads` threads. False where memory ends.
  bool Reserve(int64_t workspace_floats, int64_t scratch_floats, int threads);
  float* shared() const { return static_cast<float*>(shared_.get()); }
  float* scratch(int thread) const {
    return static_cast<float*>(scratch_.get()) + thread * scratch_stride_;
  }
  size_t bytes() const { return bytes_; }

 private:
  AlignedMemory shared_, scratch_;
  int64_t shared_floats_ = 0, scratch_stride_ = 0;
  size_t bytes_ = 0;
};

// Whether `phase` is worth waking other threads for.
bool IsParallel(const LoadedPhase& phase);
// The steps of a kernel over `buffers`; both must stay where they are.
void AppendSteps(const LoadedKernel& kernel, void** buffers, std::vector<Step>& steps);

void RunStep(const Step& step, const Workspace& workspace, ThreadPool& pool);

}  // namespace trama::cpu
