// Kernels of rows of logits against the reference interpreter.
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/row_bodies.h"
#include "tests/unit/vulkan_anchor_test.h"
#include "tests/unit/vulkan_test_spirv.h"

namespace trama::vulkan {
namespace {
using kernel_testing::LinearHead;

class VulkanRowKernels : public AnchorTest {};

TEST_P(VulkanRowKernels, LinearCrossEntropy) {
  for (auto [n, c, v] : {std::array<int64_t, 3>{1, 1, 1}, {7, 5, 3}, {65, 32, 65}, {40, 17, 1003}})
    for (bool gradient : {false, true}) Check(LinearHead(n, c, v, gradient), 5e-6, nullptr, v);
}

TEST_P(VulkanRowKernels, LinearCrossEntropyByBlocksOfRows) {
  // A block is 256 rows of 70 001 logits: the second has 3 rows and adds to dweight.
  Check(LinearHead(259, 3, 70001, true), 5e-6, nullptr, 70001);
}

// One block more is no new shader.
TEST(VulkanRows, BlocksOfRowsShareShaders) {
  auto shaders = [](int64_t rows) {
    auto context = NewContext();
    auto kernel = CompileKernel(*context, TestTarget(/*device_address=*/true),
                                "linear_cross_entropy_grad", LinearHead(rows, 3, 70001, true));
    EXPECT_OK(kernel);
    std::set<std::vector<uint32_t>> distinct;
    for (const CompiledPhase& phase : kernel->phases) distinct.insert(phase.shader.words);
    EXPECT_LT(distinct.size(), kernel->phases.size());
    return distinct.size();
  };
  EXPECT_EQ(shaders(3 * 256 + 3), shaders(4 * 256 + 3));
}

INSTANTIATE_TEST_SUITE_P(Machines, VulkanRowKernels, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::vulkan
