// Fused kernels of the vulkan backend against the interpreter: odd sizes, every kind of phase.
#include <cmath>

#include "tests/unit/fused_bodies.h"
#include "tests/unit/vulkan_test_util.h"

namespace trama::vulkan {
namespace {
using absl::StrCat;
using Sizes = std::vector<int64_t>;

class VulkanFused : public testing::Test {
 protected:
  void Matches(const std::string& kind, const std::string& text, double tolerance = 1e-5,
               double low = -2, double high = 2) {
    ExpectKernelMatches(kind, text, tolerance, low, high);
  }
};
using VulkanFusedTest = kernel_testing::FusedBodies<VulkanFused>;

TEST_F(VulkanFusedTest, Pointwise) { Pointwise(); }
TEST_F(VulkanFusedTest, EveryUnary) { EveryUnary(); }
TEST_F(VulkanFusedTest, Softmax) { Softmax(); }
TEST_F(VulkanFusedTest, SoftmaxOverAnotherDimension) { SoftmaxOverAnotherDimension(); }
TEST_F(VulkanFusedTest, SoftmaxOfScaledInputs) { SoftmaxOfScaledInputs(); }
TEST_F(VulkanFusedTest, Broadcasts) { Broadcasts(); }
TEST_F(VulkanFusedTest, ReductionsOverAnyDimensions) { ReductionsOverAnyDimensions(); }
TEST_F(VulkanFusedTest, LargeReductionsAreCutIntoChunks) { LargeReductionsAreCutIntoChunks(); }
TEST_F(VulkanFusedTest, Argmax) { Argmax(); }
TEST_F(VulkanFusedTest, LayerNormAndItsGradient) { LayerNormAndItsGradient(); }
TEST_F(VulkanFusedTest, BiasGradientWithTheGradientItSums) { BiasGradientWithTheGradientItSums(); }
TEST_F(VulkanFusedTest, ViewsOfEveryKind) { ViewsOfEveryKind(); }
TEST_F(VulkanFusedTest, PadAndConcat) { PadAndConcat(); }
TEST_F(VulkanFusedTest, ConcatOfReductions) { ConcatOfReductions(); }
TEST_F(VulkanFusedTest, Indexing) { Indexing(); }
TEST_F(VulkanFusedTest, Constants) { Constants(); }
TEST_F(VulkanFusedTest, Randomness) { Randomness(); }
TEST_F(VulkanFusedTest, Casts) { Casts(); }
TEST_F(VulkanFusedTest, SelectsAndLogic) { SelectsAndLogic(); }
TEST_F(VulkanFusedTest, ManyPhases) { ManyPhases(); }
TEST_F(VulkanFusedTest, ReductionsOfOtherRows) { ReductionsOfOtherRows(); }
TEST_F(VulkanFusedTest, Sgd) { Sgd(); }
TEST_F(VulkanFusedTest, SquareSum) { SquareSum(); }

// More rows than a grid's first dimension has workgroups, a vocabulary, and more than an invocation
// of a driver on a processor may loop over.
TEST_F(VulkanFusedTest, ManyAndLongRows) {
  for (const Sizes& shape : {Sizes{70000, 40}, {2, 50257}, {16, 120000}, {2, 600000}}) {
    const std::string t = Tensor(shape);
    ExpectKernelMatches(
        "fused", StrCat("func.func @f(%a: ", t, ") -> ", t,
                        " { %0 = trama.softmax %a dim = 1 : ", t, "\n return %0 : ", t, "}"));
  }
}

TEST_F(VulkanFusedTest, LongColumns) {
  const std::string t = Tensor({70000, 64}), row = Tensor({64});
  // A sum of 70,000 numbers up to 2, rounded at some hundreds.
  ExpectKernelMatches("fused",
                      StrCat("func.func @f(%a: ", t, ") -> ", row,
                             " { %0 = trama.sum %a dims = [0] : ", t, "\n return %0 : ", row, "}"),
                      /*tolerance=*/1e-3);
}

TEST_F(VulkanFusedTest, NoElements) {
  ExpectKernelMatches(
      "fused",
      R"(func.func @f(%a: tensor<0x3xf32>, %b: tensor<5xf32>) -> (tensor<0x3xf32>, tensor<5xf32>) {
    %0 = trama.neg %a : tensor<0x3xf32>
    %1 = trama.neg %b : tensor<5xf32>
    return %0, %1 : tensor<0x3xf32>, tensor<5xf32>})");
}

TEST_F(VulkanFusedTest, ElementTypes) {
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

TEST_F(VulkanFusedTest, RefusesWhatHasNoElements) {
  auto kernel = VulkanKernel::Compile(
      "fused", R"(func.func @f(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>) -> tensor<2x4xf32> {
    %0 = trama.matmul %a, %b : tensor<2x3xf32>, tensor<3x4xf32>
    return %0 : tensor<2x4xf32>})");
  EXPECT_THAT(kernel, StatusIs(absl::StatusCode::kUnimplemented, "trama.matmul"));
}

// Special values go where they go in libm.
TEST_F(VulkanFusedTest, SpecialValues) {
  const float inf = INFINITY, nan = NAN;
  // No subnormal numbers: Vulkan lets a device take them for 0.
  const std::vector<float> values{0,      -0.0f,   inf,   -inf,   nan,  88,    89,   -87,  -104,
                                  2e-38f, -2e-38f, 1e38f, -1e38f, 0.5f, -0.5f, 3e9f, -3e9f};
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
TEST_F(VulkanFusedTest, Adam) {
  for (const Sizes& shape : {Sizes{}, {1}, {7}, {33, 5}, {128, 130}})
    for (bool decoupled : {false, true})
      // The new parameter and moments lie where the old ones do.
      for (bool in_place : {false, true})
        ExpectKernelMatches("adam", kernel_testing::Adam(shape, decoupled), 2e-5, 0.1, 1,
                            in_place
                                ? std::vector<std::pair<size_t, size_t>>{{0, 0}, {1, 2}, {2, 3}}
                                : std::vector<std::pair<size_t, size_t>>{});
}

TEST_F(VulkanFusedTest, AdamKeepsEverythingWhereItMayNotApply) {
  auto kernel = VulkanKernel::Compile("adam", kernel_testing::Adam({37}, true));
  ASSERT_OK(kernel);
  auto inputs = (*kernel)->RandomInputs(3, 0.1, 1);
  inputs[8].set(0, 0);
  ASSERT_OK_AND_ASSIGN(auto results, (*kernel)->Run(inputs));
  EXPECT_EQ(results[0].bytes, inputs[0].bytes);
  EXPECT_EQ(results[1].bytes, inputs[2].bytes);
  EXPECT_EQ(results[2].bytes, inputs[3].bytes);
}

// Many operands of a few sizes: folded in several rounds.
TEST_F(VulkanFusedTest, SquareSumOfManyOperands) {
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
TEST_F(VulkanFusedTest, ManyOperandsAndResults) {
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

// Updates of many parameters in place, as Adam's: beyond what one shader takes, but the new moment
// and the new parameter both read the old moment.
TEST_F(VulkanFusedTest, ManyUpdatesInPlace) {
  const std::string t = Tensor({3});
  std::string arguments, results, ops, names;
  std::vector<std::pair<size_t, size_t>> in_place;
  constexpr size_t kCount = 40;
  for (size_t i = 0; i < kCount; ++i) {
    absl::StrAppend(&arguments, i ? ", " : "", "%w", i, ": ", t, ", %m", i, ": ", t, ", %g", i,
                    ": ", t);
    absl::StrAppend(&results, i ? ", " : "", t, ", ", t);
    const std::string types = StrCat(" : ", t, ", ", t, "\n");
    absl::StrAppend(&ops, "%n", i, " = trama.add %m", i, ", %g", i, types, "%u", i,
                    " = trama.sub %w", i, ", %n", i, types);
    absl::StrAppend(&names, i ? ", " : "", "%n", i, ", %u", i);
    in_place.insert(in_place.end(), {{2 * i, 3 * i + 1}, {2 * i + 1, 3 * i}});
  }
  ExpectKernelMatches("fused",
                      StrCat("func.func @f(", arguments, ") -> (", results, ") {\n", ops, "return ",
                             names, " : ", results, "\n}"),
                      1e-5, -2, 2, in_place);
}

}  // namespace
}  // namespace trama::vulkan
