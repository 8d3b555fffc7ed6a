#include <set>

#include "backends/conformance/cases.h"
#include "backends/conformance/grade.h"
#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "tests/paths.h"

namespace trama::conformance {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kWrong = TRAMA_BINARY_DIR "/tests/plugins";

// The grades of a backend that failed, by name.
absl::StatusOr<std::map<std::string, std::string>> Failures(const std::string& backend,
                                                            const Options& options) {
  DeviceOptions device_options;
  device_options.plugin_path = kWrong;
  TRAMA_ASSIGN_OR_RETURN(Device device, Device::Open(backend, device_options));
  TRAMA_ASSIGN_OR_RETURN(const std::vector<Grade> grades, Run(device, options));
  std::map<std::string, std::string> failures;
  for (const Grade& grade : grades)
    if (!grade.passed()) failures[grade.name] = grade.failure;
  return failures;
}

TEST(ConformanceTest, EveryOpHasACase) {
  std::set<std::string> ops;
  for (const Case& c : AllCases()) ops.insert(c.op());
  mlir::MLIRContext context;
  LoadDialects(context);
  for (mlir::RegisteredOperationName op : context.getRegisteredOperations()) {
    if (op.getDialectNamespace() != "trama") continue;
    const std::string name = op.stripDialect().str();
    // A constant is copied into the kernels that read it; the other two are no kernels.
    if (name == "constant" || name == "dispatch" || name == "check_close") continue;
    EXPECT_TRUE(ops.contains(name)) << name;
  }
}

TEST(ConformanceTest, TheReferencePasses) {
  EXPECT_THAT(*Failures("reference", {}), IsEmpty());
  EXPECT_THAT(*Failures("reference", {.kernels = {}, .trials = 2, .seed = 12345}), IsEmpty());
}

TEST(ConformanceTest, RefusesNamesWithoutACase) {
  EXPECT_THAT(Failures("reference", {.kernels = {"matmull"}}),
              StatusIs(absl::StatusCode::kNotFound, "did you mean matmul?"));
}

TEST(ConformanceTest, ErrorsAreRelativeAndNeverNaN) {
  const HostTensor want = HostTensor::F32({3}, {100, 1, NAN});
  EXPECT_EQ(ErrorOf(want, want).value, 0);
  EXPECT_NEAR(ErrorOf(HostTensor::F32({3}, {101, 1, NAN}), want).value, 1.0 / 110, 1e-9);
  EXPECT_EQ(ErrorOf(HostTensor::F32({3}, {100, NAN, NAN}), want).worst, 1);
  EXPECT_FALSE(ErrorOf(HostTensor::F32({3}, {100, 1, 1}), want).value < 1e300);
}

// One way to be wrong, what conformance must say of it, and what must still pass.
struct Wrong {
  std::string backend, fails, says, passes;
};
void PrintTo(const Wrong& wrong, std::ostream* os) { *os << wrong.backend; }

class WrongBackendTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongBackendTest, FailsWithItsOpNamed) {
  const Wrong& wrong = GetParam();
  Options options;
  options.trials = 3;
  ASSERT_OK_AND_ASSIGN(const auto failures, Failures(wrong.backend, options));
  ASSERT_THAT(failures, Contains(testing::Key(wrong.fails)));
  EXPECT_THAT(failures.at(wrong.fails), HasSubstr(wrong.says));
  EXPECT_THAT(failures, Not(Contains(testing::Key(wrong.passes))));
}

INSTANTIATE_TEST_SUITE_P(
    AllTen, WrongBackendTest,
    testing::Values(Wrong{"wrong_sum", "sum", "sum %0 dims", "mean"},
                    Wrong{"wrong_unwritten", "exp", "is never written", "plan.memory"},
                    Wrong{"wrong_mask", "attention", "key_mask", "attention_grad"},
                    Wrong{"wrong_stale", "matmul", "stale: the first run's result", "plan.memory"},
                    Wrong{"wrong_tie", "argmax", "argmax %0 dim", "reduce_max"},
                    Wrong{"wrong_axis", "add", "add %0, %1", "sub"},
                    Wrong{"wrong_transpose", "matmul", "transposed", "linear"},
                    Wrong{"wrong_slice", "slice", "slice %0 starts", "pad"},
                    Wrong{"wrong_state", "plan.state", "state after run 2", "add"},
                    Wrong{"wrong_half", "exp", "exp %0", "iota"}),
    [](const auto& info) { return info.param.backend; });

}  // namespace
}  // namespace trama::conformance
