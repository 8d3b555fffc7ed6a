// Bodies of layer_norm, cross_entropy and linear_cross_entropy kernels, for the tests of every
// backend that compiles them.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/kernel_test_util.h"

namespace trama::kernel_testing {

inline std::string LayerNorm(const std::vector<int64_t>& shape) {
  const std::string x = Tensor(shape), c = Tensor({shape.back()});
  return KernelText("layer_norm", absl::StrCat("%x: ", x, ", %w: ", c, ", %b: ", c), x,
                    absl::StrCat("%y = trama.layer_norm %x, %w, %b eps = 1.0e-5 : ", x, ", ", c,
                                 ", ", c, "\nreturn %y : ", x));
}

inline std::string LayerNormGrad(const std::vector<int64_t>& shape) {
  const std::string x = Tensor(shape), c = Tensor({shape.back()});
  return KernelText(
      "layer_norm_grad", absl::StrCat("%g: ", x, ", %x: ", x, ", %w: ", c),
      absl::StrCat(x, ", ", c, ", ", c),
      absl::StrCat("%dx, %dw, %db = trama.layer_norm_grad %g, %x, %w eps = 1.0e-5 : ", x, ", ", x,
                   ", ", c, "\nreturn %dx, %dw, %db : ", x, ", ", c, ", ", c));
}

inline std::string CrossEntropy(int64_t n, int64_t v, const std::string& attributes,
                                const char* ids) {
  const std::string logits = Tensor({n, v}), targets = Tensor({n}, ids), rows = Tensor({n});
  return KernelText("cross_entropy", absl::StrCat("%x: ", logits, ", %t: ", targets),
                    absl::StrCat(rows, ", ", rows),
                    absl::StrCat("%y, %lse = trama.cross_entropy %x, %t ", attributes, " : ",
                                 logits, ", ", targets, "\nreturn %y, %lse : ", rows, ", ", rows));
}

inline std::string CrossEntropyGrad(int64_t n, int64_t v, const std::string& attributes) {
  const std::string logits = Tensor({n, v}), targets = Tensor({n}, "i32"), rows = Tensor({n});
  return KernelText(
      "cross_entropy_grad",
      absl::StrCat("%g: ", rows, ", %x: ", logits, ", %t: ", targets, ", %lse: ", rows), logits,
      absl::StrCat("%y = trama.cross_entropy_grad %g, %x, %t, %lse ", attributes, " : ", rows, ", ",
                   logits, ", ", targets, ", ", rows, "\nreturn %y : ", logits));
}

// x and weight of `type`; all else is f32.
inline std::string LinearHead(int64_t n, int64_t c, int64_t v, bool gradient,
                              const std::string& type = "f32") {
  const std::string x = Tensor({n, c}, type), w = Tensor({v, c}, type), t = Tensor({n}, "i32"),
                    y = Tensor({n}), dx = Tensor({n, c}), dw = Tensor({v, c});
  if (!gradient)
    return KernelText(
        "linear_cross_entropy", absl::StrCat("%x: ", x, ", %w: ", w, ", %t: ", t), y,
        absl::StrCat("%y = trama.linear_cross_entropy %x, %w, %t {ignore_index = 0 : i64} : ", x,
                     ", ", w, ", ", t, "\nreturn %y : ", y));
  return KernelText("linear_cross_entropy_grad",
                    absl::StrCat("%g: ", y, ", %x: ", x, ", %w: ", w, ", %t: ", t),
                    absl::StrCat(y, ", ", dx, ", ", dw),
                    absl::StrCat("%y, %dx, %dw = trama.linear_cross_entropy_grad %g, %x, %w, %t "
                                 "{ignore_index = 0 : i64} : ",
                                 y, ", ", x, ", ", w, ", ", t, "\nreturn %y, %dx, %dw : ", y, ", ",
                                 dx, ", ", dw));
}

// The residual's gradient joins dx; the sums are not asked for.
inline std::string LayerNormGradWithEpilogue() {
  return KernelText(
      "layer_norm_grad",
      "%g: tensor<40x33xf32>, %x: tensor<40x33xf32>, %w: tensor<33xf32>, "
      "%r: tensor<40x33xf32>",
      "tensor<40x33xf32>",
      "%dx, %dw, %db = trama.layer_norm_grad %g, %x, %w eps = 1.0e-5 : tensor<40x33xf32>, "
      "tensor<40x33xf32>, tensor<33xf32>\n"
      "%z = trama.add %r, %dx : tensor<40x33xf32>, tensor<40x33xf32>\n"
      "return %z : tensor<40x33xf32>");
}

}  // namespace trama::kernel_testing
