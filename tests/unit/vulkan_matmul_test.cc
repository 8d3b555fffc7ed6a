// The matmul and linear kernels on the device that is here, with its own code and with that for
// graphics processors, against the reference interpreter.
#include "tests/unit/matmul_bodies.h"
#include "tests/unit/vulkan_anchor_test.h"

namespace trama::vulkan {
namespace {

using VulkanMatmulTest = kernel_testing::MatmulBodies<AnchorTest>;

TEST_P(VulkanMatmulTest, EveryTranspositionAtOddSizes) { EveryTranspositionAtOddSizes(); }
TEST_P(VulkanMatmulTest, RandomShapes) { RandomShapes(); }
TEST_P(VulkanMatmulTest, Gpt2Forms) { Gpt2Forms(); }
TEST_P(VulkanMatmulTest, BlocksOfDepthAndRows) { BlocksOfDepthAndRows(); }
TEST_P(VulkanMatmulTest, FewRowsOfATransposedMatrix) { FewRowsOfATransposedMatrix(); }
TEST_P(VulkanMatmulTest, SplitDepth) { SplitDepth(); }
TEST_P(VulkanMatmulTest, Batches) { Batches(); }
TEST_P(VulkanMatmulTest, StridedOperandsAndResults) { StridedOperandsAndResults(); }
TEST_P(VulkanMatmulTest, LinearWithEveryActivation) { LinearWithEveryActivation(); }
TEST_P(VulkanMatmulTest, Epilogues) { Epilogues(); }

INSTANTIATE_TEST_SUITE_P(Machines, VulkanMatmulTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::vulkan
