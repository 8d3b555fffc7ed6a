// Fused kernels of the vulkan backend against the interpreter: odd sizes, every kind of phase.
#include <cmath>

#include "tests/unit/vulkan_test_util.h"

namespace trama::vulkan {
namespace {
using absl::StrCat;
using Sizes = std::vector<int64_t>;

TEST(VulkanFusedTest, Pointwise) {
  for (const Sizes& shape : {Sizes{}, {1}, {5}, {16}, {37}, {3, 7}, {2, 1, 33}, {4, 5000}}) {
    const std::string t = Tensor(shape);
    ExpectKernelMatches("fused", StrCat("func.func @f(%a: ", t, ", %b: ", t, ") -> (", t, ", ", t,
                                        ") {\n", "%0 = trama.add %a, %b : ", t, ", ", t, "\n",
                                        "%1 = trama.exp %0 : ", t, "\n", "%2 = trama.mul %1, %a : ",
                                        t, ", ", t, "\n", "return %0, %2 : ", t, ", ", t, "\n}"));
  }
}

TEST(VulkanFusedTest, EveryUnary) {
  const std::string t = Tensor({3, 21});
  for (const char* op :
       {"neg", "abs", "sign", "exp", "tanh", "sigmoid", "erf", "sin", "cos", "floor", "relu"})
    ExpectKernelMatches("fused", StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.", op,
                                        " %a : ", t, "\n return %0 : ", t, "}"));
  for (const char* op : {"log", "sqrt", "rsqrt"})
    ExpectKernelMatches("fused",
                        StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.", op,
                               " %a : ", t, "\n return %0 : ", t, "}"),
                        1e-5, 0.1, 3);
}

TEST(VulkanFusedTest, Softmax) {
  for (const Sizes& shape :
       {Sizes{1, 1}, {5, 1}, {3, 7}, {4, 16}, {5, 65}, {2, 3, 130}, {1, 40000}}) {
    const std::string t = Tensor(shape);
    ExpectKernelMatches("fused", StrCat("func.func @f(%a: ", t, ") -> ", t,
                                        " { %0 = trama.softmax %a dim = ", shape.size() - 1, " : ",
                                        t, "\n return %0 : ", t, "}"));
  }
}

// More rows than a grid's first dimension has workgroups, and a vocabulary.
TEST(VulkanFusedTest, ManyAndLongRows) {
  for (const Sizes& shape : {Sizes{70000, 40}, {2, 50257}}) {
    const std::string t = Tensor(shape);
    ExpectKernelMatches(
        "fused", StrCat("func.func @f(%a: ", t, ") -> ", t,
                        " { %0 = trama.softmax %a dim = 1 : ", t, "\n return %0 : ", t, "}"));
  }
}

TEST(VulkanFusedTest, NoElements) {
  ExpectKernelMatches(
      "fused",
      R"(func.func @f(%a: tensor<0x3xf32>, %b: tensor<5xf32>) -> (tensor<0x3xf32>, tensor<5xf32>) {
    %0 = trama.neg %a : tensor<0x3xf32>
    %1 = trama.neg %b : tensor<5xf32>
    return %0, %1 : tensor<0x3xf32>, tensor<5xf32>})");
}

TEST(VulkanFusedTest, SoftmaxOverAnotherDimension) {
  const std::string t = Tensor({3, 17, 5});
  for (int dim : {0, 1, 2})
    ExpectKernelMatches(
        "fused", StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.softmax %a dim = ", dim,
                        " : ", t, "\n return %0 : ", t, "}"));
}

// One op of two operands of any shapes.
std::string Binary(const std::string& op, const std::string& a, const std::string& b,
                   const std::string& y) {
  return StrCat("func.func @f(%a: ", a, ", %b: ", b, ") -> ", y, " { %0 = trama.", op,
                " %a, %b : ", a, ", ", b, "\n return %0 : ", y, "}");
}

TEST(VulkanFusedTest, Broadcasts) {
  for (auto [a, b, y] :
       std::vector<std::tuple<Sizes, Sizes, Sizes>>{{{5, 7, 33}, {33}, {5, 7, 33}},
                                                    {{5, 7, 33}, {7, 1}, {5, 7, 33}},
                                                    {{5, 1, 33}, {1, 7, 1}, {5, 7, 33}},
                                                    {{1}, {4, 4}, {4, 4}},
                                                    {{}, {20}, {20}},
                                                    {{3, 1}, {1, 50}, {3, 50}}})
    for (const char* op : {"add", "div", "max", "min", "pow", "compare lt"}) {
      const bool compare = StrCat(op) == "compare lt";
      ExpectKernelMatches("fused",
                          Binary(op, Tensor(a), Tensor(b), Tensor(y, compare ? "i1" : "f32")), 1e-5,
                          0.1, 3);
    }
}

TEST(VulkanFusedTest, ReductionsOverAnyDimensions) {
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
        ExpectKernelMatches(
            "fused", StrCat("func.func @f(%a: ", Tensor(shape), ") -> ", Tensor(y),
                            " { %0 = trama.", op, " %a dims = [", dims, "]", keep ? " keepdim" : "",
                            " : ", Tensor(shape), "\n return %0 : ", Tensor(y), "}"));
      }
}

TEST(VulkanFusedTest, LargeReductionsAreCutIntoChunks) {
  for (auto [shape, dims, y] :
       std::vector<std::tuple<Sizes, std::string, Sizes>>{{{300000}, "0", {}},
                                                          {{131072}, "0", {}},
                                                          {{4096, 24}, "0", {24}},
                                                          {{2, 65536}, "1", {2}}})
    for (const char* op : {"sum", "reduce_max"}) {
      const std::string text =
          StrCat("func.func @f(%a: ", Tensor(shape), ") -> ", Tensor(y), " { %0 = trama.", op,
                 " %a dims = [", dims, "] : ", Tensor(shape), "\n return %0 : ", Tensor(y), "}");
      ExpectKernelMatches("fused", text, 1e-4);
    }
}

TEST(VulkanFusedTest, Argmax) {
  for (const char* type : {"f32", "i32", "f64"})
    for (const Sizes& shape : {Sizes{1, 1, 1}, {3, 5, 40}, {2, 100, 3}})
      for (int dim = 0; dim < 3; ++dim) {
        Sizes y = shape;
        y.erase(y.begin() + dim);
        // Few values, so that there are ties.
        ExpectKernelMatches("fused",
                            StrCat("func.func @f(%a: ", Tensor(shape, type), ") -> ",
                                   Tensor(y, "i32"), " { %0 = trama.argmax %a dim = ", dim, " : ",
                                   Tensor(shape, type), "\n return %0 : ", Tensor(y, "i32"), "}"),
                            0, 0, 5);
      }
}

TEST(VulkanFusedTest, LayerNormAndItsGradient) {
  for (const Sizes& shape : {Sizes{6, 1}, {3, 5, 19}, {40, 128}}) {
    const std::string x = Tensor(shape), w = Tensor({shape.back()});
    ExpectKernelMatches("fused",
                        StrCat("func.func @f(%x: ", x, ", %w: ", w, ", %b: ", w, ") -> ", x,
                               " { %0 = trama.layer_norm %x, %w, %b eps = 1.0e-3 : ", x, ", ", w,
                               ", ", w, "\n return %0 : ", x, "}"),
                        1e-4);
    // Rows (dx) and columns (the sums over rows) of one kernel.
    ExpectKernelMatches(
        "fused",
        StrCat("func.func @f(%g: ", x, ", %x: ", x, ", %w: ", w, ") -> (", x, ", ", w, ", ", w,
               ") { %0:3 = trama.layer_norm_grad %g, %x, %w eps = 1.0e-3 : ", x, ", ", x, ", ", w,
               "\n return %0#0, %0#1, %0#2 : ", x, ", ", w, ", ", w, "}"),
        2e-4);
  }
}

TEST(VulkanFusedTest, BiasGradientWithTheGradientItSums) {
  for (const Sizes& shape : {Sizes{7, 3}, {9, 130}, {5, 4, 300}, {1, 17}}) {
    const std::string x = Tensor(shape), w = Tensor({shape.back()});
    const std::string dims = shape.size() == 2 ? "0" : "0, 1";
    ExpectKernelMatches("fused", StrCat("func.func @f(%g: ", x, ", %x: ", x, ") -> (", x, ", ", w,
                                        ") {\n", "%0 = trama.gelu_grad %g, %x tanh : ", x, ", ", x,
                                        "\n", "%1 = trama.sum %0 dims = [", dims, "] : ", x,
                                        "\n return %0, %1 : ", x, ", ", w, "\n}"));
  }
}

TEST(VulkanFusedTest, ViewsOfEveryKind) {
  // Heads: [B, T, H D] -> [B, H, T, D] and back, a transposed operand, strides.
  ExpectKernelMatches("fused", R"(func.func @f(%x: tensor<2x5x12xf32>) -> tensor<2x3x5x4xf32> {
    %0 = trama.reshape %x : tensor<2x5x12xf32> -> tensor<2x5x3x4xf32>
    %1 = trama.transpose %0 permutation = [0, 2, 1, 3] : tensor<2x5x3x4xf32>
    %2 = trama.neg %1 : tensor<2x3x5x4xf32>
    return %2 : tensor<2x3x5x4xf32>})");
  ExpectKernelMatches("fused", R"(func.func @f(%x: tensor<2x3x5x4xf32>) -> tensor<10x12xf32> {
    %0 = trama.transpose %x permutation = [0, 2, 1, 3] : tensor<2x3x5x4xf32>
    %1 = trama.reshape %0 : tensor<2x5x3x4xf32> -> tensor<10x12xf32>
    return %1 : tensor<10x12xf32>})");
  ExpectKernelMatches(
      "fused", R"(func.func @f(%x: tensor<33x17xf32>, %y: tensor<17x33xf32>) -> tensor<17x33xf32> {
    %0 = trama.transpose %x permutation = [1, 0] : tensor<33x17xf32>
    %1 = trama.mul %0, %y : tensor<17x33xf32>, tensor<17x33xf32>
    return %1 : tensor<17x33xf32>})");
  ExpectKernelMatches("fused", R"(func.func @f(%x: tensor<9x40xf32>) -> tensor<3x13xf32> {
    %0 = trama.slice %x starts = [1, 2] strides = [3, 3] : tensor<9x40xf32> -> tensor<3x13xf32>
    %1 = trama.exp %0 : tensor<3x13xf32>
    return %1 : tensor<3x13xf32>})");
  // Not one stride a dimension: a slice whose rows are joined, a transpose flattened otherwise.
  ExpectKernelMatches("fused", R"(func.func @f(%x: tensor<6x10xf32>) -> tensor<7x6xf32> {
    %0 = trama.slice %x starts = [0, 1] strides = [1, 1] : tensor<6x10xf32> -> tensor<6x7xf32>
    %1 = trama.transpose %0 permutation = [1, 0] : tensor<6x7xf32>
    %2 = trama.reshape %1 : tensor<7x6xf32> -> tensor<6x7xf32>
    %3 = trama.transpose %2 permutation = [1, 0] : tensor<6x7xf32>
    return %3 : tensor<7x6xf32>})");
  ExpectKernelMatches(
      "fused",
      R"(func.func @f(%x: tensor<3x1xf32>, %y: tensor<1x4xf32>) -> (tensor<12xf32>, tensor<6x2xf32>) {
    %0 = trama.broadcast %x : tensor<3x1xf32> -> tensor<3x4xf32>
    %1 = trama.add %0, %y : tensor<3x4xf32>, tensor<1x4xf32>
    %2 = trama.reshape %1 : tensor<3x4xf32> -> tensor<12xf32>
    %3 = trama.reshape %1 : tensor<3x4xf32> -> tensor<6x2xf32>
    return %2, %3 : tensor<12xf32>, tensor<6x2xf32>})");
}

TEST(VulkanFusedTest, PadAndConcat) {
  ExpectKernelMatches("fused", R"(func.func @f(%x: tensor<3x7xf32>) -> tensor<8x20xf32> {
    %0 = trama.pad %x starts = [1, 2] strides = [3, 2] : tensor<3x7xf32> -> tensor<8x20xf32>
    return %0 : tensor<8x20xf32>})");
  ExpectKernelMatches(
      "fused", R"(func.func @f(%x: tensor<3x7xf32>, %y: tensor<3x21xf32>) -> tensor<3x21xf32> {
    %0 = trama.exp %x : tensor<3x7xf32>
    %1 = trama.pad %0 starts = [0, 7] strides = [1, 1] : tensor<3x7xf32> -> tensor<3x21xf32>
    %2 = trama.add %1, %y : tensor<3x21xf32>, tensor<3x21xf32>
    return %2 : tensor<3x21xf32>})");
  ExpectKernelMatches(
      "fused", R"(func.func @f(%x: tensor<3x7xf32>, %y: tensor<3x20xf32>) -> tensor<3x34xf32> {
    %0 = trama.exp %x : tensor<3x7xf32>
    %1 = trama.concat %0, %y, %x dim = 1 : tensor<3x7xf32>, tensor<3x20xf32>, tensor<3x7xf32>
    return %1 : tensor<3x34xf32>})");
  // In the middle of a computation.
  ExpectKernelMatches("fused",
                      R"(func.func @f(%x: tensor<3x7xf32>, %y: tensor<2x7xf32>) -> tensor<5xf32> {
    %1 = trama.concat %x, %y dim = 0 : tensor<3x7xf32>, tensor<2x7xf32>
    %2 = trama.sum %1 dims = [1] : tensor<5x7xf32>
    return %2 : tensor<5xf32>})");
}

// One value a row, in two places of a result.
TEST(VulkanFusedTest, ConcatOfReductions) {
  ExpectKernelMatches("fused", R"(func.func @f(%x: tensor<4x17x7xf32>) -> tensor<4x34xf32> {
    %0 = trama.reduce_max %x dims = [2] : tensor<4x17x7xf32>
    %1 = trama.neg %0 : tensor<4x17xf32>
    %2 = trama.concat %0, %1 dim = 1 : tensor<4x17xf32>, tensor<4x17xf32>
    return %2 : tensor<4x34xf32>})");
}

TEST(VulkanFusedTest, Indexing) {
  ExpectKernelMatches(
      "fused", R"(func.func @f(%t: tensor<6x37xf32>, %i: tensor<3x5xi32>) -> tensor<3x5x37xf32> {
    %0 = trama.embedding %t, %i : tensor<6x37xf32>, tensor<3x5xi32>
    return %0 : tensor<3x5x37xf32>})",
      0, -2, 7.9);
  for (int dim : {0, 1})
    ExpectKernelMatches(
        "fused",
        StrCat(R"(func.func @f(%x: tensor<6x6xf32>, %i: tensor<6x6xi64>) -> tensor<6x6xf32> {
      %0 = trama.gather %x, %i dim = )",
               dim, R"( : tensor<6x6xf32>, tensor<6x6xi64>
      %1 = trama.exp %0 : tensor<6x6xf32>
      return %1 : tensor<6x6xf32>})"),
        1e-6, -2, 7.9);
  ExpectKernelMatches(
      "fused", R"(func.func @f(%x: tensor<3x50xf32>) -> (tensor<3x50xf32>, tensor<3x50xi64>) {
    %0 = trama.iota dim = 1 : tensor<3x50xf32>
    %1 = trama.add %0, %x : tensor<3x50xf32>, tensor<3x50xf32>
    %2 = trama.iota dim = 0 : tensor<3x50xi64>
    return %1, %2 : tensor<3x50xf32>, tensor<3x50xi64>})");
}

TEST(VulkanFusedTest, Constants) {
  ExpectKernelMatches("fused",
                      R"(func.func @f(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<3xi1>) {
    %0 = trama.constant dense<[1.0, 2.0, -3.0]> : tensor<3xf32>
    %1 = trama.mul %x, %0 : tensor<2x3xf32>, tensor<3xf32>
    %2 = trama.constant dense<[true, false, true]> : tensor<3xi1>
    %3 = trama.not %2 : tensor<3xi1>
    return %1, %3 : tensor<2x3xf32>, tensor<3xi1>})");
}

TEST(VulkanFusedTest, Randomness) {
  for (const Sizes& shape : {Sizes{3, 5, 11}, {70}, {2, 16, 16}}) {
    const std::string t = Tensor(shape);
    ExpectKernelMatches("fused",
                        StrCat("func.func @f(%r: tensor<4xi32>) -> ", t,
                               " { %0 = trama.random_uniform %r op_id = 7 : tensor<4xi32> -> ", t,
                               "\n return %0 : ", t, "}"),
                        0, 0, 2e9);  // of more than 2^32 elements so far
    ExpectKernelMatches("fused", StrCat("func.func @f(%x: ", t, ", %r: tensor<4xi32>) -> ", t,
                                        " { %0 = trama.dropout %x, %r p = 0.25 op_id = 7 : ", t,
                                        ", tensor<4xi32>\n return %0 : ", t, "}"));
  }
}

TEST(VulkanFusedTest, ElementTypes) {
  for (const char* type : {"f64", "bf16", "f16", "i32", "i64", "i8"}) {
    const std::string t = Tensor({3, 37}, type), row = Tensor({3}, type),
                      column = Tensor({37}, type);
    const double tolerance = type == std::string("bf16") ? 1e-2 : 2e-3;
    ExpectKernelMatches(
        "fused",
        StrCat("func.func @f(%a: ", t, ", %b: ", t, ") -> (", t, ", ", row, ", ", column, ", ", t,
               ", ", row, ") {\n", "%0 = trama.mul %a, %b : ", t, ", ", t, "\n",
               "%1 = trama.sum %0 dims = [1] : ", t, "\n",
               "%2 = trama.reduce_max %0 dims = [0] : ", t, "\n", "%3 = trama.add %0, %2 : ", t,
               ", ", column, "\n", "%4 = trama.reduce_max %3 dims = [1] : ", t, "\n",
               "%5 = trama.div %4, %1 : ", row, ", ", row, "\n", "return %0, %1, %2, %3, %5 : ", t,
               ", ", row, ", ", column, ", ", t, ", ", row, "\n}"),
        tolerance, 1, 4);
  }
}

TEST(VulkanFusedTest, Casts) {
  for (const char* from : {"f32", "f64", "bf16", "f16", "i32", "i64", "i8", "i1"})
    for (const char* to : {"f32", "f64", "bf16", "f16", "i32", "i64", "i8", "i1"}) {
      const std::string a = Tensor({21}, from), y = Tensor({21}, to);
      ExpectKernelMatches("fused",
                          StrCat("func.func @f(%a: ", a, ") -> ", y, " { %0 = trama.cast %a : ", a,
                                 " -> ", y, "\n return %0 : ", y, "}"),
                          0, -120, 120);
    }
}

TEST(VulkanFusedTest, SelectsAndLogic) {
  ExpectKernelMatches(
      "fused",
      R"(func.func @f(%a: tensor<5x21xf32>, %m: tensor<5x1xi1>, %n: tensor<21xi1>) -> (tensor<5x21xf32>, tensor<5x21xi1>) {
    %0 = trama.and %m, %n : tensor<5x1xi1>, tensor<21xi1>
    %1 = trama.constant dense<0xFF800000> : tensor<f32>
    %2 = trama.select %0, %a, %1 : tensor<5x21xi1>, tensor<5x21xf32>, tensor<f32>
    %3 = trama.softmax %2 dim = 1 : tensor<5x21xf32>
    return %3, %0 : tensor<5x21xf32>, tensor<5x21xi1>})");
}

// A column result that rows need, which a later column needs again; and scalars.
TEST(VulkanFusedTest, ManyPhases) {
  ExpectKernelMatches(
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
TEST(VulkanFusedTest, ReductionsOfOtherRows) {
  ExpectKernelMatches("fused", R"(func.func @f(%a: tensor<17x17xf32>) -> tensor<17x17xf32> {
    %0 = trama.sum %a dims = [1] : tensor<17x17xf32>
    %1 = trama.mul %a, %0 : tensor<17x17xf32>, tensor<17xf32>
    %2 = trama.reduce_max %1 dims = [1] keepdim : tensor<17x17xf32>
    %3 = trama.sub %1, %2 : tensor<17x17xf32>, tensor<17x1xf32>
    return %3 : tensor<17x17xf32>})",
                      1e-4);
}

TEST(VulkanFusedTest, RefusesWhatHasNoElements) {
  auto kernel = VulkanKernel::Compile(
      "fused", R"(func.func @f(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>) -> tensor<2x4xf32> {
    %0 = trama.matmul %a, %b : tensor<2x3xf32>, tensor<3x4xf32>
    return %0 : tensor<2x4xf32>})");
  EXPECT_THAT(kernel, StatusIs(absl::StatusCode::kUnimplemented, "trama.matmul"));
}

// Special values go where they go in libm.
TEST(VulkanFusedTest, SpecialValues) {
  const float inf = INFINITY, nan = NAN;
  const std::vector<float> values{0,      -0.0f,   inf,   -inf,   nan,  88,    89,   -87,  -104,
                                  1e-40f, -1e-40f, 1e38f, -1e38f, 0.5f, -0.5f, 3e9f, -3e9f};
  const auto n = static_cast<int64_t>(values.size());
  const std::string t = Tensor({n});
  for (const char* op :
       {"exp", "log", "tanh", "sigmoid", "erf", "relu", "sqrt", "rsqrt", "sign", "floor", "abs"}) {
    auto kernel =
        VulkanKernel::Compile("fused", StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.",
                                              op, " %a : ", t, "\n return %0 : ", t, "}"));
    ASSERT_OK(kernel);
    (*kernel)->ExpectMatches({HostTensor::F32({n}, values)}, 1e-6);
  }
  auto kernel = VulkanKernel::Compile(
      "fused",
      StrCat("func.func @f(%a: ", t, ") -> ", Tensor({n}, "i32"), " { %0 = trama.cast %a : ", t,
             " -> ", Tensor({n}, "i32"), "\n return %0 : ", Tensor({n}, "i32"), "}"));
  ASSERT_OK(kernel);
  (*kernel)->ExpectMatches({HostTensor::F32({n}, values)}, 0);
}
std::string Adam(const Sizes& shape, bool decoupled) {
  const std::string t = Tensor(shape), s = "tensor<f32>";
  return StrCat("func.func @f(%p: ", t, ", %g: ", t, ", %m: ", t, ", %v: ", t, ", %lr: ", s,
                ", %scale: ", s, ", %c1: ", s, ", %c2: ", s, ", %apply: tensor<i1>) -> (", t, ", ",
                t, ", ", t, ") {\n %0:3 = trama.adam %p, %g, %m, %v lr %lr scale %scale ",
                "corrections %c1, %c2 apply %apply {beta1 = 0.9 : f64, beta2 = 0.99 : f64, eps = ",
                "1.0e-8 : f64, weight_decay = 0.1 : f64", decoupled ? ", decoupled" : "", "} : ", t,
                ", ", t, ", ", t, ", ", t,
                ", tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<i1>\n return ",
                "%0#0, %0#1, %0#2 : ", t, ", ", t, ", ", t, "\n}");
}

TEST(VulkanFusedTest, Adam) {
  for (const Sizes& shape : {Sizes{}, {1}, {7}, {33, 5}, {128, 130}})
    for (bool decoupled : {false, true})
      // The new parameter and moments lie where the old ones do.
      for (bool in_place : {false, true})
        ExpectKernelMatches("adam", Adam(shape, decoupled), 2e-5, 0.1, 1,
                            in_place
                                ? std::vector<std::pair<size_t, size_t>>{{0, 0}, {1, 2}, {2, 3}}
                                : std::vector<std::pair<size_t, size_t>>{});
}

TEST(VulkanFusedTest, AdamKeepsEverythingWhereItMayNotApply) {
  auto kernel = VulkanKernel::Compile("adam", Adam({37}, true));
  ASSERT_OK(kernel);
  auto inputs = (*kernel)->RandomInputs(3, 0.1, 1);
  inputs[8].set(0, 0);
  ASSERT_OK_AND_ASSIGN(auto results, (*kernel)->Run(inputs));
  EXPECT_EQ(results[0].bytes, inputs[0].bytes);
  EXPECT_EQ(results[1].bytes, inputs[2].bytes);
  EXPECT_EQ(results[2].bytes, inputs[3].bytes);
}

TEST(VulkanFusedTest, Sgd) {
  for (const char* momentum : {"0.0", "0.9"}) {
    const std::string t = Tensor({19, 3});
    ExpectKernelMatches(
        "sgd",
        StrCat("func.func @f(%p: ", t, ", %g: ", t, ", %b: ", t,
               ", %lr: tensor<f32>, %s: tensor<f32>, %apply: tensor<i1>) -> (", t, ", ", t,
               ") {\n %0:2 = trama.sgd %p, %g, %b lr %lr scale %s apply %apply {momentum = ",
               momentum, " : f64, weight_decay = 0.01 : f64} : ", t, ", ", t, ", ", t,
               ", tensor<f32>, tensor<f32>, tensor<i1>\n return %0#0, %0#1 : ", t, ", ", t, "\n}"));
  }
}

TEST(VulkanFusedTest, SquareSum) {
  const std::string a = Tensor({3, 5}), b = Tensor({40000}), c = Tensor({}), d = Tensor({2, 16384});
  ExpectKernelMatches(
      "square_sum", StrCat("func.func @f(%a: ", a, ", %b: ", b, ", %c: ", c, ", %d: ", d,
                           ") -> tensor<f32> {\n %0 = trama.square_sum %a, %b, %c, %d : ", a, ", ",
                           b, ", ", c, ", ", d, "\n return %0 : tensor<f32>\n}"));
  // What follows it makes it a fused kernel.
  ExpectKernelMatches(
      "square_sum",
      StrCat("func.func @f(%a: ", a, ") -> tensor<f32> {\n %0 = trama.square_sum ", "%a : ", a,
             "\n %1 = trama.sqrt %0 : tensor<f32>\n return %1 : ", "tensor<f32>\n}"));
}

// Many operands of a few sizes: folded in several rounds.
TEST(VulkanFusedTest, SquareSumOfManyOperands) {
  std::string arguments, names, types;
  for (int i = 0; i < 37; ++i) {
    const std::string t = Tensor({i % 3 == 0 ? 40000 : 5, i % 5 == 0 ? 3 : 4});
    absl::StrAppend(&arguments, i ? ", " : "", "%a", i, ": ", t);
    absl::StrAppend(&names, i ? ", " : "", "%a", i);
    absl::StrAppend(&types, i ? ", " : "", t);
  }
  ExpectKernelMatches(
      "square_sum",
      StrCat("func.func @f(", arguments, ") -> tensor<f32> {\n %0 = ", "trama.square_sum ", names,
             " : ", types, "\n return %0 : tensor<f32>\n}"),
      1e-5);
}

// As in a small model's whole training step.
TEST(VulkanFusedTest, ManyOperandsAndResults) {
  const std::string t = Tensor({4, 9});
  std::string arguments, results, ops, names;
  constexpr int kCount = 90;
  for (int i = 0; i < kCount; ++i) {
    absl::StrAppend(&arguments, i ? ", " : "", "%a", i, ": ", t);
    absl::StrAppend(&results, i ? ", " : "", t);
    absl::StrAppend(&ops, "%b", i, " = trama.sub %a", i, ", %a", (i + 1) % kCount, " : ", t, ", ",
                    t, "\n");
    absl::StrAppend(&names, i ? ", " : "", "%b", i);
  }
  ExpectKernelMatches("fused", StrCat("func.func @f(", arguments, ") -> (", results, ") {\n", ops,
                                      "return ", names, " : ", results, "\n}"));
  std::string sum = "%a0";
  ops.clear();
  for (int i = 1; i < kCount; ++i) {
    absl::StrAppend(&ops, "%s", i, " = trama.add ", sum, ", %a", i, " : ", t, ", ", t, "\n");
    sum = StrCat("%s", i);
  }
  // One expression of them all.
  ExpectKernelMatches("fused", StrCat("func.func @f(", arguments, ") -> ", t, " {\n", ops,
                                      "return ", sum, " : ", t, "\n}"));
}

}  // namespace
}  // namespace trama::vulkan
