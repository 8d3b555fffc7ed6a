// What several threads use at once, without kernels: `./dev tsan` sees every access here, while it
// sees none of a compiled kernel's.
#include <thread>

#include "backends/codegen/object_cache.h"
#include "backends/cpu/thread_pool.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/temp_dir.h"

namespace trama::cpu {
namespace {

template <typename F>
void OnThreads(int count, F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(f, i);
  for (std::thread& thread : threads) thread.join();
}

// The caller sees what every thread wrote, and the next round what the caller wrote in between.
TEST(CpuThreadsTest, RoundsSeeEachOthersMemory) {
  OnThreads(3, [](int) {
    ThreadPool pool(3);
    struct Work {
      std::vector<int64_t> x, y;
    } work{std::vector<int64_t>(1000), std::vector<int64_t>(1000)};
    for (int64_t round = 0; round < 200; ++round) {
      pool.ParallelFor(
          [](void* context, int64_t begin, int64_t end, int) {
            Work& work = *static_cast<Work*>(context);
            for (int64_t i = begin; i < end; ++i) work.y[i] += work.x[i] + i;
          },
          &work, 1000, 1 + round % 400);
      for (int64_t i = 0; i < 1000; ++i) {
        ASSERT_EQ(work.y[i], (round + 1) * i + round * (round + 1) / 2);
        ++work.x[i];
      }
      if (round % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // they sleep
    }
  });
}

TEST(CpuThreadsTest, TheCacheServesThreads) {
  const TempDir dir;
  const codegen::ObjectCache cache(dir.path());
  OnThreads(4, [&](int thread) {
    for (int round = 0; round < 20; ++round)
      for (int key = 0; key < 3; ++key) {
        const std::string content(1000 + key, static_cast<char>('a' + key));
        const std::string name = codegen::Sha256Hex(content);
        if ((round + thread) % 2 == 0) cache.Store(name, content);
        if (const std::optional<std::string> found = cache.Find(name)) ASSERT_EQ(*found, content);
      }
  });
}

}  // namespace
}  // namespace trama::cpu
