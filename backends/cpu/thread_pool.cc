#include "backends/cpu/thread_pool.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

namespace trama::cpu {
namespace {
// About 20 microseconds: longer than what lies between two kernels of a program.
constexpr int kSpins = 2000;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}
}  // namespace

int AvailableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

ThreadPool::ThreadPool(int threads) : shares_(std::max(1, threads)) {
  for (int i = 1; i < threads; ++i) threads_.emplace_back([this, i] { Work(i); });
}

ThreadPool::~ThreadPool() {
  quit_ = true;
  Publish();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::ParallelFor(RangeFunction function, void* context, int64_t tasks, int64_t grain) {
  if (threads_.empty() || tasks <= grain) return function(context, 0, tasks, 0);
  function_ = function;
  context_ = context;
  grain_ = grain;
  // Every thread begins in its own share, the same one in every kernel: what it reads is mostly
  // what it wrote before.
  const int64_t pieces = (tasks + grain - 1) / grain, shares = size();
  for (int64_t t = 0; t < shares; ++t) {
    shares_[t].end = std::min(tasks, pieces * (t + 1) / shares * grain);
    shares_[t].next.store(pieces * t / shares * grain, std::memory_order_relaxed);
  }
  pending_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
  Publish();
  Drain(0);
  // Yield after a while: a preempted worker may need this core.
  for (int i = 0; pending_.load(std::memory_order_acquire); ++i)
    i < kSpins ? Pause() : static_cast<void>(sched_yield());
}

void ThreadPool::Publish() {
  round_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst))
    syscall(SYS_futex, &round_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void ThreadPool::Drain(int thread) {
  for (int i = 0; i < size(); ++i) {
    Share& share = shares_[(thread + i) % size()];
    for (int64_t at; (at = share.next.fetch_add(grain_, std::memory_order_relaxed)) < share.end;)
      function_(context_, at, std::min(at + grain_, share.end), thread);
  }
}

void ThreadPool::Work(int thread) {
  uint32_t seen = 0;
  while (true) {
    for (int i = 0; i < kSpins && round_.load(std::memory_order_acquire) == seen; ++i) Pause();
    while (round_.load(std::memory_order_acquire) == seen) {
      sleepers_.fetch_add(1, std::memory_order_seq_cst);
      syscall(SYS_futex, &round_, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
      sleepers_.fetch_sub(1, std::memory_order_seq_cst);
    }
    ++seen;
    if (quit_) return;
    Drain(thread);
    pending_.fetch_sub(1, std::memory_order_acq_rel);
  }
}

}  // namespace trama::cpu
