// Bodies and rows of top_k, for the tests of every backend that compiles it: odd sizes, one and all
// of a row, vocabularies, ties, infinities, NaN, and the orders that are worst for a search.
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/kernel_test_util.h"

namespace trama::kernel_testing {

inline std::string TopK(std::vector<int64_t> shape, int64_t k, const char* element = "f32") {
  const std::string x = Tensor(shape, element);
  shape.back() = k;
  const std::string values = Tensor(shape, element), indices = Tensor(shape, "i32");
  return KernelText("top_k", absl::StrCat("%x: ", x), absl::StrCat(values, ", ", indices),
                    absl::StrCat("%v, %i = trama.top_k %x k = ", k, " : ", x,
                                 "\nreturn %v, %i : ", values, ", ", indices));
}

// `Fixture`: a backend's, with Check(body, tolerance, prepare, limit).
template <typename Fixture>
class TopKBodies : public Fixture {
 protected:
  using Value = double (*)(int64_t i, int64_t count, double random);

  void CheckRows(const std::string& text, Value value, int64_t limit = 1000) {
    this->Check(
        text, 0,
        [&](std::vector<HostTensor>& inputs) {
          HostTensor& x = inputs[0];
          for (int64_t i = 0; i < x.num_elements(); ++i)
            x.set(i, value(i, x.num_elements(), x.at(i)));
        },
        limit);
  }

  void Sizes() {
    const std::pair<std::vector<int64_t>, int64_t> sizes[] = {
        {{1}, 1},         {{2}, 2},          {{5}, 5},          {{7, 1}, 1},
        {{3, 17}, 4},     {{2, 3, 64}, 7},   {{5, 65}, 65},     {{2, 300}, 300},
        {{3, 2049}, 1},   {{4, 1003}, 256},  {{1, 4097}, 58},   {{1, 50257}, 1},
        {{2, 50257}, 58}, {{1, 5000}, 1500}, {{1, 50257}, 264}, {{1, 3000}, 2900}};
    for (const auto& [shape, k] : sizes)
      CheckRows(TopK(shape, k), [](int64_t, int64_t, double random) { return random; });
  }

  void Ties() {
    for (const auto& [shape, k] :
         {std::pair<std::vector<int64_t>, int64_t>{{3, 70}, 20}, {{1, 2500}, 300}, {{2, 513}, 1}}) {
      CheckRows(TopK(shape, k), [](int64_t, int64_t, double) { return 0.25; });
      CheckRows(TopK(shape, k), [](int64_t, int64_t, double) -> double { return -INFINITY; });
      CheckRows(TopK(shape, k),
                [](int64_t, int64_t, double random) { return std::floor(random * 3); });
      CheckRows(TopK(shape, k), [](int64_t i, int64_t, double) { return i % 3 ? -0.0 : 0.0; });
    }
  }

  void Orders() {
    for (int64_t k : {1, 50}) {
      const std::string text = TopK({1, 3001}, k);
      CheckRows(text, [](int64_t i, int64_t, double) { return static_cast<double>(i); });
      CheckRows(text, [](int64_t i, int64_t, double) { return static_cast<double>(-i); });
      CheckRows(text, [](int64_t i, int64_t count, double random) {
        return i > count / 2 && i < count / 2 + 90 ? 5 + random : random;
      });
    }
  }

  void Specials() {
    constexpr double kSmallest = std::numeric_limits<float>::denorm_min();
    for (int64_t k : {1, 9, 61})
      CheckRows(TopK({2, 61}, k), [](int64_t i, int64_t, double random) -> double {
        switch (i % 11) {
          case 0:
            return -INFINITY;
          case 3:
            return i % 2 ? INFINITY : -kSmallest * static_cast<double>(i);
          case 5:
            return i % 2 ? NAN : -NAN;
          case 7:
            return kSmallest * static_cast<double>(i);
          default:
            return random;
        }
      });
  }

  void Integers(const char* element) {
    for (int64_t k : {1, 6, 33})
      CheckRows(
          TopK({3, 33}, k, element), [](int64_t, int64_t, double random) { return random - 20; },
          40);
  }

  // Columns of the operand, and results that go elsewhere.
  void Views() {
    this->Check(KernelText("top_k", "%a: tensor<19x6xf32>", "tensor<3x6xf32>, tensor<6x3x1xi32>",
                           "%x = trama.transpose %a permutation = [1, 0] : tensor<19x6xf32>\n"
                           "%v, %i = trama.top_k %x k = 3 : tensor<6x19xf32>\n"
                           "%t = trama.transpose %v permutation = [1, 0] : tensor<6x3xf32>\n"
                           "%r = trama.reshape %i : tensor<6x3xi32> -> tensor<6x3x1xi32>\n"
                           "return %t, %r : tensor<3x6xf32>, tensor<6x3x1xi32>"),
                0);
    this->Check(KernelText("top_k", "%a: tensor<2x40x7xf32>", "tensor<2x7x5xi32>",
                           "%s = trama.slice %a starts = [0, 1, 0] strides = [1, 3, 1] : "
                           "tensor<2x40x7xf32> -> tensor<2x13x7xf32>\n"
                           "%x = trama.transpose %s permutation = [0, 2, 1] : tensor<2x13x7xf32>\n"
                           "%v, %i = trama.top_k %x k = 5 : tensor<2x7x13xf32>\n"
                           "return %i : tensor<2x7x5xi32>"),
                0);
  }
};

}  // namespace trama::kernel_testing
