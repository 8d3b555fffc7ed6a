// Kernels on a Vulkan device: the test utility itself, recordings, replay.
#include "tests/unit/vulkan_test_kernels.h"
#include "tests/unit/vulkan_test_util.h"

namespace trama::vulkan {
namespace {

TEST(VulkanRuntimeTest, RunsKernels) {
  for (int64_t n : {1, 2, 63, 64, 65, 1000, 50257}) {
    ExpectKernelMatches("test_double", DoubleBody(n));
    ExpectKernelMatches("test_add", AddBody(n));
  }
}

TEST(VulkanRuntimeTest, RunsInPlace) {
  ExpectKernelMatches("test_add", AddBody(777), 1e-6, -2, 2, {{0, 1}});
}

TEST(VulkanRuntimeTest, RefusesWhatHasNoEmitter) {
  auto kernel = VulkanKernel::Compile("test_double", "no MLIR");
  EXPECT_THAT(kernel, StatusIs(absl::StatusCode::kInvalidArgument, "kernel body"));
}

}  // namespace
}  // namespace trama::vulkan
