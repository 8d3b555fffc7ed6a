// The attention kernels against the reference interpreter, as they are for the device here and for
// graphics processors: head sizes, masks, positions, bias, dropout, and the strided views that a
// transformer block makes of its buffers.
#include <gtest/gtest.h>

#include "tests/unit/attention_bodies.h"
#include "tests/unit/vulkan_anchor_test.h"

namespace trama::vulkan {
namespace {
using kernel_testing::Attention;

class VulkanAttentionTest : public AnchorTest {
 protected:
  void CheckForward(const Attention& attention) {
    Check(
        attention.Forward(), 3e-6,
        [&](std::vector<HostTensor>& inputs) { attention.SetPositions(inputs, 0); }, 100);
  }
  void CheckBoth(const Attention& attention) {
    CheckForward(attention);
    // y and lse of the backward come from the forward.
    auto context = NewContext();
    auto forward = codegen::ParseBody(*context, attention.Forward());
    ASSERT_OK(forward);
    mlir::func::FuncOp function = *(*forward)->getOps<mlir::func::FuncOp>().begin();
    Check(
        attention.Backward(), 6e-6,
        [&](std::vector<HostTensor>& inputs) {
          attention.SetPositions(inputs, 3);
          auto results = reference::Evaluate(
              function, std::vector<HostTensor>(inputs.begin() + 3, inputs.end()));
          ASSERT_OK(results);
          inputs[1] = (*results)[0];
          inputs[2] = (*results)[1];
        },
        100);
  }
};

TEST_P(VulkanAttentionTest, Sizes) {
  CheckBoth({.B = 1, .H = 1, .T = 1, .S = 1, .D = 1, .E = 1});
  CheckBoth({.B = 2, .H = 3, .T = 7, .S = 11, .D = 5, .E = 3});
  CheckBoth({.B = 1, .H = 1, .T = 67, .S = 67, .D = 17, .E = 33, .causal = true});
  CheckBoth({.B = 2, .H = 5, .T = 130, .S = 130, .D = 8, .E = 8, .causal = true});
  CheckBoth({.B = 1, .H = 1, .T = 9, .S = 35, .D = 64, .E = 64, .causal = true});
}

// Beyond what is unrolled, and beyond what tiles have room for.
TEST_P(VulkanAttentionTest, LargeHeads) {
  CheckBoth({.B = 1, .H = 2, .T = 33, .S = 20, .D = 256, .E = 129, .causal = true});
  CheckBoth({.B = 1, .H = 1, .T = 3, .S = 50, .D = 1000, .E = 600});
  CheckBoth({.B = 1, .H = 1, .T = 9, .S = 20, .D = 128, .E = 102});
}

TEST_P(VulkanAttentionTest, ManyKeys) {
  CheckForward({.B = 1, .H = 1, .T = 9, .S = 5003, .D = 8, .E = 8, .causal = true});
  CheckForward({.B = 1, .H = 2, .T = 1, .S = 5003, .D = 8, .E = 8, .causal = true});
  CheckForward({.B = 3,
                .H = 2,
                .T = 1,
                .S = 1024,
                .D = 16,
                .E = 16,
                .causal = true,
                .key_mask = true,
                .position = true});
}

TEST_P(VulkanAttentionTest, RandomShapes) {
  std::mt19937 random(13);
  auto size = [&](int64_t most) { return 1 + static_cast<int64_t>(random() % most); };
  for (int i = 0; i < 4; ++i) {
    Attention attention{
        .B = size(3), .H = size(3), .T = size(80), .S = size(90), .D = size(40), .E = size(40)};
    attention.causal = random() % 2;
    attention.key_mask = random() % 2;
    if (random() % 4 == 0) attention.dropout = 0.3;
    CheckBoth(attention);
  }
}

TEST_P(VulkanAttentionTest, MasksBiasAndPositions) {
  CheckBoth({.B = 3, .H = 2, .T = 5, .S = 40, .D = 8, .E = 8, .causal = true, .position = true});
  CheckBoth({.B = 2, .H = 2, .T = 19, .S = 37, .D = 8, .E = 9, .key_mask = true});
  CheckBoth({.B = 2, .H = 1, .T = 1, .S = 37, .D = 8, .E = 9, .key_mask = true});
  CheckBoth({.B = 2,
             .H = 2,
             .T = 9,
             .S = 21,
             .D = 8,
             .E = 8,
             .causal = true,
             .key_mask = true,
             .bias = "2x1x21"});
  CheckBoth({.B = 2, .H = 2, .T = 12, .S = 21, .D = 8, .E = 8, .bias = "12x1"});
  // More queries than keys: the first see nothing.
  CheckBoth({.B = 1, .H = 1, .T = 20, .S = 6, .D = 4, .E = 4, .causal = true});
}

TEST_P(VulkanAttentionTest, Dropout) {
  CheckBoth({.B = 2, .H = 2, .T = 13, .S = 13, .D = 8, .E = 8, .causal = true, .dropout = 0.25});
  CheckBoth({.B = 1, .H = 3, .T = 21, .S = 34, .D = 16, .E = 8, .key_mask = true, .dropout = 0.5});
  CheckBoth({.B = 2, .H = 1, .T = 40, .S = 36, .D = 16, .E = 8, .dropout = 0.1});
}

TEST_P(VulkanAttentionTest, QueriesThatSeeNoKey) {
  // Every key of one batch is masked: zeros.
  const Attention attention{.B = 2, .H = 1, .T = 6, .S = 9, .D = 4, .E = 4, .key_mask = true};
  Check(attention.Forward(), 3e-6, [](std::vector<HostTensor>& inputs) {
    for (int64_t s = 0; s < 9; ++s) inputs[3].set(s, 0);
  });
  // An additive mask of -infinity hides keys too.
  const Attention biased{.B = 1, .H = 1, .T = 6, .S = 9, .D = 4, .E = 4, .bias = "6x9"};
  Check(biased.Forward(), 3e-6, [](std::vector<HostTensor>& inputs) {
    for (int64_t s = 0; s < 30; ++s) inputs[3].set(s, -std::numeric_limits<double>::infinity());
  });
}

TEST_P(VulkanAttentionTest, ViewsOfATransformerBlock) {
  Check(kernel_testing::BlockForward(), 3e-6);
  Check(kernel_testing::BlockBackward(), 6e-6);
}

INSTANTIATE_TEST_SUITE_P(Machines, VulkanAttentionTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::vulkan
