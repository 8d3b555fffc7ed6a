#include "backends/reference/interpreter.h"

#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/Parser/Parser.h"

namespace trama::reference {
namespace {

using ::testing::ElementsAre;

class InterpreterTest : public ::testing::Test {
 protected:
  InterpreterTest() { LoadDialects(context_); }

  // Evaluates @main of `text`.
  absl::StatusOr<std::vector<HostTensor>> Run(const std::string& text,
                                              const std::vector<HostTensor>& inputs,
                                              const EvaluateOptions& options = {}) {
    module_ = mlir::parseSourceString<mlir::ModuleOp>(text, &context_);
    if (!module_) return absl::InvalidArgumentError("does not parse");
    return Evaluate(module_->lookupSymbol<mlir::func::FuncOp>("main"), inputs, options);
  }

  std::vector<double> Values(const HostTensor& tensor) {
    std::vector<double> values;
    for (int64_t i = 0; i < tensor.num_elements(); ++i) values.push_back(tensor.at(i));
    return values;
  }

  mlir::MLIRContext context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
};

TEST_F(InterpreterTest, BroadcastsAndRoundsToTheType) {
  const std::string text =
      R"(func.func @main(%x: tensor<2x3xf32>, %y: tensor<3xf32>) -> tensor<2x3xf32> {
    %0 = trama.add %x, %y : tensor<2x3xf32>, tensor<3xf32>
    return %0 : tensor<2x3xf32> })";
  const std::vector<HostTensor> inputs = {HostTensor::F32({2, 3}, {1, 2, 3, 4, 5, 6}),
                                          HostTensor::F32({3}, {10, 20, 1e-9f})};
  ASSERT_OK_AND_ASSIGN(const auto rounded, Run(text, inputs));
  EXPECT_EQ(rounded[0].dtype, DType::kF32);
  EXPECT_THAT(Values(rounded[0]), ElementsAre(11, 22, 3, 14, 25, 6));
  ASSERT_OK_AND_ASSIGN(const auto exact, Run(text, inputs, {.float64 = true}));
  EXPECT_EQ(exact[0].dtype, DType::kF64);
  EXPECT_GT(exact[0].at(2), 3);
}

TEST_F(InterpreterTest, MultipliesEveryTransposedForm) {
  // a = [[1, 2, 3], [4, 5, 6]], b = [[1, 0], [0, 1], [1, 1]]: a b = [[4, 5], [10, 11]].
  const HostTensor a = HostTensor::F32({2, 3}, {1, 2, 3, 4, 5, 6});
  const HostTensor at = HostTensor::F32({3, 2}, {1, 4, 2, 5, 3, 6});
  const HostTensor b = HostTensor::F32({3, 2}, {1, 0, 0, 1, 1, 1});
  const HostTensor bt = HostTensor::F32({2, 3}, {1, 0, 1, 0, 1, 1});
  for (bool ta : {false, true})
    for (bool tb : {false, true}) {
      const std::string lhs = ta ? "tensor<3x2xf32>" : "tensor<2x3xf32>";
      const std::string rhs = tb ? "tensor<2x3xf32>" : "tensor<3x2xf32>";
      ASSERT_OK_AND_ASSIGN(const auto y,
                           Run("func.func @main(%a: " + lhs + ", %b: " + rhs +
                                   ") -> tensor<2x2xf32> {\n%0 = " + "trama.matmul %a" +
                                   (ta ? " transposed" : "") + ", %b" + (tb ? " transposed" : "") +
                                   " : " + lhs + ", " + rhs + "\nreturn %0 : tensor<2x2xf32> }",
                               {ta ? at : a, tb ? bt : b}));
      EXPECT_THAT(Values(y[0]), ElementsAre(4, 5, 10, 11)) << ta << tb;
    }
}

TEST_F(InterpreterTest, PicksTheLowestIndexOnATie) {
  ASSERT_OK_AND_ASSIGN(
      const auto y, Run(R"(func.func @main(%x: tensor<2x4xf32>) -> (tensor<2xi32>, tensor<4xi32>) {
        %0 = trama.argmax %x dim = 1 : tensor<2x4xf32>
        %1 = trama.argmax %x dim = 0 : tensor<2x4xf32>
        return %0, %1 : tensor<2xi32>, tensor<4xi32> })",
                        {HostTensor::F32({2, 4}, {1, 7, 7, 2, -3, -1, 9, 9})}));
  EXPECT_THAT(Values(y[0]), ElementsAre(1, 2));
  EXPECT_THAT(Values(y[1]), ElementsAre(0, 0, 1, 1));
}

TEST_F(InterpreterTest, RunsTheCalleeOfADispatch) {
  ASSERT_OK_AND_ASSIGN(
      const auto y,
      Run(R"(func.func private @k(%x: tensor<2xi32>) -> tensor<2xi32> attributes {trama.kind = "fused"} {
        %0 = trama.mul %x, %x : tensor<2xi32>, tensor<2xi32>
        return %0 : tensor<2xi32> }
      func.func @main(%x: tensor<2xi32>) -> tensor<2xi32> {
        %0 = trama.dispatch @k(%x) : (tensor<2xi32>) -> tensor<2xi32>
        return %0 : tensor<2xi32> })",
          {HostTensor::I32({2}, {3, 65536})}));
  EXPECT_THAT(Values(y[0]), ElementsAre(9, 0));  // 2^32 wraps
}

TEST_F(InterpreterTest, ChecksNameTheElement) {
  const std::string text = R"(func.func @main(%x: tensor<2x2xf32>, %y: tensor<2x2xf32>) {
    trama.check_close %x, %y {atol = 1.0e-3, rtol = 0.0} : tensor<2x2xf32>, tensor<2x2xf32>
    return })";
  const HostTensor got = HostTensor::F32({2, 2}, {1, 2, 3, NAN});
  const HostTensor want = HostTensor::F32({2, 2}, {1, 2, 3.5, NAN});
  EXPECT_THAT(Run(text, {got, want}),
              StatusIs(absl::StatusCode::kFailedPrecondition, "element [1,0] is 3, want 3.5"));
  std::vector<Mismatch> mismatches;
  ASSERT_OK(Run(text, {got, want}, {.mismatches = &mismatches}));
  ASSERT_EQ(mismatches.size(), 1);
  EXPECT_THAT(mismatches[0].index, ElementsAre(1, 0));
}

TEST_F(InterpreterTest, RefusesInputsThatDoNotFit) {
  const std::string text = "func.func @main(%x: tensor<2xf32>) { return }";
  EXPECT_THAT(Run(text, {HostTensor::F32({3}, {1, 2, 3})}),
              StatusIs(absl::StatusCode::kInvalidArgument, "argument 0 is 2 f32, not 3 f32"));
  EXPECT_THAT(Run(text, {}), StatusIs(absl::StatusCode::kInvalidArgument, "takes 1 arguments"));
}

TEST_F(InterpreterTest, RandomNumbersDependOnTheGlobalExample) {
  const auto uniform = [&](int rows, int first) {
    const std::string y = "tensor<" + std::to_string(rows) + "x3xf32>";
    return Run("func.func @main(%r: tensor<4xi32>) -> " + y + " {\n" +
                   "%0 = trama.random_uniform %r op_id = 5 : tensor<4xi32> -> " + y +
                   "\nreturn %0 : " + y + " }",
               {HostTensor::I32({4}, {7, 0, 3, first})});
  };
  ASSERT_OK_AND_ASSIGN(const auto all, uniform(4, 0));
  ASSERT_OK_AND_ASSIGN(const auto tail, uniform(2, 2));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(tail[0].at(i), all[0].at(6 + i));
  for (double u : Values(all[0])) EXPECT_TRUE(u >= 0 && u < 1) << u;
}

TEST_F(InterpreterTest, AttentionRowWithoutKeysIsZero) {
  ASSERT_OK_AND_ASSIGN(
      const auto y,
      Run(R"(func.func @main(%q: tensor<1x1x2x1xf32>, %m: tensor<1x2xi1>) -> tensor<1x1x2x1xf32> {
        %y, %lse = trama.attention %q, %q, %q key_mask %m : tensor<1x2xi1> scale = 1.0 causal
          : tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>
        return %y : tensor<1x1x2x1xf32> })",
          {HostTensor::F32({1, 1, 2, 1}, {4, 5}),
           HostTensor::Of<uint8_t>(DType::kBool, {1, 2}, {0, 1})}));
  EXPECT_THAT(Values(y[0]), ElementsAre(0, 5));
}

// Scores of 1e2 to 1e10, of which lse in f32 keeps seven digits: no weight can be read off it.
TEST_F(InterpreterTest, AttentionGradientsOfLargeScores) {
  const std::string text = R"(func.func @main(
      %g: tensor<1x2x5x3xf32>, %q: tensor<1x2x5x4xf32>, %v: tensor<1x2x5x3xf32>)
      -> (tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x3xf32>) {
    %y, %lse = trama.attention %q, %q, %v scale = 0.5 causal
      : tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x3xf32>
    %dq, %dk, %dv = trama.attention_grad %g, %y, %lse, %q, %q, %v scale = 0.5 causal
      : tensor<1x2x5x3xf32>, tensor<1x2x5x3xf32>, tensor<1x2x5xf32>, tensor<1x2x5x4xf32>,
        tensor<1x2x5x4xf32>, tensor<1x2x5x3xf32>
    return %dq, %dk, %dv : tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x3xf32> })";
  const auto values = [](Shape shape, double scale, int seed) {
    HostTensor tensor(DType::kF32, std::move(shape));
    for (int64_t i = 0; i < tensor.num_elements(); ++i)
      tensor.set(i, scale * std::sin(1.3 * static_cast<double>(i * i) + seed));
    return tensor;
  };
  for (const double scale : {1e1, 1e2, 1e3, 1e4, 1e5}) {
    const std::vector<HostTensor> inputs = {
        values({1, 2, 5, 3}, 1, 1), values({1, 2, 5, 4}, scale, 2), values({1, 2, 5, 3}, 1, 3)};
    ASSERT_OK_AND_ASSIGN(const auto exact, Run(text, inputs, {.float64 = true}));
    ASSERT_OK_AND_ASSIGN(const auto got, Run(text, inputs));
    for (int64_t i = 0; i < got[2].num_elements(); ++i)
      EXPECT_NEAR(got[2].at(i), exact[2].at(i), 1e-6) << scale << " element " << i;
    for (int r : {0, 1})
      for (int64_t i = 0; i < got[r].num_elements(); ++i)
        EXPECT_NEAR(got[r].at(i), exact[r].at(i), 1e-6 * scale) << scale << " element " << i;
  }
}

}  // namespace
}  // namespace trama::reference
