// top_k kernels against the reference interpreter, to the bit.
#include <gtest/gtest.h>

#include "tests/unit/cpu_anchor_test.h"
#include "tests/unit/top_k_bodies.h"

namespace trama::cpu {
namespace {

using TopKTest = kernel_testing::TopKBodies<AnchorTest>;

TEST_P(TopKTest, Sizes) { Sizes(); }
TEST_P(TopKTest, Ties) { Ties(); }
TEST_P(TopKTest, Orders) { Orders(); }
TEST_P(TopKTest, Specials) { Specials(); }
TEST_P(TopKTest, Integers) {
  for (const char* element : {"i32", "i64", "i8"}) Integers(element);
}
TEST_P(TopKTest, OtherFloats) {
  for (const char* element : {"f64", "bf16", "f16"})
    CheckRows(kernel_testing::TopK({2, 131}, 9, element),
              [](int64_t, int64_t, double random) { return random; });
}
TEST_P(TopKTest, Views) { Views(); }

INSTANTIATE_TEST_SUITE_P(Machines, TopKTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::cpu
