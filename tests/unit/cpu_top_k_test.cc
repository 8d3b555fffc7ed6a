// top_k kernels against the reference interpreter, to the bit.
#include <gtest/gtest.h>

#include "tests/unit/cpu_anchor_test.h"
#include "tests/unit/top_k_bodies.h"

namespace trama::cpu {
namespace {

using CpuTopKTest = kernel_testing::TopKBodies<AnchorTest>;

TEST_P(CpuTopKTest, Sizes) { Sizes(); }
TEST_P(CpuTopKTest, Ties) { Ties(); }
TEST_P(CpuTopKTest, Orders) { Orders(); }
TEST_P(CpuTopKTest, Specials) { Specials(); }
TEST_P(CpuTopKTest, Integers) {
  for (const char* element : {"i32", "i64", "i8"}) Integers(element);
}
TEST_P(CpuTopKTest, OtherFloats) {
  for (const char* element : {"f64", "bf16", "f16"})
    CheckRows(kernel_testing::TopK({2, 131}, 9, element),
              [](int64_t, int64_t, double random) { return random; });
}
TEST_P(CpuTopKTest, Views) { Views(); }

INSTANTIATE_TEST_SUITE_P(Machines, CpuTopKTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::cpu
