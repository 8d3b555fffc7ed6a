// Bodies of attention kernels, for the tests of every backend that compiles them.
#pragma once

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "backends/codegen/kernel_source.h"
#include "backends/reference/interpreter.h"
#include "base/host_tensor.h"
#include "base/status_macros.h"
#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "tests/unit/kernel_test_util.h"

namespace trama::kernel_testing {

struct Attention {
  int64_t B = 1, H = 1, T = 1, S = 1, D = 1, E = 1;
  bool causal = false, key_mask = false, position = false;
  std::string bias = "";  // "": none; its shape otherwise
  double dropout = 0;

  std::string Arguments() const {
    std::string text = absl::StrCat("%q: ", Type(T, D), ", %k: ", Type(S, D), ", %v: ", Type(S, E));
    if (key_mask) absl::StrAppend(&text, ", %m: tensor<", B, "x", S, "xi1>");
    if (!bias.empty()) absl::StrAppend(&text, ", %a: tensor<", bias, "xf32>");
    if (position) absl::StrAppend(&text, ", %p: tensor<", B, "xi32>");
    if (dropout > 0) absl::StrAppend(&text, ", %r: tensor<4xi32>");
    return text;
  }
  std::string Options() const {
    std::string text;
    if (key_mask) absl::StrAppend(&text, " key_mask %m : tensor<", B, "x", S, "xi1>");
    if (!bias.empty()) absl::StrAppend(&text, " bias %a : tensor<", bias, "xf32>");
    if (position) absl::StrAppend(&text, " position %p : tensor<", B, "xi32>");
    if (dropout > 0) absl::StrAppend(&text, " rng %r : tensor<4xi32>");
    absl::StrAppend(&text, " scale = 0.35", causal ? " causal" : "");
    if (dropout > 0) absl::StrAppend(&text, " {dropout_p = ", dropout, " : f64, op_id = 5 : i64}");
    return text;
  }
  std::string Type(int64_t rows, int64_t columns) const {
    return absl::StrCat("tensor<", B, "x", H, "x", rows, "x", columns, "xf32>");
  }
  std::string Lse() const { return absl::StrCat("tensor<", B, "x", H, "x", T, "xf32>"); }
  // Positions that the test may run: int32 [B], the operand after `skip` more than the forward has.
  void SetPositions(std::vector<HostTensor>& inputs, size_t skip) const {
    if (!position) return;
    const size_t at = skip + 3 + key_mask + !bias.empty();
    for (int64_t b = 0; b < B; ++b)
      inputs[at].set(b, (b * 5) % std::max<int64_t>(1, S - T + 1) - (b == 2));
  }
  std::string Forward() const {
    return KernelText("attention", Arguments(), absl::StrCat(Type(T, E), ", ", Lse()),
                      absl::StrCat("%y, %lse = trama.attention %q, %k, %v", Options(), " : ",
                                   Type(T, D), ", ", Type(S, D), ", ", Type(S, E),
                                   "\nreturn %y, %lse : ", Type(T, E), ", ", Lse()));
  }
  std::string Backward() const {
    const std::string types = absl::StrCat(Type(T, D), ", ", Type(S, D), ", ", Type(S, E));
    return KernelText("attention_grad",
                      absl::StrCat("%g: ", Type(T, E), ", %y: ", Type(T, E), ", %lse: ", Lse(),
                                   ", ", Arguments()),
                      types,
                      absl::StrCat("%dq, %dk, %dv = trama.attention_grad %g, %y, %lse, %q, %k, %v",
                                   Options(), " : ", Type(T, E), ", ", Type(T, E), ", ", Lse(),
                                   ", ", types, "\nreturn %dq, %dk, %dv : ", types));
  }
};

// The views that a transformer block makes of its packed queries, keys and values %x.
inline constexpr char kBlockViews[] =
    "%q0 = trama.slice %x starts = [0, 0, 0] strides = [1, 1, 1] : tensor<2x19x72xf32> -> "
    "tensor<2x19x24xf32>\n"
    "%k0 = trama.slice %x starts = [0, 0, 24] strides = [1, 1, 1] : tensor<2x19x72xf32> -> "
    "tensor<2x19x24xf32>\n"
    "%v0 = trama.slice %x starts = [0, 0, 48] strides = [1, 1, 1] : tensor<2x19x72xf32> -> "
    "tensor<2x19x24xf32>\n"
    "%q1 = trama.reshape %q0 : tensor<2x19x24xf32> -> tensor<2x19x3x8xf32>\n"
    "%k1 = trama.reshape %k0 : tensor<2x19x24xf32> -> tensor<2x19x3x8xf32>\n"
    "%v1 = trama.reshape %v0 : tensor<2x19x24xf32> -> tensor<2x19x3x8xf32>\n"
    "%q = trama.transpose %q1 permutation = [0, 2, 1, 3] : tensor<2x19x3x8xf32>\n"
    "%k = trama.transpose %k1 permutation = [0, 2, 1, 3] : tensor<2x19x3x8xf32>\n"
    "%v = trama.transpose %v1 permutation = [0, 2, 1, 3] : tensor<2x19x3x8xf32>\n";

inline std::string BlockForward() {
  const std::string heads = "tensor<2x3x19x8xf32>";
  return KernelText(
      "attention", "%x: tensor<2x19x72xf32>", "tensor<2x19x24xf32>, tensor<2x3x19xf32>",
      absl::StrCat(
          kBlockViews, "%y, %lse = trama.attention %q, %k, %v scale = 0.5 causal : ", heads, ", ",
          heads, ", ", heads, "\n%t = trama.transpose %y permutation = [0, 2, 1, 3] : ", heads,
          "\n%r = trama.reshape %t : tensor<2x19x3x8xf32> -> tensor<2x19x24xf32>\n"
          "return %r, %lse : tensor<2x19x24xf32>, tensor<2x3x19xf32>"));
}

// From %x, the gradient, the forward's result and its lse to the gradient of %x.
inline std::string BlockBackward() {
  const std::string heads = "tensor<2x3x19x8xf32>", flat = "tensor<2x19x24xf32>";
  auto back = [&](const char* name) {
    return absl::StrCat(
        "%t", name, " = trama.transpose %d", name, " permutation = [0, 2, 1, 3] : ", heads, "\n%r",
        name, " = trama.reshape %t", name, " : tensor<2x19x3x8xf32> -> tensor<2x19x24xf32>\n");
  };
  return KernelText(
      "attention_grad",
      "%x: tensor<2x19x72xf32>, %g0: tensor<2x19x24xf32>, %y0: tensor<2x19x24xf32>, "
      "%lse: tensor<2x3x19xf32>",
      "tensor<2x19x72xf32>",
      absl::StrCat(
          kBlockViews,
          "%g1 = trama.reshape %g0 : tensor<2x19x24xf32> -> tensor<2x19x3x8xf32>\n"
          "%y1 = trama.reshape %y0 : tensor<2x19x24xf32> -> tensor<2x19x3x8xf32>\n"
          "%g = trama.transpose %g1 permutation = [0, 2, 1, 3] : tensor<2x19x3x8xf32>\n"
          "%y = trama.transpose %y1 permutation = [0, 2, 1, 3] : tensor<2x19x3x8xf32>\n"
          "%dq, %dk, %dv = trama.attention_grad %g, %y, %lse, %q, %k, %v scale = 0.5 causal : ",
          heads, ", ", heads, ", tensor<2x3x19xf32>, ", heads, ", ", heads, ", ", heads, "\n",
          back("q"), back("k"), back("v"), "%z = trama.concat %rq, %rk, %rv dim = 2 : ", flat, ", ",
          flat, ", ", flat, "\nreturn %z : tensor<2x19x72xf32>"));
}

// `Fixture`: a backend's, with Check(body, tolerance, prepare, limit).
template <typename Fixture>
class AttentionBodies : public Fixture {
 protected:
  void Sizes() {
    CheckBoth({.B = 1, .H = 1, .T = 1, .S = 1, .D = 1, .E = 1});
    CheckBoth({.B = 2, .H = 3, .T = 7, .S = 11, .D = 5, .E = 3});
    CheckBoth({.B = 1, .H = 1, .T = 67, .S = 67, .D = 17, .E = 33, .causal = true});
    CheckBoth({.B = 2, .H = 5, .T = 130, .S = 130, .D = 8, .E = 8, .causal = true});
    CheckBoth({.B = 1, .H = 1, .T = 9, .S = 35, .D = 64, .E = 64, .causal = true});
    CheckBoth({.B = 1, .H = 2, .T = 64, .S = 64, .D = 32, .E = 32, .causal = true});
    CheckBoth({.B = 1, .H = 1, .T = 3, .S = 150, .D = 256, .E = 129});
  }

  // Beyond what a backend may unroll.
  void LargeHeads() {
    CheckBoth({.B = 1, .H = 2, .T = 33, .S = 20, .D = 256, .E = 129, .causal = true});
    CheckBoth({.B = 1, .H = 1, .T = 9, .S = 20, .D = 128, .E = 102});
  }

  // Beyond what tiles have room for, and what one running sum takes.
  void HugeHeads() { CheckBoth({.B = 1, .H = 1, .T = 3, .S = 50, .D = 1000, .E = 600}); }

  void ManyKeys() {
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

  void RandomShapes(int rounds) {
    std::mt19937 random(13);
    auto size = [&](int64_t most) { return 1 + static_cast<int64_t>(random() % most); };
    for (int i = 0; i < rounds; ++i) {
      Attention attention{
          .B = size(3), .H = size(3), .T = size(80), .S = size(90), .D = size(40), .E = size(40)};
      attention.causal = random() % 2;
      attention.key_mask = random() % 2;
      if (random() % 4 == 0) attention.dropout = 0.3;
      CheckBoth(attention);
    }
  }

  void MasksBiasAndPositions() {
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
    CheckBoth(
        {.B = 3, .H = 2, .T = 1, .S = 50, .D = 16, .E = 16, .causal = true, .position = true});
    CheckBoth({.B = 2, .H = 2, .T = 9, .S = 21, .D = 8, .E = 8, .bias = "2x2x9x21"});
  }

  void Dropout() {
    CheckBoth({.B = 2, .H = 2, .T = 13, .S = 13, .D = 8, .E = 8, .causal = true, .dropout = 0.25});
    CheckBoth(
        {.B = 1, .H = 3, .T = 21, .S = 34, .D = 16, .E = 8, .key_mask = true, .dropout = 0.5});
    CheckBoth({.B = 2, .H = 1, .T = 40, .S = 36, .D = 16, .E = 8, .dropout = 0.1});
    CheckBoth({.B = 2, .H = 1, .T = 2, .S = 34, .D = 16, .E = 8, .dropout = 0.1});
  }

  void QueriesThatSeeNoKey() {
    // Every key of one batch is masked: zeros.
    const Attention attention{.B = 2, .H = 1, .T = 6, .S = 9, .D = 4, .E = 4, .key_mask = true};
    this->Check(attention.Forward(), 3e-6, [](std::vector<HostTensor>& inputs) {
      for (int64_t s = 0; s < 9; ++s) inputs[3].set(s, 0);
    });
    // An additive mask of -infinity hides keys too.
    const Attention biased{.B = 1, .H = 1, .T = 6, .S = 9, .D = 4, .E = 4, .bias = "6x9"};
    this->Check(biased.Forward(), 3e-6, [](std::vector<HostTensor>& inputs) {
      for (int64_t s = 0; s < 30; ++s) inputs[3].set(s, -std::numeric_limits<double>::infinity());
    });
  }

  void ViewsOfATransformerBlock() {
    this->Check(BlockForward(), 3e-6);
    this->Check(BlockBackward(), 6e-6);
  }

  // Scores of up to 1e30, of which the backward must make the numbers that the forward's lse is of:
  // weights of 1 become exp(their difference). A column of dv is the sum of its weights here.
  void GradientsOfLargeScores() {
    for (const double magnitude : {1e2, 1e4, 1e6, 1e14})
      for (const Attention& attention :
           {Attention{.B = 1, .H = 2, .T = 6, .S = 6, .D = 6, .E = 6, .causal = true},
            Attention{.B = 1, .H = 1, .T = 40, .S = 70, .D = 33, .E = 8},
            Attention{.B = 1, .H = 1, .T = 5, .S = 9, .D = 300, .E = 8},
            Attention{.B = 2, .H = 3, .T = 1, .S = 1, .D = 13, .E = 8},
            Attention{.B = 1, .H = 1, .T = 4, .S = 3, .D = 33, .E = 8}}) {
        SCOPED_TRACE(absl::StrCat(magnitude, " ", attention.Backward()));
        auto got = GradientsOf(attention, [&](std::vector<HostTensor>& inputs) {
          for (int64_t i = 0; i < inputs[0].num_elements(); ++i) inputs[0].set(i, 1);
          for (int i : {3, 4})
            for (int64_t j = 0; j < inputs[i].num_elements(); ++j)
              inputs[i].set(j, magnitude * inputs[i].at(j));
        });
        ASSERT_OK(got);
        for (const HostTensor& gradient : *got)
          for (int64_t i = 0; i < gradient.num_elements(); ++i)
            ASSERT_TRUE(std::isfinite(gradient.at(i))) << i;
        double weights = 0;
        for (int64_t i = 0; i < (*got)[2].num_elements(); ++i) weights += (*got)[2].at(i);
        weights /= static_cast<double>(attention.E * attention.B * attention.H * attention.T);
        // lse of a score of 1e4 keeps three digits of its fraction, of one of 1e8 none: two equal
        // weights are then 1 each.
        EXPECT_NEAR(weights, 1, magnitude < 1e3 ? 1e-3 : 0.5);
      }
  }

  // The weight of one key is 1 whatever its score: no gradient, not one of two roundings.
  void GradientsOfOneKey() {
    for (const Attention& attention :
         {Attention{.B = 2, .H = 3, .T = 1, .S = 1, .D = 13, .E = 29},
          Attention{.B = 1, .H = 2, .T = 20, .S = 1, .D = 8, .E = 64},
          Attention{.B = 1, .H = 1, .T = 5, .S = 1, .D = 4, .E = 300}}) {
      SCOPED_TRACE(attention.Backward());
      auto got = GradientsOf(attention, [](std::vector<HostTensor>&) {});
      ASSERT_OK(got);
      for (int output : {0, 1})
        for (int64_t i = 0; i < (*got)[output].num_elements(); ++i)
          ASSERT_EQ((*got)[output].at(i), 0) << output << ", " << i;
    }
  }

  // The gradients at random inputs (grad, y, lse, q, k, v, ...) as `change` leaves them, y and lse
  // from the same kernels' forward.
  absl::StatusOr<std::vector<HostTensor>> GradientsOf(
      const Attention& attention, absl::FunctionRef<void(std::vector<HostTensor>&)> change) {
    mlir::MLIRContext context;
    LoadDialects(context);
    TRAMA_ASSIGN_OR_RETURN(auto module, codegen::ParseBody(context, attention.Backward()));
    std::vector<HostTensor> inputs =
        AnchorInputs(*module->template getOps<mlir::func::FuncOp>().begin(), 100);
    change(inputs);
    TRAMA_ASSIGN_OR_RETURN(const std::vector<HostTensor> forward,
                           this->Results(attention.Forward(), {inputs.begin() + 3, inputs.end()}));
    std::copy(forward.begin(), forward.end(), inputs.begin() + 1);
    return this->Results(attention.Backward(), inputs);
  }

  void CheckForward(const Attention& attention) {
    this->Check(
        attention.Forward(), 3e-6,
        [&](std::vector<HostTensor>& inputs) { attention.SetPositions(inputs, 0); }, 100);
  }
  void CheckBoth(const Attention& attention) {
    CheckForward(attention);
    // y and lse of the backward come from the forward.
    mlir::MLIRContext context;
    LoadDialects(context);
    auto forward = codegen::ParseBody(context, attention.Forward());
    ASSERT_OK(forward);
    mlir::func::FuncOp function = *(*forward)->getOps<mlir::func::FuncOp>().begin();
    this->Check(
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

}  // namespace trama::kernel_testing
