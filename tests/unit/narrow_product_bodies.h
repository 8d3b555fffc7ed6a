// Bodies of products of bf16 and f16, summed in f32, for the tests of every backend that compiles
// them: what matmul_bodies.h has for f32, and what narrow operands alone meet, an odd depth and
// results that are rounded.
#pragma once

#include <array>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/unit/matmul_bodies.h"
#include "tests/unit/row_bodies.h"

namespace trama::kernel_testing {

// `Fixture`: a backend's, with Check(body, tolerance, prepare, limit).
template <typename Fixture>
class NarrowProductBodies : public Fixture {
 protected:
  void EveryTranspositionAtOddSizes(const std::string& type) {
    const int64_t sizes[][3] = {
        {1, 1, 1},    {1, 7, 5},     {5, 1, 3},     {3, 5, 1},    {17, 13, 19},  {8, 16, 48},
        {9, 31, 50},  {64, 33, 65},  {150, 4, 1},   {12, 70, 16}, {4, 70, 97},   {2, 129, 33},
        {3, 128, 70}, {23, 96, 131}, {40, 47, 128}, {64, 64, 64}, {130, 70, 140}};
    for (const auto& [m, k, n] : sizes)
      for (int form = 0; form < 4; ++form)
        this->Check(Matmul({}, m, k, n, form & 1, form & 2, type));
  }

  void RandomShapes(const std::string& type) {
    std::mt19937 random(13);
    auto size = [&](int64_t most) { return 1 + static_cast<int64_t>(random() % most); };
    for (int i = 0; i < 30; ++i) {
      std::vector<int64_t> batch;
      for (int64_t d = random() % 3; d > 0; --d) batch.push_back(size(3));
      const int64_t m = size(90), k = size(140), n = size(120);
      this->Check(Matmul(batch, m, k, n, random() % 2, random() % 2, type));
    }
  }

  // Blocks of the depth and of rows, and a depth that is split.
  void Blocks(const std::string& type) {
    this->Check(Matmul({}, 37, 2000, 67, false, false, type));
    this->Check(Matmul({}, 37, 1601, 67, false, true, type));
    this->Check(Matmul({}, 1030, 1540, 10, true, false, type));
    this->Check(Matmul({}, 3, 1700, 40, false, false, type));
    this->Check(Matmul({}, 4, 5003, 7, true, false, type), 4e-6);
    this->Check(Matmul({}, 5, 8192, 3, false, true, type), 4e-6);
  }

  // Rows of a token, times weights as [K, N] and as [N, K].
  void FewRows(const std::string& type) {
    for (int64_t m = 1; m <= 5; ++m)
      for (int64_t k : {16, 70, 400})
        for (int64_t n : {16, 97, 600})
          for (bool transposed : {false, true})
            this->Check(Matmul({}, m, k, n, false, transposed, type));
    this->Check(Matmul({2, 3}, 2, 45, 70, false, true, type));
  }

  void StridedOperandsAndResults(const std::string& type) {
    // Heads of q and k as views of [B, T, 3C].
    CheckOf(type,
            KernelText(
                "matmul", "%a: tensor<2x9x48xT>", "tensor<2x2x9x9xf32>",
                "%q = trama.slice %a starts = [0, 0, 0] strides = [1, 1, 1] : tensor<2x9x48xT> -> "
                "tensor<2x9x16xT>\n"
                "%k = trama.slice %a starts = [0, 0, 17] strides = [1, 1, 1] : tensor<2x9x48xT> "
                "-> tensor<2x9x16xT>\n"
                "%q4 = trama.reshape %q : tensor<2x9x16xT> -> tensor<2x9x2x8xT>\n"
                "%k4 = trama.reshape %k : tensor<2x9x16xT> -> tensor<2x9x2x8xT>\n"
                "%qh = trama.transpose %q4 permutation = [0, 2, 1, 3] : tensor<2x9x2x8xT>\n"
                "%kh = trama.transpose %k4 permutation = [0, 2, 1, 3] : tensor<2x9x2x8xT>\n"
                "%y = trama.matmul %qh, %kh transposed : tensor<2x2x9x8xT>, tensor<2x2x9x8xT>\n"
                "return %y : tensor<2x2x9x9xf32>"));
    // A result stored by columns.
    CheckOf(type,
            KernelText("matmul", "%a: tensor<19x13xT>, %b: tensor<13x21xT>", "tensor<21x19xf32>",
                       "%y = trama.matmul %a, %b : tensor<19x13xT>, tensor<13x21xT>\n"
                       "%t = trama.transpose %y permutation = [1, 0] : tensor<19x21xf32>\n"
                       "return %t : tensor<21x19xf32>"));
    // Every second row and column of both operands.
    CheckOf(type,
            KernelText("matmul", "%a: tensor<20x18xT>, %b: tensor<18x37xT>", "tensor<10x18xf32>",
                       "%s = trama.slice %a starts = [1, 0] strides = [2, 2] : tensor<20x18xT> -> "
                       "tensor<10x9xT>\n"
                       "%t = trama.slice %b starts = [0, 1] strides = [2, 2] : tensor<18x37xT> -> "
                       "tensor<9x18xT>\n"
                       "%y = trama.matmul %s, %t : tensor<10x9xT>, tensor<9x18xT>\n"
                       "return %y : tensor<10x18xf32>"));
    // Batches of either side.
    CheckOf(type, KernelText("matmul", "%a: tensor<4x1x6x5xT>, %b: tensor<3x5x7xT>",
                             "tensor<4x3x6x7xf32>",
                             "%y = trama.matmul %a, %b : tensor<4x1x6x5xT>, tensor<3x5x7xT>\n"
                             "return %y : tensor<4x3x6x7xf32>"));
    CheckOf(type,
            KernelText("matmul", "%a: tensor<6x40xT>, %b: tensor<3x40x7xT>", "tensor<3x6x7xf32>",
                       "%y = trama.matmul %a, %b : tensor<6x40xT>, tensor<3x40x7xT>\n"
                       "return %y : tensor<3x6x7xf32>"));
    CheckOf(type,
            KernelText("matmul", "%a: tensor<4x5x6xT>, %b: tensor<5x7xT>", "tensor<4x6x7xf32>",
                       "%t = trama.transpose %a permutation = [0, 2, 1] : tensor<4x5x6xT>\n"
                       "%y = trama.matmul %t, %b : tensor<4x6x5xT>, tensor<5x7xT>\n"
                       "return %y : tensor<4x6x7xf32>"));
  }

  // Bias, activation and residual in f32; the result in f32, and rounded for the next product.
  void LinearAndEpilogues(const std::string& type) {
    for (const char* activation : {"none", "gelu_tanh", "sigmoid"}) {
      for (bool transposed : {false, true}) {
        const std::string weight = transposed ? "tensor<37x20xT>" : "tensor<20x37xT>";
        CheckOf(type,
                KernelText(
                    "linear",
                    absl::StrCat("%x: tensor<3x7x20xT>, %w: ", weight,
                                 ", %b: tensor<37xf32>, %r: tensor<3x7x37xf32>"),
                    "tensor<3x7x37xf32>",
                    absl::StrCat("%y = trama.linear %x, %w", transposed ? " transposed" : "",
                                 ", %b {activation = #trama<activation ", activation,
                                 ">} : tensor<3x7x20xT>, ", weight,
                                 ", tensor<37xf32>\n"
                                 "%z = trama.add %y, %r : tensor<3x7x37xf32>, tensor<3x7x37xf32>\n"
                                 "return %z : tensor<3x7x37xf32>")));
      }
    }
    const double ulp = type == "bf16" ? 1.0 / 128 : 1.0 / 1024;
    CheckOf(type,
            KernelText("matmul", "%a: tensor<13x20xT>, %w: tensor<20x50xT>",
                       "tensor<13x50xf32>, tensor<13x50xT>",
                       "%y = trama.matmul %a, %w : tensor<13x20xT>, tensor<20x50xT>\n"
                       "%g = trama.gelu %y tanh : tensor<13x50xf32>\n"
                       "%c = trama.cast %g : tensor<13x50xf32> -> tensor<13x50xT>\n"
                       "return %y, %c : tensor<13x50xf32>, tensor<13x50xT>"),
            ulp);
  }

  // An infinity and a NaN in an operand reach the results that they belong to, and no other: what
  // lies beside an odd depth multiplies nothing.
  void NonFinite(const std::string& type) {
    for (int form = 0; form < 4; ++form) {
      for (int64_t k : {9, 10, 33}) {
        const bool tl = form & 1, tr = form & 2;
        this->Check(Matmul({}, 20, k, 35, tl, tr, type), 2e-6, [&](auto& inputs) {
          auto set = [&](size_t i, int64_t row, int64_t column, int64_t rows, int64_t columns,
                         bool transposed, double value) {
            inputs[i].set(transposed ? column * rows + row : row * columns + column, value);
          };
          set(0, 3, 0, 20, k, tl, std::numeric_limits<double>::infinity());
          set(0, 4, k - 1, 20, k, tl, -std::numeric_limits<double>::infinity());
          set(0, 5, k / 2, 20, k, tl, std::numeric_limits<double>::quiet_NaN());
          set(1, k - 1, 7, k, 35, tr, std::numeric_limits<double>::quiet_NaN());
        });
      }
    }
  }

  // `gradient`: the tolerance of the gradient of the head, whose factor may be rounded or not.
  // Where it is, another rounding of one logit may round it the other way.
  void LinearCrossEntropy(const std::string& type, double gradient = 2e-4) {
    for (auto [n, c, v] : {std::array<int64_t, 3>{1, 1, 1},
                           {7, 5, 3},
                           {1, 40, 65},
                           {65, 32, 65},
                           {40, 17, 1003},
                           {12, 1, 40},
                           {13, 48, 2}})
      for (bool backward : {false, true})
        this->Check(LinearHead(n, c, v, backward, type), backward ? gradient : 5e-6, nullptr, v);
  }

 private:
  // `text` with the element type in place of "xT".
  void CheckOf(const std::string& type, const std::string& text, double tolerance = 2e-6) {
    this->Check(absl::StrReplaceAll(text, {{"xT>", absl::StrCat("x", type, ">")}}), tolerance);
  }
};

}  // namespace trama::kernel_testing
