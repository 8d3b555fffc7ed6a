// Products of bf16 and f16 against the reference interpreter: as pairs where the machine multiplies
// those, and widened.
#include "tests/unit/cpu_anchor_test.h"
#include "tests/unit/narrow_product_bodies.h"

namespace trama::cpu {
namespace {

using CpuNarrowProductTest = kernel_testing::NarrowProductBodies<AnchorTest>;

TEST_P(CpuNarrowProductTest, EveryTranspositionAtOddSizes) {
  EveryTranspositionAtOddSizes("bf16");
  EveryTranspositionAtOddSizes("f16");
}
TEST_P(CpuNarrowProductTest, RandomShapes) { RandomShapes("bf16"); }
TEST_P(CpuNarrowProductTest, Blocks) { Blocks("bf16"); }
TEST_P(CpuNarrowProductTest, FewRows) {
  FewRows("bf16");
  FewRows("f16");
}
TEST_P(CpuNarrowProductTest, StridedOperandsAndResults) {
  StridedOperandsAndResults("bf16");
  StridedOperandsAndResults("f16");
}
TEST_P(CpuNarrowProductTest, LinearAndEpilogues) {
  LinearAndEpilogues("bf16");
  LinearAndEpilogues("f16");
}
TEST_P(CpuNarrowProductTest, NonFinite) { NonFinite("bf16"); }
TEST_P(CpuNarrowProductTest, LinearCrossEntropy) {
  LinearCrossEntropy("bf16");
  LinearCrossEntropy("f16");
}

TEST_P(CpuNarrowProductTest, LinearCrossEntropyByBlocksOfRows) {
  // A block is 256 rows of 120 001 logits: the second has 3 rows and adds to dweight.
  if (GetParam().empty())
    Check(kernel_testing::LinearHead(259, 3, 120001, true, "bf16"), 2e-4, nullptr, 120001);
}

// The host, one with shorter vectors and one whose long vectors cannot multiply pairs of bf16.
auto NarrowMachines() {
  std::vector<std::string> machines{""};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    machines.push_back("haswell");
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni"))
    machines.push_back("cascadelake");
  return testing::ValuesIn(machines);
}
INSTANTIATE_TEST_SUITE_P(Machines, CpuNarrowProductTest, NarrowMachines(), MachineName);

}  // namespace
}  // namespace trama::cpu
