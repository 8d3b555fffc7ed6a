// embedding_grad and cache_update on the device that is here, with its own code and with that for
// graphics processors, against the reference interpreter.
#include "tests/unit/indexing_bodies.h"
#include "tests/unit/vulkan_anchor_test.h"

namespace trama::vulkan {
namespace {

class VulkanIndexingTest : public AnchorTest {
 protected:
  std::unique_ptr<VulkanKernel> Compile(const std::string& kind, const std::string& text) {
    auto kernel = VulkanKernel::Compile(kind, text, GetParam().abi, GetParam().as_gpu);
    EXPECT_TRUE(kernel.ok()) << kernel.status().ToString();
    return kernel.ok() ? *std::move(kernel) : nullptr;
  }
};

TEST_P(VulkanIndexingTest, EmbeddingGrad) {
  // Ids from -2 to 7 for a table of 6 rows: some are out of range, some come twice.
  for (int64_t width : {1, 5, 16, 37, 130}) {
    auto kernel = Compile("embedding_grad", kernel_testing::EmbeddingGrad(width));
    ASSERT_NE(kernel, nullptr);
    kernel->ExpectMatches(kernel->RandomInputs(7, -2, 7.9), 1e-5);
  }
}

TEST_P(VulkanIndexingTest, EmbeddingGradAdded) {
  for (int64_t width : {1, 5, 37, 130}) {
    auto kernel = Compile("embedding_grad", kernel_testing::EmbeddingGradAdded(width));
    ASSERT_NE(kernel, nullptr);
    kernel->ExpectMatches(kernel->RandomInputs(7, -2, 7.9), 1e-5);
    kernel->ExpectMatches(kernel->RandomInputs(7, -2, 7.9), 1e-5, /*in_place=*/{{0, 0}});
  }
}

TEST_P(VulkanIndexingTest, EmbeddingGradThroughViews) {
  auto kernel = Compile("embedding_grad", kernel_testing::EmbeddingGradThroughViews());
  ASSERT_NE(kernel, nullptr);
  kernel->ExpectMatches(kernel->RandomInputs(7, 0, 5.9), 1e-5);
}

TEST_P(VulkanIndexingTest, CacheUpdate) {
  for (int64_t depth : {1, 16, 19}) {
    auto kernel = Compile("cache_update", kernel_testing::CacheUpdate(depth));
    ASSERT_NE(kernel, nullptr);
    for (uint32_t seed = 0; seed < 4; ++seed)
      kernel->ExpectMatches(kernel->RandomInputs(seed, 0, 6.9), 0);
  }
}

TEST_P(VulkanIndexingTest, CacheUpdateInPlaceWritesTheChunkAlone) {
  auto kernel = Compile("cache_update", kernel_testing::CacheUpdate(16));
  ASSERT_NE(kernel, nullptr);
  ASSERT_EQ(kernel->loaded().phases.size(), 2u);
  EXPECT_TRUE(kernel->loaded().phases[0].is_copy);
  EXPECT_FALSE(kernel->loaded().phases[1].is_copy);
  kernel->ExpectMatches(kernel->RandomInputs(1, 0, 3.9), 0, /*in_place=*/{{0, 0}});
}

INSTANTIATE_TEST_SUITE_P(Machines, VulkanIndexingTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::vulkan
