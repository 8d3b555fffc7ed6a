// Fused kernels of the cpu backend against the interpreter: odd sizes, every kind of phase.
#include "tests/unit/cpu_test_util.h"
#include "tests/unit/fused_bodies.h"

namespace trama::cpu {
namespace {
using absl::StrCat;
using Sizes = std::vector<int64_t>;

class CpuFused : public testing::Test {
 protected:
  void Matches(const std::string& kind, const std::string& text, double tolerance = 1e-5,
               double low = -2, double high = 2) {
    ExpectKernelMatches(kind, text, tolerance, low, high);
  }
};
using CpuFusedTest = kernel_testing::FusedBodies<CpuFused>;

TEST_F(CpuFusedTest, Pointwise) { Pointwise(); }
TEST_F(CpuFusedTest, EveryUnary) { EveryUnary(); }
TEST_F(CpuFusedTest, Softmax) { Softmax(); }
TEST_F(CpuFusedTest, SoftmaxOverAnotherDimension) { SoftmaxOverAnotherDimension(); }
TEST_F(CpuFusedTest, SoftmaxOfScaledInputs) { SoftmaxOfScaledInputs(); }
TEST_F(CpuFusedTest, Broadcasts) { Broadcasts(); }
TEST_F(CpuFusedTest, ReductionsOverAnyDimensions) { ReductionsOverAnyDimensions(); }
TEST_F(CpuFusedTest, LargeReductionsAreCutIntoChunks) { LargeReductionsAreCutIntoChunks(); }
TEST_F(CpuFusedTest, Argmax) { Argmax(); }
TEST_F(CpuFusedTest, LayerNormAndItsGradient) { LayerNormAndItsGradient(); }
TEST_F(CpuFusedTest, BiasGradientWithTheGradientItSums) { BiasGradientWithTheGradientItSums(); }
TEST_F(CpuFusedTest, ViewsOfEveryKind) { ViewsOfEveryKind(); }
TEST_F(CpuFusedTest, PadAndConcat) { PadAndConcat(); }
TEST_F(CpuFusedTest, ConcatOfReductions) { ConcatOfReductions(); }
TEST_F(CpuFusedTest, Indexing) { Indexing(); }
TEST_F(CpuFusedTest, Constants) { Constants(); }
TEST_F(CpuFusedTest, Randomness) { Randomness(); }
TEST_F(CpuFusedTest, Casts) { Casts(); }
TEST_F(CpuFusedTest, SelectsAndLogic) { SelectsAndLogic(); }
TEST_F(CpuFusedTest, ManyPhases) { ManyPhases(); }
TEST_F(CpuFusedTest, ReductionsOfOtherRows) { ReductionsOfOtherRows(); }
TEST_F(CpuFusedTest, Sgd) { Sgd(); }
TEST_F(CpuFusedTest, SquareSum) { SquareSum(); }

TEST_F(CpuFusedTest, ElementTypes) {
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
  for (const char* op : {"exp", "tanh", "erf", "sigmoid", "gelu", "sin"}) {
    const std::string t = Tensor({21}, "f64");
    ExpectKernelMatches("fused",
                        StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.", op,
                               " %a : ", t, "\n return %0 : ", t, "}"),
                        1e-13);
  }
}

TEST_F(CpuFusedTest, RefusesWhatHasNoElements) {
  auto kernel = CpuKernel::Compile(
      "fused", R"(func.func @f(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>) -> tensor<2x4xf32> {
    %0 = trama.matmul %a, %b : tensor<2x3xf32>, tensor<3x4xf32>
    return %0 : tensor<2x4xf32>})");
  EXPECT_THAT(kernel, StatusIs(absl::StatusCode::kUnimplemented, "trama.matmul"));
}

// Special values go where they go in libm.
TEST_F(CpuFusedTest, SpecialValues) {
  const float inf = INFINITY, nan = NAN;
  const std::vector<float> values{0,      -0.0f,   inf,   -inf,   nan,  88,    89,   -87,  -104,
                                  1e-40f, -1e-40f, 1e38f, -1e38f, 0.5f, -0.5f, 3e9f, -3e9f};
  const auto n = static_cast<int64_t>(values.size());
  const std::string t = Tensor({n});
  for (const char* op :
       {"exp", "log", "tanh", "sigmoid", "erf", "relu", "sqrt", "rsqrt", "sign", "floor", "abs"}) {
    auto kernel =
        CpuKernel::Compile("fused", StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.", op,
                                           " %a : ", t, "\n return %0 : ", t, "}"));
    ASSERT_OK(kernel);
    (*kernel)->ExpectMatches({HostTensor::F32({n}, values)}, 1e-6);
  }
  auto kernel =
      CpuKernel::Compile("fused", StrCat("func.func @f(%a: ", t, ") -> ", Tensor({n}, "i32"),
                                         " { %0 = trama.cast %a : ", t, " -> ", Tensor({n}, "i32"),
                                         "\n return %0 : ", Tensor({n}, "i32"), "}"));
  ASSERT_OK(kernel);
  (*kernel)->ExpectMatches({HostTensor::F32({n}, values)}, 0);
}
// The code for machines without AVX-512, which this one runs too.
TEST_F(CpuFusedTest, OlderMachines) {
#if defined(__x86_64__)
  for (const char* cpu : {"x86-64", "x86-64-v2", "x86-64-v3"}) {
    auto kernel = CpuKernel::Compile(
        "fused",
        R"(func.func @f(%a: tensor<7x37xf32>, %b: tensor<37xf32>, %m: tensor<7x37xi1>) -> (tensor<7x37xf32>, tensor<37xf32>, tensor<7x37xf32>) {
      %0 = trama.gelu %a tanh : tensor<7x37xf32>
      %1 = trama.add %0, %b : tensor<7x37xf32>, tensor<37xf32>
      %2 = trama.softmax %1 dim = 1 : tensor<7x37xf32>
      %3 = trama.sum %a dims = [0] : tensor<7x37xf32>
      %4 = trama.select %m, %a, %1 : tensor<7x37xi1>, tensor<7x37xf32>, tensor<7x37xf32>
      return %2, %3, %4 : tensor<7x37xf32>, tensor<37xf32>, tensor<7x37xf32>})",
        2, cpu);
    ASSERT_TRUE(kernel.ok()) << cpu << " " << kernel.status().ToString();
    (*kernel)->ExpectMatches((*kernel)->RandomInputs(11), 1e-5);
  }
#endif
}

}  // namespace
}  // namespace trama::cpu
