// Fused kernels made at random against the interpreter. --gtest_random_seed=N moves on to others.
#include "tests/unit/cpu_test_util.h"
#include "tests/unit/random_body.h"

namespace trama::cpu {
namespace {

TEST(CpuRandomTest, FusedKernelsAgreeWithTheInterpreter) {
  const uint32_t first = 1000 * ::testing::UnitTest::GetInstance()->random_seed();
  for (uint32_t seed = first; seed < first + 100 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    ExpectKernelMatches("fused", kernel_testing::RandomBody(seed).Text(), 1e-4);
  }
}

}  // namespace
}  // namespace trama::cpu
