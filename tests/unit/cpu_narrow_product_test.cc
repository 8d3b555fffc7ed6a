// Products of bf16 and f16 against the reference interpreter: as pairs where the machine multiplies
// those, and widened.
#include "tests/unit/cpu_anchor_test.h"
#include "tests/unit/narrow_product_bodies.h"

namespace trama::cpu {
namespace {

using NarrowProductTest = kernel_testing::NarrowProductBodies<AnchorTest>;

TEST_P(NarrowProductTest, EveryTranspositionAtOddSizes) {
  EveryTranspositionAtOddSizes("bf16");
  EveryTranspositionAtOddSizes("f16");
}
TEST_P(NarrowProductTest, RandomShapes) { RandomShapes("bf16"); }
TEST_P(NarrowProductTest, Blocks) { Blocks("bf16"); }
TEST_P(NarrowProductTest, FewRows) {
  FewRows("bf16");
  FewRows("f16");
}
TEST_P(NarrowProductTest, StridedOperandsAndResults) {
  StridedOperandsAndResults("bf16");
  StridedOperandsAndResults("f16");
}
TEST_P(NarrowProductTest, LinearAndEpilogues) {
  LinearAndEpilogues("bf16");
  LinearAndEpilogues("f16");
}
TEST_P(NarrowProductTest, NonFinite) { NonFinite("bf16"); }
TEST_P(NarrowProductTest, LinearCrossEntropy) {
  LinearCrossEntropy("bf16");
  LinearCrossEntropy("f16");
}

INSTANTIATE_TEST_SUITE_P(Machines, NarrowProductTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::cpu
