#include "backends/reference/rounding.h"

#include <cmath>

#include "backends/reference/interpreter.h"
#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "tests/program_values.h"
#include "tests/random_program.h"

namespace trama::reference {
namespace {

constexpr double kUnit = 0x1p-24;  // of f32

TEST(RoundingTest, ASumThatCancelsIsOffByWhatItSums) {
  ASSERT_OK_AND_ASSIGN(const auto errors,
                       RoundingErrors(R"(func.func @k(%x: tensor<2x4xf32>) -> tensor<2xf32> {
    %0 = trama.sum %x dims = [1] : tensor<2x4xf32>
    return %0 : tensor<2xf32> })",
                                      {HostTensor::F32({2, 4}, {1, 1e6, -1e6, 2, 1, 2, 3, 4})}));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].dtype, DType::kF64);
  EXPECT_DOUBLE_EQ(errors[0].at(0), 2 * kUnit * 2000003);  // sqrt(4 terms)
  EXPECT_DOUBLE_EQ(errors[0].at(1), 2 * kUnit * 10);
}

TEST(RoundingTest, AProductOfMatricesToo) {
  ASSERT_OK_AND_ASSIGN(
      const auto errors,
      RoundingErrors(
          R"(func.func @k(%a: tensor<4x1xf32>, %b: tensor<1x4xf32>) -> tensor<1x1xf32> {
    %0 = trama.matmul %a transposed, %b transposed : tensor<4x1xf32>, tensor<1x4xf32>
    return %0 : tensor<1x1xf32> })",
          {HostTensor::F32({4, 1}, {3, -2, 5, 0}), HostTensor::F32({1, 4}, {1, 4, 1, 9})}));
  EXPECT_DOUBLE_EQ(errors[0].at(0), 2 * kUnit * 16);
}

// exp(x - lse) - 1 near 0: what is left of two numbers of 1 and of an lse of 13.
TEST(RoundingTest, FollowsErrorsThroughADifference) {
  ASSERT_OK_AND_ASSIGN(const auto errors,
                       RoundingErrors(R"(func.func @k(%x: tensor<1x3xf32>) -> tensor<1x3xf32> {
    %0 = trama.constant dense<1.0> : tensor<f32>
    %max = trama.reduce_max %x dims = [1] keepdim : tensor<1x3xf32>
    %1 = trama.sub %x, %max : tensor<1x3xf32>, tensor<1x1xf32>
    %2 = trama.exp %1 : tensor<1x3xf32>
    %3 = trama.sum %2 dims = [1] keepdim : tensor<1x3xf32>
    %4 = trama.log %3 : tensor<1x1xf32>
    %lse = trama.add %max, %4 : tensor<1x1xf32>, tensor<1x1xf32>
    %5 = trama.sub %x, %lse : tensor<1x3xf32>, tensor<1x1xf32>
    %6 = trama.exp %5 : tensor<1x3xf32>
    %7 = trama.sub %6, %0 : tensor<1x3xf32>, tensor<f32>
    return %7 : tensor<1x3xf32> })",
                                      {HostTensor::F32({1, 3}, {13.25, 7.375, -8.25})}));
  EXPECT_GT(errors[0].at(0), 13 * kUnit);  // the result itself is -0.0028
  EXPECT_LT(errors[0].at(0), 20 * kUnit);
  EXPECT_LT(errors[0].at(2), 2 * kUnit);
}

TEST(RoundingTest, AMaskThatRoundingTurnsCounts) {
  // x + 2^-25 is above 1 and rounds to it; what is selected where it is not is far away.
  ASSERT_OK_AND_ASSIGN(
      const auto errors,
      RoundingErrors(
          R"(func.func @k(%x: tensor<2xf32>, %y: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xi1>) {
    %0 = trama.constant dense<1.0> : tensor<f32>
    %1 = trama.add %x, %y : tensor<2xf32>, tensor<2xf32>
    %2 = trama.compare gt %1, %0 : tensor<2xf32>, tensor<f32>
    %3 = trama.constant dense<7.0> : tensor<f32>
    %4 = trama.select %2, %3, %x : tensor<2xi1>, tensor<f32>, tensor<2xf32>
    return %4, %2 : tensor<2xf32>, tensor<2xi1> })",
          {HostTensor::F32({2}, {1, 2}), HostTensor::F32({2}, {0x1p-25f, 0x1p-25f})}));
  EXPECT_GE(errors[0].at(0), 6);
  EXPECT_LT(errors[0].at(1), 1e-6);
  EXPECT_EQ(errors[1].at(0), 1);
  EXPECT_EQ(errors[1].at(1), 0);
}

TEST(RoundingTest, InfinityThatIsMeantHasNoError) {
  const float inf = std::numeric_limits<float>::infinity();
  ASSERT_OK_AND_ASSIGN(const auto errors,
                       RoundingErrors(R"(func.func @k(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    %0 = trama.softmax %x dim = 1 : tensor<1x2xf32>
    return %0 : tensor<1x2xf32> })",
                                      {HostTensor::F32({1, 2}, {-inf, 3})}));
  EXPECT_EQ(errors[0].at(0), 0);
  EXPECT_LT(errors[0].at(1), 8 * kUnit);
}

TEST(RoundingTest, RefusesWhatDoesNotFit) {
  EXPECT_THAT(RoundingErrors("no body", {}),
              StatusIs(absl::StatusCode::kInvalidArgument, "does not parse"));
  EXPECT_THAT(RoundingErrors("func.func @k(%x: tensor<2xf32>) -> tensor<2xf32> {"
                             "  return %x : tensor<2xf32> }",
                             {HostTensor::F32({3}, {1, 2, 3})}),
              StatusIs(absl::StatusCode::kInvalidArgument, "argument 0"));
}

// Rounding after every op, composites taken apart, stays within twice the bound (which is of first
// order) and the last place of the types.
TEST(RoundingTest, BoundsWhatRoundingDoesToRandomPrograms) {
  mlir::MLIRContext context;
  LoadDialects(context);
  int64_t elements = 0;
  double sum_of_shares = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    auto module = RandomProgram(context, seed, {.float32 = true});
    auto main = module->lookupSymbol<mlir::func::FuncOp>("main");
    std::vector<HostTensor> inputs = RandomInputs(main, seed);
    for (HostTensor& input : inputs)
      if (IsFloat(input.dtype)) input = input.Cast(DType::kF32);
    std::string text;
    llvm::raw_string_ostream(text) << *module;
    ASSERT_OK_AND_ASSIGN(const auto errors, RoundingErrors(text, inputs));
    ASSERT_OK_AND_ASSIGN(const auto exact, Evaluate(main, inputs, {.float64 = true}));
    ASSERT_OK_AND_ASSIGN(const auto rounded,
                         Evaluate(main, inputs, {.prefer_decomposition = true}));
    for (size_t r = 0; r < exact.size(); ++r) {
      if (!IsFloat(rounded[r].dtype)) continue;
      for (int64_t i = 0; i < exact[r].num_elements(); ++i) {
        const double off = std::abs(rounded[r].at(i) - exact[r].at(i));
        const double bound = 2 * errors[r].at(i) + kUnit * std::abs(exact[r].at(i)) + 1e-30;
        if (std::isnan(off)) continue;
        EXPECT_LE(off, bound) << "seed " << seed << " result " << r << " element " << i;
        ++elements;
        sum_of_shares += off / bound;
      }
    }
  }
  EXPECT_GT(elements, 10000);
  EXPECT_GT(sum_of_shares / static_cast<double>(elements), 0.02);  // and no loose one
}

}  // namespace
}  // namespace trama::reference
