// The attention kernels against the reference interpreter.
#include "tests/unit/attention_bodies.h"
#include "tests/unit/cpu_anchor_test.h"

namespace trama::cpu {
namespace {

using AttentionTest = kernel_testing::AttentionBodies<AnchorTest>;

TEST_P(AttentionTest, Sizes) { Sizes(); }
TEST_P(AttentionTest, LargeHeads) { LargeHeads(); }
TEST_P(AttentionTest, HugeHeads) { HugeHeads(); }
TEST_P(AttentionTest, ManyKeys) { ManyKeys(); }
TEST_P(AttentionTest, RandomShapes) { RandomShapes(12); }
TEST_P(AttentionTest, MasksBiasAndPositions) { MasksBiasAndPositions(); }
TEST_P(AttentionTest, Dropout) { Dropout(); }
TEST_P(AttentionTest, GradientsOfLargeScores) { GradientsOfLargeScores(); }
TEST_P(AttentionTest, GradientsOfOneKey) { GradientsOfOneKey(); }
TEST_P(AttentionTest, QueriesThatSeeNoKey) { QueriesThatSeeNoKey(); }
TEST_P(AttentionTest, ViewsOfATransformerBlock) { ViewsOfATransformerBlock(); }

INSTANTIATE_TEST_SUITE_P(Machines, AttentionTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::cpu
