// top_k kernels on the device that is here, as a processor finds the largest and as a graphics
// processor does, against the reference interpreter, to the bit.
#include "tests/unit/top_k_bodies.h"
#include "tests/unit/vulkan_anchor_test.h"

namespace trama::vulkan {
namespace {

using VulkanTopKTest = kernel_testing::TopKBodies<AnchorTest>;

TEST_P(VulkanTopKTest, Sizes) { Sizes(); }
TEST_P(VulkanTopKTest, Ties) { Ties(); }
TEST_P(VulkanTopKTest, Orders) { Orders(); }
TEST_P(VulkanTopKTest, Specials) { Specials(); }
TEST_P(VulkanTopKTest, Integers) {
  for (const char* element : {"i32", "i8"}) Integers(element);
}
TEST_P(VulkanTopKTest, OtherFloats) {
  for (const char* element : {"bf16", "f16"})
    CheckRows(kernel_testing::TopK({2, 131}, 9, element),
              [](int64_t, int64_t, double random) { return random; });
}
TEST_P(VulkanTopKTest, Views) { Views(); }

INSTANTIATE_TEST_SUITE_P(Machines, VulkanTopKTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::vulkan
