// layer_norm, cross_entropy and linear_cross_entropy kernels, forward and backward, against the
// reference interpreter.
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/cpu_anchor_test.h"
#include "tests/unit/row_bodies.h"

namespace trama::cpu {
namespace {

using kernel_testing::CrossEntropy;
using kernel_testing::CrossEntropyGrad;
using kernel_testing::LayerNorm;
using kernel_testing::LayerNormGrad;
using kernel_testing::LinearHead;

class CpuRowsTest : public AnchorTest {};

TEST_P(CpuRowsTest, LayerNorm) {
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{5}, {3, 2}, {2, 3, 128}, {7, 65}, {70, 131}, {1, 1, 1000}}) {
    Check(LayerNorm(shape), 1e-5);
    Check(LayerNormGrad(shape), 1e-5);
  }
}

TEST_P(CpuRowsTest, LayerNormWithEpilogue) {
  Check(kernel_testing::LayerNormGradWithEpilogue(), 1e-5);
}

TEST_P(CpuRowsTest, CrossEntropy) {
  for (auto [n, v] : {std::pair<int64_t, int64_t>{1, 1}, {5, 3}, {33, 65}, {3, 50257}}) {
    for (const char* attributes : {"", "{ignore_index = 1 : i64}",
                                   "{label_smoothing = 0.1 : f64, ignore_index = 0 : i64}"}) {
      Check(CrossEntropy(n, v, attributes, "i32"), 2e-6, nullptr, v + 1);
      Check(CrossEntropy(n, v, attributes, "i64"), 2e-6, nullptr, v);
      // lse as the forward gives it, about log V.
      Check(
          CrossEntropyGrad(n, v, attributes), 3e-6,
          [&, v = v](std::vector<HostTensor>& inputs) {
            for (int64_t i = 0; i < inputs[3].num_elements(); ++i)
              inputs[3].set(i, std::log(1.2 * v) + inputs[3].at(i) / 10);
          },
          v + 1);
    }
  }
}

TEST_P(CpuRowsTest, LinearCrossEntropy) {
  for (auto [n, c, v] : {std::array<int64_t, 3>{1, 1, 1}, {7, 5, 3}, {65, 32, 65}, {40, 17, 1003}})
    for (bool gradient : {false, true}) Check(LinearHead(n, c, v, gradient), 5e-6, nullptr, v);
}

TEST_P(CpuRowsTest, LinearCrossEntropyByBlocksOfRows) {
  // A block is 256 rows of 70 001 logits: the second adds to dweight, the third is the second's
  // code again, the last has 3 rows.
  if (GetParam().empty()) Check(LinearHead(771, 3, 70001, true), 5e-6, nullptr, 70001);
}

// More blocks are no more code.
TEST(CpuRowsOfManyBlocksTest, ShareCode) {
  auto functions = [](int64_t rows) {
    auto kernel = CpuKernel::Compile("linear_cross_entropy_grad", LinearHead(rows, 3, 70001, true));
    EXPECT_OK(kernel);
    std::set<PhaseFunction> distinct;
    for (const LoadedPhase& phase : (*kernel)->loaded().phases) distinct.insert(phase.function);
    EXPECT_LT(distinct.size(), (*kernel)->loaded().phases.size());
    return distinct.size();
  };
  EXPECT_EQ(functions(3 * 256 + 3), functions(9 * 256 + 3));
}

INSTANTIATE_TEST_SUITE_P(Machines, CpuRowsTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::cpu
