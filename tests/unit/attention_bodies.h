// Bodies of attention kernels, for the tests of every backend that compiles them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/host_tensor.h"
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

}  // namespace trama::kernel_testing
