// The attention kernels on the device that is here, with its own code and with that for graphics
// processors, against the reference interpreter.
#include "tests/unit/attention_bodies.h"
#include "tests/unit/vulkan_anchor_test.h"

namespace trama::vulkan {
namespace {

using VulkanAttentionTest = kernel_testing::AttentionBodies<AnchorTest>;

TEST_P(VulkanAttentionTest, Sizes) { Sizes(); }
TEST_P(VulkanAttentionTest, LargeHeads) { LargeHeads(); }
TEST_P(VulkanAttentionTest, HugeHeads) { HugeHeads(); }
TEST_P(VulkanAttentionTest, ManyKeys) { ManyKeys(); }
TEST_P(VulkanAttentionTest, RandomShapes) { RandomShapes(4); }
TEST_P(VulkanAttentionTest, MasksBiasAndPositions) { MasksBiasAndPositions(); }
TEST_P(VulkanAttentionTest, Dropout) { Dropout(); }
TEST_P(VulkanAttentionTest, GradientsOfLargeScores) { GradientsOfLargeScores(); }
TEST_P(VulkanAttentionTest, GradientsOfOneKey) { GradientsOfOneKey(); }
TEST_P(VulkanAttentionTest, QueriesThatSeeNoKey) { QueriesThatSeeNoKey(); }
TEST_P(VulkanAttentionTest, ViewsOfATransformerBlock) { ViewsOfATransformerBlock(); }

INSTANTIATE_TEST_SUITE_P(Machines, VulkanAttentionTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::vulkan
