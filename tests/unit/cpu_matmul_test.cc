// The matmul and linear kernels against the reference interpreter.
#include "tests/unit/cpu_anchor_test.h"
#include "tests/unit/matmul_bodies.h"

namespace trama::cpu {
namespace {

using CpuMatmulTest = kernel_testing::MatmulBodies<AnchorTest>;

TEST_P(CpuMatmulTest, EveryTranspositionAtOddSizes) { EveryTranspositionAtOddSizes(); }
TEST_P(CpuMatmulTest, RandomShapes) { RandomShapes(); }
TEST_P(CpuMatmulTest, Gpt2Forms) { Gpt2Forms(); }
TEST_P(CpuMatmulTest, BlocksOfDepthAndRows) { BlocksOfDepthAndRows(); }
TEST_P(CpuMatmulTest, FewRowsOfATransposedMatrix) { FewRowsOfATransposedMatrix(); }
TEST_P(CpuMatmulTest, SplitDepth) { SplitDepth(); }
TEST_P(CpuMatmulTest, Batches) { Batches(); }
TEST_P(CpuMatmulTest, StridedOperandsAndResults) { StridedOperandsAndResults(); }
TEST_P(CpuMatmulTest, LinearWithEveryActivation) { LinearWithEveryActivation(); }
TEST_P(CpuMatmulTest, Epilogues) { Epilogues(); }

INSTANTIATE_TEST_SUITE_P(Machines, CpuMatmulTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::cpu
