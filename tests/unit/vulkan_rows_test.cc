// Kernels of rows of logits against the reference interpreter.
#include <gtest/gtest.h>

#include "tests/unit/row_bodies.h"
#include "tests/unit/vulkan_anchor_test.h"

namespace trama::vulkan {
namespace {
using kernel_testing::LinearHead;

class VulkanRowsTest : public AnchorTest {};

TEST_P(VulkanRowsTest, LinearCrossEntropy) {
  for (auto [n, c, v] : {std::array<int64_t, 3>{1, 1, 1}, {7, 5, 3}, {65, 32, 65}, {40, 17, 1003}})
    for (bool gradient : {false, true}) Check(LinearHead(n, c, v, gradient), 5e-6, nullptr, v);
}

TEST_P(VulkanRowsTest, LinearCrossEntropyByBlocksOfRows) {
  // A block is 256 rows of 70 001 logits: the second has 3 rows and adds to dweight.
  Check(LinearHead(259, 3, 70001, true), 5e-6, nullptr, 70001);
}

INSTANTIATE_TEST_SUITE_P(Machines, VulkanRowsTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::vulkan
