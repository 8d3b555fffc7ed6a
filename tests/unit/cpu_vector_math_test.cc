// The polynomials of backends/codegen/vector_math.h against libm's double precision.
#include <bit>

#include "tests/unit/cpu_test_util.h"

namespace trama::cpu {
namespace {

// The distance of `got` from `want` in units of the last place of a float near `want`.
double Ulp(float got, double want) {
  const double magnitude = std::max(std::abs(want), 0x1p-126);
  return std::abs(got - want) / std::ldexp(1.0, std::ilogb(magnitude) - 23);
}

// The largest error of `op` over a million points of [low, high].
double LargestError(const std::string& op, double low, double high, double (*want)(double)) {
  constexpr int64_t kPoints = 1 << 20;
  const std::string t = Tensor({kPoints});
  auto kernel =
      CpuKernel::Compile("fused", absl::StrCat("func.func @f(%a: ", t, ") -> ", t, " { %0 = trama.",
                                               op, " %a : ", t, "\n return %0 : ", t, "}"));
  EXPECT_OK(kernel);
  std::vector<float> x(kPoints);
  for (int64_t i = 0; i < kPoints; ++i)
    x[i] = static_cast<float>(low + (high - low) * static_cast<double>(i) / (kPoints - 1));
  auto results = (*kernel)->Run({HostTensor::F32({kPoints}, x)});
  double largest = 0;
  for (int64_t i = 0; i < kPoints; ++i)
    largest = std::max(largest, Ulp(results[0].data<float>()[i], want(x[i])));
  ::testing::Test::RecordProperty(op + "_ulp", absl::StrCat(largest));
  return largest;
}

TEST(CpuVectorMathTest, Exp) {
  const auto want = [](double x) { return std::exp(x); };
  EXPECT_LE(LargestError("exp", -87, 88.7, want), 1.1);
  EXPECT_LE(LargestError("exp", -1, 1, want), 1.1);
  EXPECT_LE(LargestError("exp", 88, 88.72283, want), 1.1);
  // Subnormal results are 0.
  EXPECT_LE(LargestError("exp", -87.3365, -87, want), 1.1);
  EXPECT_EQ(LargestError("exp", -1000, -104, [](double) { return 0.0; }), 0);
}

TEST(CpuVectorMathTest, Log) {
  const auto want = [](double x) { return std::log(x); };
  EXPECT_LE(LargestError("log", 1e-3, 4, want), 1.0);
  EXPECT_LE(LargestError("log", 1, 1e30, want), 1.0);
  EXPECT_LE(LargestError("log", 1e-44, 1e-38, want), 1.0);
}

TEST(CpuVectorMathTest, Tanh) {
  const auto want = [](double x) { return std::tanh(x); };
  EXPECT_LE(LargestError("tanh", -10, 10, want), 1.5);
  EXPECT_LE(LargestError("tanh", -0.7, 0.7, want), 1.5);
}

TEST(CpuVectorMathTest, Erf) {
  const auto want = [](double x) { return std::erf(x); };
  EXPECT_LE(LargestError("erf", -5, 5, want), 1.5);
  EXPECT_LE(LargestError("erf", -1, 1, want), 1.5);
}

TEST(CpuVectorMathTest, Sigmoid) {
  EXPECT_LE(LargestError("sigmoid", -80, 80, [](double x) { return 1 / (1 + std::exp(-x)); }), 2.5);
}

}  // namespace
}  // namespace trama::cpu
