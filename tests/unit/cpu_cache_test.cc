// The cache of compiled kernels, the thread pool, and several threads or processes at once.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "tests/unit/cpu_test_util.h"

namespace trama::cpu {
namespace {
namespace fs = std::filesystem;

std::string NewDirectory() {
  std::string name = (fs::temp_directory_path() / "trama_cache_XXXXXX").string();
  return mkdtemp(name.data());
}

const std::string kBody = R"(func.func @f(%a: tensor<40xf32>) -> tensor<40xf32> {
  %0 = trama.exp %a : tensor<40xf32>
  return %0 : tensor<40xf32>
})";

// Loads the kernel with a Jit of its own and runs it; returns what was compiled and cached.
JitStatistics LoadAndRun(const std::string& directory) {
  auto jit = Jit::Create(directory, "");
  EXPECT_OK(jit);
  ThreadPool pool(2);
  JitStatistics statistics;
  auto kernels = (*jit)->Load({{"fused", &kBody, "some hash"}, {"fused", &kBody, "some hash"}},
                              pool, &statistics);
  EXPECT_OK(kernels);
  EXPECT_EQ((*kernels)[0], (*kernels)[1]);
  std::vector<float> x(40, 1), y(40);
  void* buffers[] = {x.data(), y.data()};
  Workspace workspace;
  EXPECT_TRUE(workspace.Reserve(0, 0, 2));
  std::vector<Step> steps;
  AppendSteps(*(*kernels)[0], buffers, steps);
  for (const Step& step : steps) RunStep(step, workspace, pool);
  for (float value : y) EXPECT_NEAR(value, 2.7182818f, 1e-6);
  return statistics;
}

fs::path OnlyFile(const std::string& directory) {
  fs::path path;
  int files = 0;
  for (const auto& entry : fs::directory_iterator(directory)) path = entry.path(), ++files;
  EXPECT_EQ(files, 1);
  return path;
}

TEST(CpuCacheTest, CompilesOnceAndReadsThenOn) {
  const std::string directory = NewDirectory() + "/made/when/needed";
  JitStatistics first = LoadAndRun(directory);
  EXPECT_EQ(first.compiled, 1);
  EXPECT_EQ(first.cached, 0);
  JitStatistics second = LoadAndRun(directory);
  EXPECT_EQ(second.compiled, 0);
  EXPECT_EQ(second.cached, 1);
  OnlyFile(directory);
}

TEST(CpuCacheTest, CompilesAgainWhereTheFileIsDamaged) {
  const std::string directory = NewDirectory();
  LoadAndRun(directory);
  const fs::path file = OnlyFile(directory);
  std::ifstream in(file, std::ios::binary);
  const std::string whole(std::istreambuf_iterator<char>(in), {});
  auto damage = [&](const std::string& content) {
    std::ofstream(file, std::ios::binary) << content;
    EXPECT_EQ(LoadAndRun(directory).compiled, 1);
    EXPECT_EQ(LoadAndRun(directory).cached, 1) << "the file was not written anew";
  };
  damage("");
  damage("nonsense");
  damage(whole.substr(0, whole.size() / 2));
  for (size_t at : {size_t{3}, size_t{40}, size_t{90}, whole.size() / 2, whole.size() - 1}) {
    std::string flipped = whole;
    flipped[at] ^= 1;
    damage(flipped);
  }
}

TEST(CpuCacheTest, WorksWithoutADirectory) {
  EXPECT_EQ(LoadAndRun("").compiled, 1);
  EXPECT_EQ(LoadAndRun("/proc/no/such/place").compiled, 1);
  EXPECT_EQ(LoadAndRun("/proc/no/such/place").cached, 0);
}

TEST(CpuCacheTest, ServesProcessesAtOnce) {
  const std::string directory = NewDirectory();
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      for (int k = 0; k < 3; ++k) LoadAndRun(directory);
      _exit(::testing::Test::HasFailure());
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(LoadAndRun(directory).cached, 1);
  OnlyFile(directory);
}

TEST(CpuCacheTest, KeysTellMachinesApart) {
  const std::string directory = NewDirectory();
  LoadAndRun(directory);
  auto jit = Jit::Create(directory, "x86-64-v3");
  ASSERT_OK(jit);
  ThreadPool pool(1);
  JitStatistics statistics;
  ASSERT_OK((*jit)->Load({{"fused", &kBody, "some hash"}}, pool, &statistics));
  EXPECT_EQ(statistics.compiled, 1);
}

TEST(CpuCacheTest, RefusesWhatDoesNotParse) {
  auto jit = Jit::Create("", "");
  ASSERT_OK(jit);
  ThreadPool pool(2);
  JitStatistics statistics;
  const std::string bad = "not mlir";
  EXPECT_THAT((*jit)->Load({{"fused", &bad, "x"}}, pool, &statistics),
              StatusIs(absl::StatusCode::kInvalidArgument, "kernel body"));
}

TEST(CpuThreadPoolTest, DoesEveryTaskOnce) {
  for (int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (int64_t tasks : {0, 1, 2, 10, 1000})
      for (int64_t grain : {1, 3, 2000}) {
        std::vector<std::atomic<int>> done(tasks);
        pool.ParallelFor(
            [](void* context, int64_t begin, int64_t end, int) {
              auto& counts = *static_cast<std::vector<std::atomic<int>>*>(context);
              for (int64_t i = begin; i < end; ++i) ++counts[i];
            },
            &done, tasks, grain);
        for (const auto& count : done) EXPECT_EQ(count, 1);
      }
  }
}

TEST(CpuThreadPoolTest, ThreadCountsGiveTheSameBits) {
  const std::string body = R"(func.func @f(%a: tensor<70000x3xf32>, %b: tensor<300x70xf32>)
      -> (tensor<f32>, tensor<3xf32>, tensor<300x70xf32>) {
    %0 = trama.sum %a dims = [0, 1] : tensor<70000x3xf32>
    %1 = trama.sum %a dims = [0] : tensor<70000x3xf32>
    %2 = trama.softmax %b dim = 1 : tensor<300x70xf32>
    return %0, %1, %2 : tensor<f32>, tensor<3xf32>, tensor<300x70xf32>})";
  std::vector<HostTensor> first;
  for (int threads : {1, 2, 3}) {
    auto kernel = CpuKernel::Compile("fused", body, threads);
    ASSERT_OK(kernel);
    auto results = (*kernel)->Run((*kernel)->RandomInputs(5), /*parallel=*/true);
    if (first.empty()) first = results;
    for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].bytes, first[i].bytes);
  }
}

}  // namespace
}  // namespace trama::cpu
