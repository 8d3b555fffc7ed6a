// Bodies of fused kernels and of what is computed like them, for the tests of every backend that
// compiles them: odd sizes, every kind of phase.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/kernel_test_util.h"

namespace trama::kernel_testing {

// One op of two operands of any shapes.
inline std::string Binary(const std::string& op, const std::string& a, const std::string& b,
                          const std::string& y) {
  return absl::StrCat("func.func @f(%a: ", a, ", %b: ", b, ") -> ", y, " { %0 = trama.", op,
                      " %a, %b : ", a, ", ", b, "\n return %0 : ", y, "}");
}

inline std::string Adam(const std::vector<int64_t>& shape, bool decoupled) {
  const std::string t = Tensor(shape), s = "tensor<f32>";
  return absl::StrCat(
      "func.func @f(%p: ", t, ", %g: ", t, ", %m: ", t, ", %v: ", t, ", %lr: ", s, ", %scale: ", s,
      ", %c1: ", s, ", %c2: ", s, ", %apply: tensor<i1>) -> (", t, ", ", t, ", ", t,
      ") {\n %0:3 = trama.adam %p, %g, %m, %v lr %lr scale %scale ",
      "corrections %c1, %c2 apply %apply {beta1 = 0.9 : f64, beta2 = 0.99 : f64, eps = ",
      "1.0e-8 : f64, weight_decay = 0.1 : f64", decoupled ? ", decoupled" : "", "} : ", t, ", ", t,
      ", ", t, ", ", t,
      ", tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<i1>\n return ",
      "%0#0, %0#1, %0#2 : ", t, ", ", t, ", ", t, "\n}");
}

// `Fixture`: a backend's, with Matches(kind, body, tolerance, low, high): the kernel gives the
// interpreter's results on random inputs from [low, high); the last three are 1e-5, -2 and 2 where
// absent.
template <typename Fixture>
class FusedBodies : public Fixture {
 protected:
  using Sizes = std::vector<int64_t>;
  template <typename... Parts>
  static std::string StrCat(const Parts&... parts) {
    return absl::StrCat(parts...);
  }

  void Pointwise() {
    for (const Sizes& shape : {Sizes{}, {1}, {5}, {16}, {37}, {3, 7}, {2, 1, 33}, {4, 5000}}) {
      const std::string t = Tensor(shape);
      this->Matches("fused", StrCat("func.func @f(%a: ", t, ", %b: ", t, ") -> (", t, ", ", t,
                                    ") {\n", "%0 = trama.add %a, %b : ", t, ", ", t, "\n",
                                    "%1 = trama.exp %0 : ", t, "\n", "%2 = trama.mul %1, %a : ", t,
                                    ", ", t, "\n", "return %0, %2 : ", t, ", ", t, "\n}"));
    }
  }

  void EveryUnary() {
    const std::string t = Tensor({3, 21});
    for (const char* op :
         {"neg", "abs", "sign", "exp", "tanh", "sigmoid", "erf", "sin", "cos", "floor", "relu"})
      this->Matches("fused", StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.", op,
                                    " %a : ", t, "\n return %0 : ", t, "}"));
    for (const char* op : {"log", "sqrt", "rsqrt"})
      this->Matches("fused",
                    StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.", op, " %a : ", t,
                           "\n return %0 : ", t, "}"),
                    1e-5, 0.1, 3);
  }

  void Softmax() {
    for (const Sizes& shape :
         {Sizes{1, 1}, {5, 1}, {3, 7}, {4, 16}, {5, 65}, {2, 3, 130}, {1, 40000}}) {
      const std::string t = Tensor(shape);
      this->Matches("fused", StrCat("func.func @f(%a: ", t, ") -> ", t,
                                    " { %0 = trama.softmax %a dim = ", shape.size() - 1, " : ", t,
                                    "\n return %0 : ", t, "}"));
    }
  }

  void SoftmaxOverAnotherDimension() {
    const std::string t = Tensor({3, 17, 5});
    for (int dim : {0, 1, 2})
      this->Matches("fused", StrCat("func.func @f(%a: ", t, ") -> ", t,
                                    " { %0 = trama.softmax %a dim = ", dim, " : ", t,
                                    "\n return %0 : ", t, "}"));
  }

  // The product is one number where its maximum is taken and where that is subtracted from it, so
  // that no difference is above 0.
  void SoftmaxOfScaledInputs() {
    for (const char* scale : {"1.0", "1.0e4", "1.0e6", "1.0e8", "1.0e10", "1.0e20", "1.0e30"})
      for (const Sizes& shape : {Sizes{3, 4}, {7, 37}, {1, 3000}})
        for (int dim : {0, 1}) {
          const std::string t = Tensor(shape);
          this->Matches("fused",
                        StrCat("func.func @f(%a: ", t, ") -> (", t, ", ", t, ", tensor<f32>) {\n",
                               "%k = trama.constant dense<", scale, "> : tensor<f32>\n",
                               "%0 = trama.mul %a, %k : ", t, ", tensor<f32>\n",
                               "%1 = trama.softmax %0 dim = ", dim, " : ", t, "\n",
                               "%2 = trama.log_softmax %0 dim = ", dim, " : ", t, "\n",
                               "%3 = trama.sum %1 dims = [0, 1] : ", t, "\n",
                               "return %1, %2, %3 : ", t, ", ", t, ", tensor<f32>\n}"));
        }
  }

  void Broadcasts() {
    for (auto [a, b, y] :
         std::vector<std::tuple<Sizes, Sizes, Sizes>>{{{5, 7, 33}, {33}, {5, 7, 33}},
                                                      {{5, 7, 33}, {7, 1}, {5, 7, 33}},
                                                      {{5, 1, 33}, {1, 7, 1}, {5, 7, 33}},
                                                      {{1}, {4, 4}, {4, 4}},
                                                      {{}, {20}, {20}},
                                                      {{3, 1}, {1, 50}, {3, 50}}})
      for (const char* op : {"add", "div", "max", "min", "pow", "compare lt"}) {
        const bool compare = StrCat(op) == "compare lt";
        this->Matches("fused", Binary(op, Tensor(a), Tensor(b), Tensor(y, compare ? "i1" : "f32")),
                      1e-5, 0.1, 3);
      }
  }

  void ReductionsOverAnyDimensions() {
    const Sizes shape{3, 5, 19, 2};
    for (const char* dims :
         {"0", "1", "2", "3", "0, 1", "2, 3", "1, 2", "0, 2", "1, 3", "0, 1, 2, 3", "0, 1, 3"})
      for (const char* op : {"sum", "reduce_max", "mean"})
        for (bool keep : {false, true}) {
          Sizes y;
          for (size_t d = 0; d < shape.size(); ++d) {
            const bool reduced = StrCat(dims).find(StrCat(d)) != std::string::npos;
            if (!reduced) y.push_back(shape[d]);
            if (reduced && keep) y.push_back(1);
          }
          this->Matches("fused", StrCat("func.func @f(%a: ", Tensor(shape), ") -> ", Tensor(y),
                                        " { %0 = trama.", op, " %a dims = [", dims, "]",
                                        keep ? " keepdim" : "", " : ", Tensor(shape),
                                        "\n return %0 : ", Tensor(y), "}"));
        }
  }

  void LargeReductionsAreCutIntoChunks() {
    for (auto [shape, dims, y] :
         std::vector<std::tuple<Sizes, std::string, Sizes>>{{{300000}, "0", {}},
                                                            {{131072}, "0", {}},
                                                            {{4096, 24}, "0", {24}},
                                                            {{2, 65536}, "1", {2}}})
      for (const char* op : {"sum", "reduce_max"}) {
        const std::string text =
            StrCat("func.func @f(%a: ", Tensor(shape), ") -> ", Tensor(y), " { %0 = trama.", op,
                   " %a dims = [", dims, "] : ", Tensor(shape), "\n return %0 : ", Tensor(y), "}");
        this->Matches("fused", text, 1e-4);
      }
  }

  void Argmax() {
    for (const char* type : {"f32", "i32", "f64"})
      for (const Sizes& shape : {Sizes{1, 1, 1}, {3, 5, 40}, {2, 100, 3}})
        for (int dim = 0; dim < 3; ++dim) {
          Sizes y = shape;
          y.erase(y.begin() + dim);
          // Few values, so that there are ties.
          this->Matches("fused",
                        StrCat("func.func @f(%a: ", Tensor(shape, type), ") -> ", Tensor(y, "i32"),
                               " { %0 = trama.argmax %a dim = ", dim, " : ", Tensor(shape, type),
                               "\n return %0 : ", Tensor(y, "i32"), "}"),
                        0, 0, 5);
        }
  }

  void LayerNormAndItsGradient() {
    for (const Sizes& shape : {Sizes{6, 1}, {3, 5, 19}, {40, 128}}) {
      const std::string x = Tensor(shape), w = Tensor({shape.back()});
      this->Matches("fused",
                    StrCat("func.func @f(%x: ", x, ", %w: ", w, ", %b: ", w, ") -> ", x,
                           " { %0 = trama.layer_norm %x, %w, %b eps = 1.0e-3 : ", x, ", ", w, ", ",
                           w, "\n return %0 : ", x, "}"),
                    1e-4);
      // Rows (dx) and columns (the sums over rows) of one kernel.
      this->Matches(
          "fused",
          StrCat("func.func @f(%g: ", x, ", %x: ", x, ", %w: ", w, ") -> (", x, ", ", w, ", ", w,
                 ") { %0:3 = trama.layer_norm_grad %g, %x, %w eps = 1.0e-3 : ", x, ", ", x, ", ", w,
                 "\n return %0#0, %0#1, %0#2 : ", x, ", ", w, ", ", w, "}"),
          2e-4);
    }
  }

  void BiasGradientWithTheGradientItSums() {
    for (const Sizes& shape : {Sizes{7, 3}, {9, 130}, {5, 4, 300}, {1, 17}}) {
      const std::string x = Tensor(shape), w = Tensor({shape.back()});
      const std::string dims = shape.size() == 2 ? "0" : "0, 1";
      this->Matches("fused", StrCat("func.func @f(%g: ", x, ", %x: ", x, ") -> (", x, ", ", w,
                                    ") {\n", "%0 = trama.gelu_grad %g, %x tanh : ", x, ", ", x,
                                    "\n", "%1 = trama.sum %0 dims = [", dims, "] : ", x,
                                    "\n return %0, %1 : ", x, ", ", w, "\n}"));
    }
  }

  void ViewsOfEveryKind() {
    // Heads: [B, T, H D] -> [B, H, T, D] and back, a transposed operand, strides.
    this->Matches("fused", R"(func.func @f(%x: tensor<2x5x12xf32>) -> tensor<2x3x5x4xf32> {
    %0 = trama.reshape %x : tensor<2x5x12xf32> -> tensor<2x5x3x4xf32>
    %1 = trama.transpose %0 permutation = [0, 2, 1, 3] : tensor<2x5x3x4xf32>
    %2 = trama.neg %1 : tensor<2x3x5x4xf32>
    return %2 : tensor<2x3x5x4xf32>})");
    this->Matches("fused", R"(func.func @f(%x: tensor<2x3x5x4xf32>) -> tensor<10x12xf32> {
    %0 = trama.transpose %x permutation = [0, 2, 1, 3] : tensor<2x3x5x4xf32>
    %1 = trama.reshape %0 : tensor<2x5x3x4xf32> -> tensor<10x12xf32>
    return %1 : tensor<10x12xf32>})");
    this->Matches(
        "fused",
        R"(func.func @f(%x: tensor<33x17xf32>, %y: tensor<17x33xf32>) -> tensor<17x33xf32> {
    %0 = trama.transpose %x permutation = [1, 0] : tensor<33x17xf32>
    %1 = trama.mul %0, %y : tensor<17x33xf32>, tensor<17x33xf32>
    return %1 : tensor<17x33xf32>})");
    this->Matches("fused", R"(func.func @f(%x: tensor<9x40xf32>) -> tensor<3x13xf32> {
    %0 = trama.slice %x starts = [1, 2] strides = [3, 3] : tensor<9x40xf32> -> tensor<3x13xf32>
    %1 = trama.exp %0 : tensor<3x13xf32>
    return %1 : tensor<3x13xf32>})");
    // Not one stride a dimension: a slice whose rows are joined, a transpose flattened otherwise.
    this->Matches("fused", R"(func.func @f(%x: tensor<6x10xf32>) -> tensor<7x6xf32> {
    %0 = trama.slice %x starts = [0, 1] strides = [1, 1] : tensor<6x10xf32> -> tensor<6x7xf32>
    %1 = trama.transpose %0 permutation = [1, 0] : tensor<6x7xf32>
    %2 = trama.reshape %1 : tensor<7x6xf32> -> tensor<6x7xf32>
    %3 = trama.transpose %2 permutation = [1, 0] : tensor<6x7xf32>
    return %3 : tensor<7x6xf32>})");
    this->Matches(
        "fused",
        R"(func.func @f(%x: tensor<3x1xf32>, %y: tensor<1x4xf32>) -> (tensor<12xf32>, tensor<6x2xf32>) {
    %0 = trama.broadcast %x : tensor<3x1xf32> -> tensor<3x4xf32>
    %1 = trama.add %0, %y : tensor<3x4xf32>, tensor<1x4xf32>
    %2 = trama.reshape %1 : tensor<3x4xf32> -> tensor<12xf32>
    %3 = trama.reshape %1 : tensor<3x4xf32> -> tensor<6x2xf32>
    return %2, %3 : tensor<12xf32>, tensor<6x2xf32>})");
  }

  void PadAndConcat() {
    this->Matches("fused", R"(func.func @f(%x: tensor<3x7xf32>) -> tensor<8x20xf32> {
    %0 = trama.pad %x starts = [1, 2] strides = [3, 2] : tensor<3x7xf32> -> tensor<8x20xf32>
    return %0 : tensor<8x20xf32>})");
    this->Matches("fused",
                  R"(func.func @f(%x: tensor<3x7xf32>, %y: tensor<3x21xf32>) -> tensor<3x21xf32> {
    %0 = trama.exp %x : tensor<3x7xf32>
    %1 = trama.pad %0 starts = [0, 7] strides = [1, 1] : tensor<3x7xf32> -> tensor<3x21xf32>
    %2 = trama.add %1, %y : tensor<3x21xf32>, tensor<3x21xf32>
    return %2 : tensor<3x21xf32>})");
    this->Matches("fused",
                  R"(func.func @f(%x: tensor<3x7xf32>, %y: tensor<3x20xf32>) -> tensor<3x34xf32> {
    %0 = trama.exp %x : tensor<3x7xf32>
    %1 = trama.concat %0, %y, %x dim = 1 : tensor<3x7xf32>, tensor<3x20xf32>, tensor<3x7xf32>
    return %1 : tensor<3x34xf32>})");
    // In the middle of a computation.
    this->Matches("fused",
                  R"(func.func @f(%x: tensor<3x7xf32>, %y: tensor<2x7xf32>) -> tensor<5xf32> {
    %1 = trama.concat %x, %y dim = 0 : tensor<3x7xf32>, tensor<2x7xf32>
    %2 = trama.sum %1 dims = [1] : tensor<5x7xf32>
    return %2 : tensor<5xf32>})");
  }

  // One value a row, in two places of a result.
  void ConcatOfReductions() {
    this->Matches("fused", R"(func.func @f(%x: tensor<4x17x7xf32>) -> tensor<4x34xf32> {
    %0 = trama.reduce_max %x dims = [2] : tensor<4x17x7xf32>
    %1 = trama.neg %0 : tensor<4x17xf32>
    %2 = trama.concat %0, %1 dim = 1 : tensor<4x17xf32>, tensor<4x17xf32>
    return %2 : tensor<4x34xf32>})");
  }

  void Indexing() {
    this->Matches("fused",
                  R"(func.func @f(%t: tensor<6x37xf32>, %i: tensor<3x5xi32>) -> tensor<3x5x37xf32> {
    %0 = trama.embedding %t, %i : tensor<6x37xf32>, tensor<3x5xi32>
    return %0 : tensor<3x5x37xf32>})",
                  0, -2, 7.9);
    for (int dim : {0, 1})
      this->Matches(
          "fused",
          StrCat(R"(func.func @f(%x: tensor<6x6xf32>, %i: tensor<6x6xi64>) -> tensor<6x6xf32> {
      %0 = trama.gather %x, %i dim = )",
                 dim, R"( : tensor<6x6xf32>, tensor<6x6xi64>
      %1 = trama.exp %0 : tensor<6x6xf32>
      return %1 : tensor<6x6xf32>})"),
          1e-6, -2, 7.9);
    this->Matches("fused",
                  R"(func.func @f(%x: tensor<3x50xf32>) -> (tensor<3x50xf32>, tensor<3x50xi64>) {
    %0 = trama.iota dim = 1 : tensor<3x50xf32>
    %1 = trama.add %0, %x : tensor<3x50xf32>, tensor<3x50xf32>
    %2 = trama.iota dim = 0 : tensor<3x50xi64>
    return %1, %2 : tensor<3x50xf32>, tensor<3x50xi64>})");
  }

  void Constants() {
    this->Matches("fused",
                  R"(func.func @f(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<3xi1>) {
    %0 = trama.constant dense<[1.0, 2.0, -3.0]> : tensor<3xf32>
    %1 = trama.mul %x, %0 : tensor<2x3xf32>, tensor<3xf32>
    %2 = trama.constant dense<[true, false, true]> : tensor<3xi1>
    %3 = trama.not %2 : tensor<3xi1>
    return %1, %3 : tensor<2x3xf32>, tensor<3xi1>})");
  }

  void Randomness() {
    for (const Sizes& shape : {Sizes{3, 5, 11}, {70}, {2, 16, 16}}) {
      const std::string t = Tensor(shape);
      this->Matches("fused",
                    StrCat("func.func @f(%r: tensor<4xi32>) -> ", t,
                           " { %0 = trama.random_uniform %r op_id = 7 : tensor<4xi32> -> ", t,
                           "\n return %0 : ", t, "}"),
                    0, 0, 2e9);  // of more than 2^32 elements so far
      this->Matches("fused", StrCat("func.func @f(%x: ", t, ", %r: tensor<4xi32>) -> ", t,
                                    " { %0 = trama.dropout %x, %r p = 0.25 op_id = 7 : ", t,
                                    ", tensor<4xi32>\n return %0 : ", t, "}"));
    }
  }

  void Casts() {
    for (const char* from : {"f32", "f64", "bf16", "f16", "i32", "i64", "i8", "i1"})
      for (const char* to : {"f32", "f64", "bf16", "f16", "i32", "i64", "i8", "i1"}) {
        const std::string a = Tensor({21}, from), y = Tensor({21}, to);
        this->Matches("fused",
                      StrCat("func.func @f(%a: ", a, ") -> ", y, " { %0 = trama.cast %a : ", a,
                             " -> ", y, "\n return %0 : ", y, "}"),
                      0, -120, 120);
      }
  }

  void SelectsAndLogic() {
    this->Matches(
        "fused",
        R"(func.func @f(%a: tensor<5x21xf32>, %m: tensor<5x1xi1>, %n: tensor<21xi1>) -> (tensor<5x21xf32>, tensor<5x21xi1>) {
    %0 = trama.and %m, %n : tensor<5x1xi1>, tensor<21xi1>
    %1 = trama.constant dense<0xFF800000> : tensor<f32>
    %2 = trama.select %0, %a, %1 : tensor<5x21xi1>, tensor<5x21xf32>, tensor<f32>
    %3 = trama.softmax %2 dim = 1 : tensor<5x21xf32>
    return %3, %0 : tensor<5x21xf32>, tensor<5x21xi1>})");
  }

  // A column result that rows need, which a later column needs again; and scalars.
  void ManyPhases() {
    this->Matches(
        "fused",
        R"(func.func @f(%a: tensor<6x33xf32>) -> (tensor<33xf32>, tensor<f32>, tensor<6x33xf32>) {
    %0 = trama.sum %a dims = [0] : tensor<6x33xf32>
    %1 = trama.sub %a, %0 : tensor<6x33xf32>, tensor<33xf32>
    %2 = trama.reduce_max %1 dims = [1] keepdim : tensor<6x33xf32>
    %3 = trama.sub %1, %2 : tensor<6x33xf32>, tensor<6x1xf32>
    %4 = trama.sum %3 dims = [0] : tensor<6x33xf32>
    %5 = trama.sum %4 dims = [0] : tensor<33xf32>
    %6 = trama.transpose %a permutation = [1, 0] : tensor<6x33xf32>
    %7 = trama.sum %6 dims = [1] : tensor<33x6xf32>
    %8 = trama.add %7, %4 : tensor<33xf32>, tensor<33xf32>
    %9 = trama.mul %3, %5 : tensor<6x33xf32>, tensor<f32>
    return %8, %5, %9 : tensor<33xf32>, tensor<f32>, tensor<6x33xf32>})",
        1e-4);
  }

  // A row that reads another row's reduction cannot stay in one phase.
  void ReductionsOfOtherRows() {
    this->Matches("fused", R"(func.func @f(%a: tensor<17x17xf32>) -> tensor<17x17xf32> {
    %0 = trama.sum %a dims = [1] : tensor<17x17xf32>
    %1 = trama.mul %a, %0 : tensor<17x17xf32>, tensor<17xf32>
    %2 = trama.reduce_max %1 dims = [1] keepdim : tensor<17x17xf32>
    %3 = trama.sub %1, %2 : tensor<17x17xf32>, tensor<17x1xf32>
    return %3 : tensor<17x17xf32>})",
                  1e-4);
  }

  void Sgd() {
    for (const char* momentum : {"0.0", "0.9"}) {
      const std::string t = Tensor({19, 3});
      this->Matches(
          "sgd",
          StrCat("func.func @f(%p: ", t, ", %g: ", t, ", %b: ", t,
                 ", %lr: tensor<f32>, %s: tensor<f32>, %apply: tensor<i1>) -> (", t, ", ", t,
                 ") {\n %0:2 = trama.sgd %p, %g, %b lr %lr scale %s apply %apply {momentum = ",
                 momentum, " : f64, weight_decay = 0.01 : f64} : ", t, ", ", t, ", ", t,
                 ", tensor<f32>, tensor<f32>, tensor<i1>\n return %0#0, %0#1 : ", t, ", ", t,
                 "\n}"));
    }
  }

  void SquareSum() {
    const std::string a = Tensor({3, 5}), b = Tensor({40000}), c = Tensor({}),
                      d = Tensor({2, 16384});
    this->Matches("square_sum",
                  StrCat("func.func @f(%a: ", a, ", %b: ", b, ", %c: ", c, ", %d: ", d,
                         ") -> tensor<f32> {\n %0 = trama.square_sum %a, %b, %c, %d : ", a, ", ", b,
                         ", ", c, ", ", d, "\n return %0 : tensor<f32>\n}"));
    // What follows it makes it a fused kernel.
    this->Matches(
        "square_sum",
        StrCat("func.func @f(%a: ", a, ") -> tensor<f32> {\n %0 = trama.square_sum ", "%a : ", a,
               "\n %1 = trama.sqrt %0 : tensor<f32>\n return %1 : ", "tensor<f32>\n}"));
  }
};

}  // namespace trama::kernel_testing
