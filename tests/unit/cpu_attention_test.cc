// The attention kernels against the reference interpreter.
#include "tests/unit/attention_bodies.h"
#include "tests/unit/cpu_anchor_test.h"

namespace trama::cpu {
namespace {

using CpuAttentionTest = kernel_testing::AttentionBodies<AnchorTest>;

TEST_P(CpuAttentionTest, Sizes) { Sizes(); }
TEST_P(CpuAttentionTest, LargeHeads) { LargeHeads(); }
TEST_P(CpuAttentionTest, HugeHeads) { HugeHeads(); }
TEST_P(CpuAttentionTest, ManyKeys) { ManyKeys(); }
TEST_P(CpuAttentionTest, RandomShapes) { RandomShapes(12); }
TEST_P(CpuAttentionTest, MasksBiasAndPositions) { MasksBiasAndPositions(); }
TEST_P(CpuAttentionTest, Dropout) { Dropout(); }
TEST_P(CpuAttentionTest, GradientsOfLargeScores) { GradientsOfLargeScores(); }
TEST_P(CpuAttentionTest, GradientsOfOneKey) { GradientsOfOneKey(); }
TEST_P(CpuAttentionTest, QueriesThatSeeNoKey) { QueriesThatSeeNoKey(); }
TEST_P(CpuAttentionTest, ViewsOfATransformerBlock) { ViewsOfATransformerBlock(); }

INSTANTIATE_TEST_SUITE_P(Machines, CpuAttentionTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::cpu
