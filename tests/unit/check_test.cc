// check:A,B on plans that each of the wrong backends gets wrong.
#include "backends/check/compare.h"
#include "backends/conformance/plan_memory.h"
#include "backends/conformance/trial.h"
#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/Parser/Parser.h"
#include "tests/paths.h"

namespace trama {
namespace {

using conformance::LoadedPlan;

constexpr char kProgram[] = R"(
  func.func @step(
      %w: tensor<6x5xf32> {trama.name = "w", trama.role = "parameter"},
      %x: tensor<4x5xf32> {trama.name = "x", trama.role = "input"},
      %row: tensor<6xf32> {trama.name = "row", trama.role = "input"},
      %q: tensor<1x2x3x2xf32> {trama.name = "q", trama.role = "input"},
      %mask: tensor<1x3xi1> {trama.name = "mask", trama.role = "input"})
      -> (tensor<6x5xf32> {trama.name = "w", trama.donates = 0 : i64},
          tensor<4xi32> {trama.name = "best"},
          tensor<4xf32> {trama.name = "total"},
          tensor<1x2x3x2xf32> {trama.name = "mixed"}) {
    %0 = trama.matmul %x, %w transposed : tensor<4x5xf32>, tensor<6x5xf32>
    %1 = trama.add %0, %row : tensor<4x6xf32>, tensor<6xf32>
    %2 = trama.slice %1 starts = [0, 1] strides = [1, 2] : tensor<4x6xf32> -> tensor<4x2xf32>
    %total = trama.sum %2 dims = [1] : tensor<4x2xf32>
    %3 = trama.sign %0 : tensor<4x6xf32>
    %best = trama.argmax %3 dim = 1 : tensor<4x6xf32>
    %mixed, %lse = trama.attention %q, %q, %q key_mask %mask : tensor<1x3xi1> scale = 1.0
      : tensor<1x2x3x2xf32>, tensor<1x2x3x2xf32>, tensor<1x2x3x2xf32>
    %5 = trama.mul %w, %w : tensor<6x5xf32>, tensor<6x5xf32>
    %6 = trama.sub %w, %5 : tensor<6x5xf32>, tensor<6x5xf32>
    return %6, %best, %total, %mixed
      : tensor<6x5xf32>, tensor<4xi32>, tensor<4xf32>, tensor<1x2x3x2xf32>
  })";

HostTensor Values(Shape shape, int seed) {
  HostTensor tensor(DType::kF32, std::move(shape));
  for (int64_t i = 0; i < tensor.num_elements(); ++i)
    tensor.set(i, std::sin(0.7 * static_cast<double>(i) + seed));
  return tensor;
}

// Two runs of kProgram with different inputs, each op a kernel.
absl::StatusOr<std::vector<HostTensor>> RunTwice(const std::string& backend,
                                                 std::map<std::string, std::string> more = {}) {
  DeviceOptions options;
  options.plugin_path = TRAMA_BINARY_DIR "/tests/plugins";
  options.more = std::move(more);
  TRAMA_ASSIGN_OR_RETURN(Device device, Device::Open(backend, options));
  mlir::MLIRContext context;
  LoadDialects(context);
  auto module =
      mlir::parseSourceString<mlir::ModuleOp>(kProgram, mlir::ParserConfig(&context), "model.h");
  if (!module) return absl::InvalidArgumentError("does not parse");
  DeviceTarget target = device.target();
  target.compiles_bodies = false;
  TRAMA_ASSIGN_OR_RETURN(plan::Plan plan, conformance::PlanOf(*module, target));
  TRAMA_ASSIGN_OR_RETURN(LoadedPlan loaded, LoadedPlan::Make(device, std::move(plan)));
  TRAMA_RETURN_IF_ERROR(loaded.WriteInput(0, "w", Values({6, 5}, 1)));
  for (int run = 0; run < 2; ++run) {
    TRAMA_RETURN_IF_ERROR(loaded.WriteInput(0, "x", Values({4, 5}, 2 + run)));
    TRAMA_RETURN_IF_ERROR(loaded.WriteInput(0, "row", Values({6}, 3 + run)));
    TRAMA_RETURN_IF_ERROR(loaded.WriteInput(0, "q", Values({1, 2, 3, 2}, 4 + run)));
    TRAMA_RETURN_IF_ERROR(
        loaded.WriteInput(0, "mask", HostTensor::Of<uint8_t>(DType::kBool, {1, 3}, {1, 0, 1})));
    TRAMA_RETURN_IF_ERROR(loaded.Run(0));
  }
  std::vector<HostTensor> values;
  for (const char* name : {"w", "best", "total", "mixed"}) {
    TRAMA_ASSIGN_OR_RETURN(values.emplace_back(), loaded.ReadValue(0, name));
  }
  return values;
}

TEST(CheckTest, LeavesTheResultsOfTheFirst) {
  ASSERT_OK_AND_ASSIGN(const auto want, RunTwice("reference"));
  ASSERT_OK_AND_ASSIGN(const auto got, RunTwice("check:reference,reference"));
  for (size_t i = 0; i < want.size(); ++i) EXPECT_EQ(got[i].bytes, want[i].bytes) << i;
}

TEST(CheckTest, NeedsTwoBackends) {
  EXPECT_THAT(Device::Open("check:reference"),
              StatusIs(absl::StatusCode::kInvalidArgument, "check:reference,cpu"));
  EXPECT_THAT(Device::Open("check"),
              StatusIs(absl::StatusCode::kInvalidArgument, "check:reference,cpu"));
  EXPECT_THAT(Device::Open("check:reference,refrence"),
              StatusIs(absl::StatusCode::kNotFound, "did you mean reference?"));
}

TEST(CheckTest, TolerancesCanBeGiven) {
  EXPECT_THAT(RunTwice("check:reference,wrong_half"),
              StatusIs(absl::StatusCode::kInternal, "check: dispatch"));
  EXPECT_OK(RunTwice("check:reference,wrong_half", {{"rtol", "1e-2"}, {"atol", "1e-2"}}));
  EXPECT_THAT(RunTwice("check:reference,reference", {{"rtol", "few"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "rtol=few is no tolerance"));
}

struct Wrong {
  std::string backend, kernel;
};
void PrintTo(const Wrong& wrong, std::ostream* os) { *os << wrong.backend; }

class CheckWrongTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(CheckWrongTest, NamesKernelPlaceAndElement) {
  const auto& [backend, kernel] = GetParam();
  const absl::Status status = RunTwice("check:reference," + backend).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()),
              testing::MatchesRegex("check: dispatch [0-9]+ " + kernel +
                                    " \\(.*model.h:[0-9]+\\): .*element \\[[0-9,]+\\]: reference "
                                    "[^,]+, " +
                                    backend + " .+"));
}

INSTANTIATE_TEST_SUITE_P(
    AllTen, CheckWrongTest,
    testing::Values(Wrong{"wrong_sum", "[a-z ]*sum"}, Wrong{"wrong_unwritten", "[a-z ]+"},
                    Wrong{"wrong_mask", "attention"}, Wrong{"wrong_stale", "[a-z ]+"},
                    Wrong{"wrong_tie", "[a-z ]*argmax"}, Wrong{"wrong_axis", "[a-z ]*add"},
                    Wrong{"wrong_transpose", "matmul"}, Wrong{"wrong_slice", "[a-z ]*slice"},
                    Wrong{"wrong_state", "[a-z ]+"}, Wrong{"wrong_half", "[a-z ]+"}),
    [](const auto& info) { return info.param.backend; });

TEST(CompareTest, NaNInOneIsADifference) {
  const Tolerance tolerance = ToleranceOf(DType::kF32);
  const HostTensor want = HostTensor::F32({2, 2}, {1, NAN, INFINITY, 1e-3f});
  EXPECT_FALSE(FindDifference(want, want, tolerance));
  EXPECT_FALSE(
      FindDifference(HostTensor::F32({2, 2}, {1.00005f, NAN, INFINITY, 1e-3f}), want, tolerance));
  const auto nan =
      FindDifference(HostTensor::F32({2, 2}, {NAN, NAN, INFINITY, 1e-3f}), want, tolerance);
  ASSERT_TRUE(nan);
  EXPECT_EQ(nan->element, 0);
  const auto number =
      FindDifference(HostTensor::F32({2, 2}, {1, 1, INFINITY, 1e-3f}), want, tolerance);
  ASSERT_TRUE(number);
  EXPECT_EQ(number->element, 1);
  EXPECT_TRUE(FindDifference(HostTensor::F32({2, 2}, {1, NAN, 3e38f, 1e-3f}), want, tolerance));
  EXPECT_EQ(IndexText(3, {2, 2}), "[1,1]");
  EXPECT_EQ(IndexText(0, {}), "[]");
}

TEST(CompareTest, NoRoundingMakesANumberInfinite) {
  const HostTensor want = HostTensor::F32({2}, {3, INFINITY});
  HostTensor rounding(DType::kF64, {2});
  for (int i : {0, 1}) rounding.set(i, INFINITY);
  for (const float wrong : {INFINITY, -INFINITY, NAN}) {
    const auto difference = FindDifference(HostTensor::F32({2}, {wrong, INFINITY}), want,
                                           ToleranceOf(DType::kF32), &rounding);
    ASSERT_TRUE(difference) << wrong;
    EXPECT_EQ(difference->element, 0);
  }
  const auto finite =
      FindDifference(HostTensor::F32({2}, {3, 3e38f}), want, ToleranceOf(DType::kF32), &rounding);
  ASSERT_TRUE(finite);
  EXPECT_EQ(finite->element, 1);
}

TEST(CompareTest, RoundingIsAllowedElementByElement) {
  const HostTensor want = HostTensor::F32({2}, {1e-3f, 1e-3f});
  const HostTensor got = HostTensor::F32({2}, {1.002e-3f, 1.002e-3f});
  HostTensor rounding(DType::kF64, {2});
  rounding.set(0, 1e-5);
  const auto difference = FindDifference(got, want, ToleranceOf(DType::kF32), &rounding);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->element, 1);
  rounding.set(1, 1e-5);
  EXPECT_FALSE(FindDifference(got, want, ToleranceOf(DType::kF32), &rounding));
}

}  // namespace
}  // namespace trama
