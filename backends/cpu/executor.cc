#include "backends/cpu/executor.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "absl/container/inlined_vector.h"

namespace trama::cpu {
namespace {
constexpr size_t kAlignment = 64, kHugePage = size_t{2} << 20;
// Waking another thread takes up to 2 microseconds, which is about this many operations.
constexpr double kSmallFlops = 20000;

struct Running {
  const Step* step;
  const Workspace* workspace;
};

// The one place that calls compiled kernels. UBSan would look before a function's first byte for
// its type, where those have none.
#if defined(__clang__)
__attribute__((no_sanitize("function")))
#endif
void Call(const Step& step, const Workspace& workspace, int64_t begin, int64_t end, int thread) {
  void** buffers = step.buffers;
  absl::InlinedVector<void*, 16> shifted;
  for (size_t i = 0; i < step.shifts.size(); ++i)
    shifted.push_back(static_cast<char*>(buffers[i]) + step.shifts[i]);
  if (!shifted.empty()) buffers = shifted.data();
  step.function(buffers, workspace.shared(), workspace.scratch(thread), begin, end);
}

void RunRange(void* context, int64_t begin, int64_t end, int thread) {
  const auto* running = static_cast<const Running*>(context);
  Call(*running->step, *running->workspace, begin, end, thread);
}
}  // namespace

void FreeAligned::operator()(void* memory) const {
  if (mapped)
    munmap(memory, mapped);
  else
    std::free(memory);
}

namespace {
// Fresh pages are zero; a model's first values are written while the host still has its own copy,
// so nothing is touched before. `bytes` is a multiple of kHugePage.
AlignedMemory MapHugePages(size_t bytes) {
  char* raw = static_cast<char*>(
      mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (raw == MAP_FAILED) return nullptr;
  const size_t before = -reinterpret_cast<uintptr_t>(raw) % kHugePage;
  if (before) munmap(raw, before);
  if (before < kHugePage) munmap(raw + before + bytes, kHugePage - before);
  madvise(raw + before, bytes, MADV_HUGEPAGE);
  return AlignedMemory(raw + before, FreeAligned{bytes});
}
}  // namespace

AlignedMemory AllocateAligned(size_t bytes) {
  const bool large = bytes >= 2 * kHugePage;
  const size_t alignment = large ? kHugePage : kAlignment;
  bytes = std::max((bytes + alignment - 1) / alignment * alignment, alignment);
  if (large) return MapHugePages(bytes);
  AlignedMemory memory(std::aligned_alloc(alignment, bytes));
  if (memory) std::memset(memory.get(), 0, bytes);
  return memory;
}

bool Workspace::Reserve(int64_t workspace_floats, int64_t scratch_floats, int threads) {
  // Threads' parts begin on cache lines of their own.
  const int64_t stride = (scratch_floats + 31) / 16 * 16;
  if (workspace_floats > shared_floats_ || !shared_) {
    shared_floats_ = std::max<int64_t>(workspace_floats, 16);
    shared_ = AllocateAligned(shared_floats_ * sizeof(float));
  }
  if (stride > scratch_stride_ || !scratch_) {
    scratch_stride_ = stride;
    scratch_ = AllocateAligned(stride * threads * sizeof(float));
  }
  bytes_ = (shared_floats_ + scratch_stride_ * threads) * sizeof(float);
  return shared_ && scratch_;
}

bool IsParallel(const LoadedPhase& phase) {
  return phase.flops >= kSmallFlops && phase.tasks > phase.grain;
}

void AppendSteps(const LoadedKernel& kernel, void** buffers, std::vector<Step>& steps) {
  for (const LoadedPhase& phase : kernel.phases)
    steps.push_back(
        {phase.function, buffers, phase.tasks, phase.grain, IsParallel(phase), phase.shifts});
}

void RunStep(const Step& step, const Workspace& workspace, ThreadPool& pool) {
  if (!step.parallel || pool.size() == 1) return Call(step, workspace, 0, step.tasks, 0);
  Running running{&step, &workspace};
  pool.ParallelFor(&RunRange, &running, step.tasks, step.grain);
}

}  // namespace trama::cpu
