// The cache of compiled kernels and of the driver's pipelines on disk.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/temp_dir.h"
#include "tests/unit/vulkan_test_kernels.h"
#include "tests/unit/vulkan_test_util.h"

namespace trama::vulkan {
namespace {
namespace fs = std::filesystem;

// Loads two equal kernels and another on a device of its own; what was compiled and cached.
LoadStatistics Load(const std::string& directory, bool device_address = true) {
  DeviceOptions options;
  options.device_address = device_address;
  auto test = TestDevice::Open(options, /*staging=*/false, directory);
  EXPECT_OK(test);
  const std::string a = AddBody(40), b = DoubleBody(40);
  LoadStatistics statistics;
  auto kernels = (*test)->shaders->Load(
      {{"test_add", &a, "some hash"}, {"test_add", &a, "some hash"}, {"test_double", &b, ""}},
      &statistics);
  EXPECT_OK(kernels);
  EXPECT_EQ((*kernels)[0], (*kernels)[1]);
  EXPECT_OK((*test)->device->CheckMessages());
  return statistics;
}

std::vector<fs::path> Files(const std::string& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
  return files;
}

TEST(VulkanCacheTest, CompilesOnceAndReadsThenOn) {
  TempDir temp;
  const std::string directory = temp / "made/when/needed";
  const LoadStatistics first = Load(directory);
  EXPECT_EQ(first.compiled, 2);
  EXPECT_EQ(first.cached, 0);
  EXPECT_EQ(Files(directory).size(), 3u);  // and the driver's
  const LoadStatistics second = Load(directory);
  EXPECT_EQ(second.compiled, 0);
  EXPECT_EQ(second.cached, 2);
  // Another ABI is another kernel.
  EXPECT_EQ(Load(directory, /*device_address=*/false).compiled, 2);
  EXPECT_EQ(Files(directory).size(), 5u);
}

TEST(VulkanCacheTest, CompilesAgainWhereFilesAreDamaged) {
  TempDir temp;
  Load(temp.path());
  for (const char* content : {"", "nonsense", "trama object 1\nnonsense"}) {
    for (const fs::path& file : Files(temp.path()))
      std::ofstream(file, std::ios::binary) << content;
    EXPECT_EQ(Load(temp.path()).compiled, 2) << content;
    EXPECT_EQ(Load(temp.path()).cached, 2) << content;
  }
  for (const fs::path& file : Files(temp.path())) {
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekg(-1, std::ios::end);
    const char last = static_cast<char>(stream.get() ^ 1);
    stream.seekp(-1, std::ios::end);
    stream.put(last);
  }
  EXPECT_EQ(Load(temp.path()).compiled, 2);
  EXPECT_EQ(Load(temp.path()).cached, 2);
}

// Whole files, but not of a kernel or of this driver.
TEST(VulkanCacheTest, SurvivesOthersContent) {
  TempDir temp;
  Load(temp.path());
  const codegen::ObjectCache cache(temp.path());
  for (const fs::path& file : Files(temp.path()))
    cache.Store(file.stem().string(), "content of another format");
  EXPECT_EQ(Load(temp.path()).compiled, 2);
  EXPECT_EQ(Load(temp.path()).cached, 2);
}

TEST(VulkanCacheTest, WorksWithoutADirectory) {
  EXPECT_EQ(Load("").compiled, 2);
  EXPECT_EQ(Load("/proc/no/such/place").compiled, 2);
  EXPECT_EQ(Load("/proc/no/such/place").cached, 0);
}

TEST(VulkanCacheTest, ServesProcessesAtOnce) {
  TempDir temp;
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      for (int k = 0; k < 2; ++k) Load(temp.path());
      _exit(::testing::Test::HasFailure());
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Load(temp.path()).cached, 2);
  EXPECT_EQ(Files(temp.path()).size(), 3u);
}

}  // namespace
}  // namespace trama::vulkan
