// layer_norm, cross_entropy and linear_cross_entropy kernels, forward and backward, against the
// reference interpreter.
#include <gtest/gtest.h>

#include "tests/unit/cpu_anchor_test.h"

namespace trama::cpu {
namespace {

class RowsTest : public AnchorTest {};

std::string LayerNorm(const std::vector<int64_t>& shape) {
  const std::string x = Tensor(shape), c = Tensor({shape.back()});
  return Kernel("layer_norm", absl::StrCat("%x: ", x, ", %w: ", c, ", %b: ", c), x,
                absl::StrCat("%y = trama.layer_norm %x, %w, %b eps = 1.0e-5 : ", x, ", ", c, ", ",
                             c, "\nreturn %y : ", x));
}

std::string LayerNormGrad(const std::vector<int64_t>& shape) {
  const std::string x = Tensor(shape), c = Tensor({shape.back()});
  return Kernel("layer_norm_grad", absl::StrCat("%g: ", x, ", %x: ", x, ", %w: ", c),
                absl::StrCat(x, ", ", c, ", ", c),
                absl::StrCat("%dx, %dw, %db = trama.layer_norm_grad %g, %x, %w eps = 1.0e-5 : ", x,
                             ", ", x, ", ", c, "\nreturn %dx, %dw, %db : ", x, ", ", c, ", ", c));
}

TEST_P(RowsTest, LayerNorm) {
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{5}, {3, 2}, {2, 3, 128}, {7, 65}, {70, 131}, {1, 1, 1000}}) {
    Check(LayerNorm(shape), 1e-5);
    Check(LayerNormGrad(shape), 1e-5);
  }
}

TEST_P(RowsTest, LayerNormWithEpilogue) {
  // The residual's gradient joins dx; the sums are not asked for.
  Check(Kernel("layer_norm_grad",
               "%g: tensor<40x33xf32>, %x: tensor<40x33xf32>, %w: tensor<33xf32>, "
               "%r: tensor<40x33xf32>",
               "tensor<40x33xf32>",
               "%dx, %dw, %db = trama.layer_norm_grad %g, %x, %w eps = 1.0e-5 : tensor<40x33xf32>, "
               "tensor<40x33xf32>, tensor<33xf32>\n"
               "%z = trama.add %r, %dx : tensor<40x33xf32>, tensor<40x33xf32>\n"
               "return %z : tensor<40x33xf32>"),
        1e-5);
}

std::string CrossEntropy(int64_t n, int64_t v, const std::string& attributes, const char* ids) {
  const std::string logits = Tensor({n, v}), targets = Tensor({n}, ids), rows = Tensor({n});
  return Kernel("cross_entropy", absl::StrCat("%x: ", logits, ", %t: ", targets),
                absl::StrCat(rows, ", ", rows),
                absl::StrCat("%y, %lse = trama.cross_entropy %x, %t ", attributes, " : ", logits,
                             ", ", targets, "\nreturn %y, %lse : ", rows, ", ", rows));
}

std::string CrossEntropyGrad(int64_t n, int64_t v, const std::string& attributes) {
  const std::string logits = Tensor({n, v}), targets = Tensor({n}, "i32"), rows = Tensor({n});
  return Kernel(
      "cross_entropy_grad",
      absl::StrCat("%g: ", rows, ", %x: ", logits, ", %t: ", targets, ", %lse: ", rows), logits,
      absl::StrCat("%y = trama.cross_entropy_grad %g, %x, %t, %lse ", attributes, " : ", rows, ", ",
                   logits, ", ", targets, ", ", rows, "\nreturn %y : ", logits));
}

TEST_P(RowsTest, CrossEntropy) {
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

std::string Head(int64_t n, int64_t c, int64_t v, bool gradient) {
  const std::string x = Tensor({n, c}), w = Tensor({v, c}), t = Tensor({n}, "i32"), y = Tensor({n});
  if (!gradient)
    return Kernel(
        "linear_cross_entropy", absl::StrCat("%x: ", x, ", %w: ", w, ", %t: ", t), y,
        absl::StrCat("%y = trama.linear_cross_entropy %x, %w, %t {ignore_index = 0 : i64} : ", x,
                     ", ", w, ", ", t, "\nreturn %y : ", y));
  return Kernel(
      "linear_cross_entropy_grad", absl::StrCat("%g: ", y, ", %x: ", x, ", %w: ", w, ", %t: ", t),
      absl::StrCat(y, ", ", x, ", ", w),
      absl::StrCat("%y, %dx, %dw = trama.linear_cross_entropy_grad %g, %x, %w, %t "
                   "{ignore_index = 0 : i64} : ",
                   y, ", ", x, ", ", w, ", ", t, "\nreturn %y, %dx, %dw : ", y, ", ", x, ", ", w));
}

TEST_P(RowsTest, LinearCrossEntropy) {
  for (auto [n, c, v] : {std::array<int64_t, 3>{1, 1, 1}, {7, 5, 3}, {65, 32, 65}, {40, 17, 1003}})
    for (bool gradient : {false, true}) Check(Head(n, c, v, gradient), 5e-6, nullptr, v);
}

TEST_P(RowsTest, LinearCrossEntropyByBlocksOfRows) {
  // A block is 256 rows of 120 000 logits: the second has 3 rows and adds to dweight.
  if (GetParam().empty()) Check(Head(259, 3, 120000, true), 5e-6, nullptr, 120000);
}

INSTANTIATE_TEST_SUITE_P(Machines, RowsTest, TestedMachines(), MachineName);

}  // namespace
}  // namespace trama::cpu
