// The attention kernels against the reference interpreter: head sizes, masks, positions, bias,
// dropout, and the strided views that a transformer block makes of its buffers.
#include <gtest/gtest.h>

#include "tests/unit/attention_bodies.h"
#include "tests/unit/cpu_anchor_test.h"

namespace trama::cpu {
namespace {

using kernel_testing::Attention;

class AttentionTest : public AnchorTest {
 protected:
  void CheckBoth(const Attention& attention) {
    auto prepare = [&](size_t skip) {
      return [skip, attention](std::vector<HostTensor>& inputs) {
        attention.SetPositions(inputs, skip);
      };
    };
    Check(attention.Forward(), 3e-6, prepare(0), 100);
    // y and lse of the backward come from the forward.
    auto context = NewContext();
    auto forward = ParseBody(*context, attention.Forward());
    ASSERT_OK(forward);
    mlir::func::FuncOp function = *(*forward)->getOps<mlir::func::FuncOp>().begin();
    Check(
        attention.Backward(), 6e-6,
        [&](std::vector<HostTensor>& inputs) {
          prepare(3)(inputs);
          auto results = reference::Evaluate(
              function, std::vector<HostTensor>(inputs.begin() + 3, inputs.end()));
          ASSERT_OK(results);
          inputs[1] = (*results)[0];
          inputs[2] = (*results)[1];
        },
        100);
  }
};

TEST_P(AttentionTest, Sizes) {
  CheckBoth({.B = 1, .H = 1, .T = 1, .S = 1, .D = 1, .E = 1});
  CheckBoth({.B = 2, .H = 3, .T = 7, .S = 11, .D = 5, .E = 3});
  CheckBoth({.B = 1, .H = 2, .T = 64, .S = 64, .D = 32, .E = 32, .causal = true});
  CheckBoth({.B = 1, .H = 1, .T = 67, .S = 67, .D = 17, .E = 33, .causal = true});
  CheckBoth({.B = 2, .H = 5, .T = 130, .S = 130, .D = 8, .E = 8, .causal = true});
  CheckBoth({.B = 1, .H = 1, .T = 3, .S = 150, .D = 256, .E = 129});
  CheckBoth({.B = 1, .H = 1, .T = 9, .S = 35, .D = 64, .E = 64, .causal = true});
}

TEST_P(AttentionTest, ManyKeys) {
  Check(Attention{.B = 1, .H = 1, .T = 9, .S = 5003, .D = 8, .E = 8, .causal = true}.Forward(),
        3e-6);
  Check(Attention{.B = 1, .H = 1, .T = 1, .S = 5003, .D = 8, .E = 8, .causal = true}.Forward(),
        3e-6);
}

TEST_P(AttentionTest, RandomShapes) {
  std::mt19937 random(13);
  auto size = [&](int64_t most) { return 1 + static_cast<int64_t>(random() % most); };
  for (int i = 0; i < 12; ++i) {
    Attention attention{
        .B = size(3), .H = size(3), .T = size(80), .S = size(90), .D = size(40), .E = size(40)};
    attention.causal = random() % 2;
    attention.key_mask = random() % 2;
    if (random() % 4 == 0) attention.dropout = 0.3;
    CheckBoth(attention);
  }
}

TEST_P(AttentionTest, MasksBiasAndPositions) {
  CheckBoth({.B = 3, .H = 2, .T = 5, .S = 40, .D = 8, .E = 8, .causal = true, .position = true});
  CheckBoth({.B = 3, .H = 2, .T = 1, .S = 50, .D = 16, .E = 16, .causal = true, .position = true});
  CheckBoth({.B = 2, .H = 2, .T = 19, .S = 37, .D = 8, .E = 9, .key_mask = true});
  CheckBoth({.B = 2, .H = 1, .T = 1, .S = 37, .D = 8, .E = 9, .key_mask = true});
  CheckBoth({.B = 2, .H = 2, .T = 9, .S = 21, .D = 8, .E = 8, .bias = "2x2x9x21"});
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

TEST_P(AttentionTest, Dropout) {
  CheckBoth({.B = 2, .H = 2, .T = 13, .S = 13, .D = 8, .E = 8, .causal = true, .dropout = 0.25});
  CheckBoth({.B = 1, .H = 3, .T = 21, .S = 34, .D = 16, .E = 8, .key_mask = true, .dropout = 0.5});
  CheckBoth({.B = 2, .H = 1, .T = 2, .S = 34, .D = 16, .E = 8, .dropout = 0.1});
}

TEST_P(AttentionTest, QueriesThatSeeNoKey) {
  // Every key of one batch is masked: zeros.
  const Attention attention{.B = 2, .H = 1, .T = 6, .S = 9, .D = 4, .E = 4, .key_mask = true};
  Check(attention.Forward(), 3e-6, [](std::vector<HostTensor>& inputs) {
    for (int64_t s = 0; s < 9; ++s) inputs[3].set(s, 0);
  });
}

TEST_P(AttentionTest, ViewsOfATransformerBlock) {
  Check(kernel_testing::BlockForward(), 3e-6);
  Check(kernel_testing::BlockBackward(), 6e-6);
}

INSTANTIATE_TEST_SUITE_P(Machines, AttentionTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::cpu
