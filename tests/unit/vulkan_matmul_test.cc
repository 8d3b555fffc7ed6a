// The matmul and linear kernels on the device that is here, with its own code and with that for
// graphics processors, against the reference interpreter.
#include "tests/unit/matmul_bodies.h"
#include "tests/unit/vulkan_anchor_test.h"

namespace trama::vulkan {
namespace {

using MatmulTest = kernel_testing::MatmulBodies<AnchorTest>;

TEST_P(MatmulTest, EveryTranspositionAtOddSizes) { EveryTranspositionAtOddSizes(); }
TEST_P(MatmulTest, RandomShapes) { RandomShapes(); }
TEST_P(MatmulTest, Gpt2Forms) { Gpt2Forms(); }
TEST_P(MatmulTest, BlocksOfDepthAndRows) { BlocksOfDepthAndRows(); }
TEST_P(MatmulTest, FewRowsOfATransposedMatrix) { FewRowsOfATransposedMatrix(); }
TEST_P(MatmulTest, SplitDepth) { SplitDepth(); }
TEST_P(MatmulTest, Batches) { Batches(); }
TEST_P(MatmulTest, StridedOperandsAndResults) { StridedOperandsAndResults(); }
TEST_P(MatmulTest, LinearWithEveryActivation) { LinearWithEveryActivation(); }
TEST_P(MatmulTest, Epilogues) { Epilogues(); }

INSTANTIATE_TEST_SUITE_P(Machines, MatmulTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::vulkan
