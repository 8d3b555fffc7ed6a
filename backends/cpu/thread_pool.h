// Threads that wait for ranges of tasks: spinning for some microseconds, then asleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace trama::cpu {

// Does tasks [begin, end) on thread `thread`, 0 being the caller's.
using RangeFunction = void (*)(void* context, int64_t begin, int64_t end, int thread);

class ThreadPool {
 public:
  // threads >= 1, the caller's among them.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }

  // Calls `function` over [0, tasks) in pieces of `grain`, on all threads, and returns when all is
  // done. From one thread at a time. Which thread takes which piece is not determined.
  void ParallelFor(RangeFunction function, void* context, int64_t tasks, int64_t grain);

 private:
  void Publish();
  void Drain(int thread);
  void Work(int thread);

  std::vector<std::thread> threads_;
  RangeFunction function_ = nullptr;
  void* context_ = nullptr;
  int64_t grain_ = 1;
  bool quit_ = false;
  alignas(64) std::atomic<uint32_t> round_{0};
  alignas(64) std::atomic<int> sleepers_{0};
  alignas(64) std::atomic<int> pending_{0};
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  std::vector<Share> shares_;  // of the tasks, one a thread
};

// The cores that this process may use.
int AvailableCores();

}  // namespace trama::cpu
