// Bodies of matrix products, for the tests of every backend that compiles them: every
// transposition, odd and prime sizes, batches, strided operands and results, epilogues, and sizes
// for which a backend may choose another way.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/kernel_test_util.h"

namespace trama::kernel_testing {

// lhs and rhs, of `type`, as the op takes them; the result is f32.
inline std::string Matmul(std::vector<int64_t> batch, int64_t m, int64_t k, int64_t n, bool tl,
                          bool tr, const std::string& type = "f32") {
  auto shape = [&](int64_t r, int64_t c, const std::string& element) {
    std::vector<int64_t> s = batch;
    s.push_back(r);
    s.push_back(c);
    return Tensor(s, element);
  };
  const std::string lhs = tl ? shape(k, m, type) : shape(m, k, type);
  const std::string rhs = tr ? shape(n, k, type) : shape(k, n, type);
  const std::string result = shape(m, n, "f32");
  return absl::StrCat("func.func private @k(%a: ", lhs, ", %b: ", rhs, ") -> ", result,
                      " attributes {trama.kind = \"matmul\"} {\n  %y = trama.matmul %a",
                      tl ? " transposed" : "", ", %b", tr ? " transposed" : "", " : ", lhs, ", ",
                      rhs, "\n  return %y : ", result, "\n}\n");
}

// `Fixture`: a backend's, with Check(body, tolerance).
template <typename Fixture>
class MatmulBodies : public Fixture {
 protected:
  void EveryTranspositionAtOddSizes() {
    const int64_t sizes[][3] = {{1, 1, 1},   {1, 7, 5},    {5, 1, 3},    {3, 5, 1},   {17, 13, 19},
                                {8, 16, 48}, {9, 31, 50},  {64, 33, 65}, {150, 4, 1}, {150, 4, 16},
                                {4, 70, 97}, {2, 129, 33}, {23, 97, 131}};
    for (const auto& [m, k, n] : sizes)
      for (int form = 0; form < 4; ++form) this->Check(Matmul({}, m, k, n, form & 1, form & 2));
  }

  void RandomShapes() {
    std::mt19937 random(11);
    auto size = [&](int64_t most) { return 1 + static_cast<int64_t>(random() % most); };
    for (int i = 0; i < 40; ++i) {
      std::vector<int64_t> batch;
      for (int64_t d = random() % 3; d > 0; --d) batch.push_back(size(3));
      const int64_t m = size(90), k = size(140), n = size(120);
      this->Check(Matmul(batch, m, k, n, random() % 2, random() % 2));
    }
  }

  // GPT-2's layers at a sixteenth of their width, while decoding and in training: forward, gradient
  // of the input and of the weight.
  void Gpt2Forms() {
    const int64_t layers[][2] = {{48, 144}, {48, 48}, {48, 192}, {192, 48}};
    for (int64_t m : {1, 32}) {
      for (const auto& [k, n] : layers) {
        this->Check(Matmul({}, m, k, n, false, false));
        this->Check(Matmul({}, m, n, k, false, true));
        this->Check(Matmul({}, k, m, n, true, false));
      }
    }
  }

  void BlocksOfDepthAndRows() {
    this->Check(Matmul({}, 37, 2000, 67, false, false));
    this->Check(Matmul({}, 37, 1601, 67, false, true));
    this->Check(Matmul({}, 1030, 1540, 10, true, false));
    this->Check(Matmul({}, 700, 100, 130, false, true));
    this->Check(Matmul({}, 3, 1700, 40, false, false));
  }

  // Every row and column a dot product of what lies in order.
  void FewRowsOfATransposedMatrix() {
    for (int64_t m = 1; m <= 5; ++m)
      for (int64_t k : {16, 70, 128, 400})
        for (int64_t n : {16, 97, 200}) this->Check(Matmul({}, m, k, n, false, true));
    this->Check(Matmul({2, 3}, 2, 45, 70, false, true));
    this->Check(KernelText(
        "linear",
        "%x: tensor<1x3x45xf32>, %w: tensor<70x45xf32>, %b: tensor<70xf32>, "
        "%r: tensor<1x3x70xf32>",
        "tensor<1x3x70xf32>",
        "%y = trama.linear %x, %w transposed, %b {activation = #trama<activation gelu>} : "
        "tensor<1x3x45xf32>, tensor<70x45xf32>, tensor<70xf32>\n"
        "%z = trama.add %y, %r : tensor<1x3x70xf32>, tensor<1x3x70xf32>\n"
        "return %z : tensor<1x3x70xf32>"));
  }

  void SplitDepth() {
    this->Check(Matmul({}, 4, 5003, 7, true, false), 4e-6);
    this->Check(Matmul({}, 9, 9001, 16, true, false), 4e-6);
    this->Check(Matmul({}, 5, 8192, 3, false, true), 4e-6);
  }

  void Batches() {
    this->Check(Matmul({3}, 5, 7, 11, false, false));
    this->Check(Matmul({2, 3}, 33, 17, 20, false, true));
    this->Check(Matmul({2, 3}, 33, 17, 20, true, false));
    // Broadcast batches, and a left side whose leading dimensions fold into the rows.
    this->Check(KernelText("matmul", "%a: tensor<4x1x6x5xf32>, %b: tensor<3x5x7xf32>",
                           "tensor<4x3x6x7xf32>",
                           "%y = trama.matmul %a, %b : tensor<4x1x6x5xf32>, tensor<3x5x7xf32>\n"
                           "return %y : tensor<4x3x6x7xf32>"));
    this->Check(KernelText("matmul", "%a: tensor<4x6x5xf32>, %b: tensor<5x7xf32>",
                           "tensor<4x6x7xf32>",
                           "%y = trama.matmul %a, %b : tensor<4x6x5xf32>, tensor<5x7xf32>\n"
                           "return %y : tensor<4x6x7xf32>"));
  }

  void StridedOperandsAndResults() {
    // Heads of q and k as views of [B, T, 3C].
    this->Check(KernelText(
        "matmul", "%a: tensor<2x9x48xf32>", "tensor<2x2x9x9xf32>",
        "%q = trama.slice %a starts = [0, 0, 0] strides = [1, 1, 1] : tensor<2x9x48xf32> -> "
        "tensor<2x9x16xf32>\n"
        "%k = trama.slice %a starts = [0, 0, 16] strides = [1, 1, 1] : tensor<2x9x48xf32> "
        "-> tensor<2x9x16xf32>\n"
        "%q4 = trama.reshape %q : tensor<2x9x16xf32> -> tensor<2x9x2x8xf32>\n"
        "%k4 = trama.reshape %k : tensor<2x9x16xf32> -> tensor<2x9x2x8xf32>\n"
        "%qh = trama.transpose %q4 permutation = [0, 2, 1, 3] : tensor<2x9x2x8xf32>\n"
        "%kh = trama.transpose %k4 permutation = [0, 2, 1, 3] : tensor<2x9x2x8xf32>\n"
        "%y = trama.matmul %qh, %kh transposed : tensor<2x2x9x8xf32>, tensor<2x2x9x8xf32>\n"
        "return %y : tensor<2x2x9x9xf32>"));
    // Heads written back as [B, T, H, D]; a result stored by columns.
    this->Check(KernelText(
        "matmul", "%a: tensor<2x3x9x5xf32>, %b: tensor<2x3x5x8xf32>", "tensor<2x9x24xf32>",
        "%y = trama.matmul %a, %b : tensor<2x3x9x5xf32>, tensor<2x3x5x8xf32>\n"
        "%t = trama.transpose %y permutation = [0, 2, 1, 3] : tensor<2x3x9x8xf32>\n"
        "%r = trama.reshape %t : tensor<2x9x3x8xf32> -> tensor<2x9x24xf32>\n"
        "return %r : tensor<2x9x24xf32>"));
    this->Check(KernelText("matmul", "%a: tensor<19x13xf32>, %b: tensor<13x21xf32>",
                           "tensor<21x19xf32>",
                           "%y = trama.matmul %a, %b : tensor<19x13xf32>, tensor<13x21xf32>\n"
                           "%t = trama.transpose %y permutation = [1, 0] : tensor<19x21xf32>\n"
                           "return %t : tensor<21x19xf32>"));
    // Every second row and column of both operands.
    this->Check(
        KernelText("matmul", "%a: tensor<20x18xf32>, %b: tensor<18x37xf32>", "tensor<10x18xf32>",
                   "%s = trama.slice %a starts = [1, 0] strides = [2, 2] : tensor<20x18xf32> -> "
                   "tensor<10x9xf32>\n"
                   "%t = trama.slice %b starts = [0, 1] strides = [2, 2] : tensor<18x37xf32> -> "
                   "tensor<9x18xf32>\n"
                   "%y = trama.matmul %s, %t : tensor<10x9xf32>, tensor<9x18xf32>\n"
                   "return %y : tensor<10x18xf32>"));
  }

  void LinearWithEveryActivation() {
    for (const char* activation : {"none", "relu", "gelu", "gelu_tanh", "tanh", "sigmoid"}) {
      for (bool transposed : {false, true}) {
        const std::string weight = transposed ? Tensor({37, 20}) : Tensor({20, 37});
        this->Check(KernelText(
            "linear", absl::StrCat("%x: tensor<3x7x20xf32>, %w: ", weight, ", %b: tensor<37xf32>"),
            "tensor<3x7x37xf32>",
            absl::StrCat("%y = trama.linear %x, %w", transposed ? " transposed" : "",
                         ", %b {activation = #trama<activation ", activation,
                         ">} : tensor<3x7x20xf32>, ", weight,
                         ", tensor<37xf32>\nreturn %y : tensor<3x7x37xf32>")));
      }
    }
  }

  void Epilogues() {
    // Bias and residual; pre-activation and activation both returned.
    this->Check(KernelText(
        "matmul",
        "%a: tensor<2x6x20xf32>, %w: tensor<20x50xf32>, %b: tensor<50xf32>, %r: tensor<2x6x50xf32>",
        "tensor<2x6x50xf32>",
        "%y = trama.matmul %a, %w : tensor<2x6x20xf32>, tensor<20x50xf32>\n"
        "%z = trama.add %y, %b : tensor<2x6x50xf32>, tensor<50xf32>\n"
        "%s = trama.add %r, %z : tensor<2x6x50xf32>, tensor<2x6x50xf32>\n"
        "return %s : tensor<2x6x50xf32>"));
    this->Check(KernelText(
        "linear", "%a: tensor<13x20xf32>, %w: tensor<20x50xf32>, %b: tensor<50xf32>",
        "tensor<13x50xf32>, tensor<13x50xf32>",
        "%y = trama.linear %a, %w, %b : tensor<13x20xf32>, tensor<20x50xf32>, tensor<50xf32>\n"
        "%g = trama.gelu %y tanh : tensor<13x50xf32>\n"
        "return %y, %g : tensor<13x50xf32>, tensor<13x50xf32>"));
    // A mask, a constant, a scalar operand, a reshape before the residual, a transposed operand.
    this->Check(KernelText(
        "matmul",
        "%a: tensor<12x9xf32>, %w: tensor<9x33xf32>, %m: tensor<12x33xi1>, %s: tensor<f32>, "
        "%r: tensor<3x4x33xf32>, %t: tensor<33x12xf32>",
        "tensor<3x4x33xf32>",
        "%c = trama.constant dense<0.5> : tensor<f32>\n"
        "%y = trama.matmul %a, %w : tensor<12x9xf32>, tensor<9x33xf32>\n"
        "%tt = trama.transpose %t permutation = [1, 0] : tensor<33x12xf32>\n"
        "%0 = trama.select %m, %y, %tt : tensor<12x33xi1>, tensor<12x33xf32>, tensor<12x33xf32>\n"
        "%1 = trama.mul %0, %s : tensor<12x33xf32>, tensor<f32>\n"
        "%2 = trama.max %1, %c : tensor<12x33xf32>, tensor<f32>\n"
        "%3 = trama.reshape %2 : tensor<12x33xf32> -> tensor<3x4x33xf32>\n"
        "%4 = trama.mul %3, %r : tensor<3x4x33xf32>, tensor<3x4x33xf32>\n"
        "return %4 : tensor<3x4x33xf32>"));
    // After a split depth.
    this->Check(
        KernelText("matmul", "%a: tensor<5000x6xf32>, %w: tensor<5000x5xf32>, %r: tensor<6x5xf32>",
                   "tensor<6x5xf32>",
                   "%y = trama.matmul %a transposed, %w : tensor<5000x6xf32>, tensor<5000x5xf32>\n"
                   "%z = trama.add %y, %r : tensor<6x5xf32>, tensor<6x5xf32>\n"
                   "return %z : tensor<6x5xf32>"),
        4e-6);
  }
};

}  // namespace trama::kernel_testing
