#include "backends/conformance/grade.h"

#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "backends/check/compare.h"
#include "backends/conformance/cases.h"
#include "backends/conformance/plan_checks.h"
#include "backends/conformance/plan_memory.h"
#include "backends/conformance/trial.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "ir/dialect.h"

namespace trama::conformance {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool Runs(const Device& device, const plan::Plan& plan) {
  if (device.target().compiles_bodies) return true;
  const std::vector<std::string>& has = device.info().kernels;
  return std::all_of(plan.kernels().begin(), plan.kernels().end(), [&](const auto& kernel) {
    return std::find(has.begin(), has.end(), kernel.op()) != has.end();
  });
}

// "" or what is wrong with the results of one run; raises grade.max_error.
absl::StatusOr<std::string> CompareResults(const Case& c, DType dtype, const LoadedPlan& loaded,
                                           const std::vector<HostTensor>& want, Grade& grade) {
  const auto contains = [](const std::vector<int>& results, size_t i) {
    return std::find(results.begin(), results.end(), static_cast<int>(i)) != results.end();
  };
  for (size_t i = 0; i < want.size(); ++i) {
    if (contains(c.unspecified, i)) continue;
    TRAMA_ASSIGN_OR_RETURN(const HostTensor got, loaded.ReadValue(0, absl::StrCat("y", i)));
    const Error error = ErrorOf(got, want[i]);
    grade.max_error = std::max(grade.max_error, error.value);
    const DType graded_as = contains(c.rounded, i) ? dtype : got.dtype;
    if (error.value <= AllowedError(graded_as) * c.num_ops()) continue;
    return absl::StrCat(
        want.size() > 1 ? absl::StrCat("result ", i, " ") : "", "element ",
        IndexText(error.worst, got.shape),
        IsScrambled(got, error.worst)
            ? std::string(" is never written")
            : absl::StrFormat(" is %.9g, want %.9g", got.at(error.worst), want[i].at(error.worst)));
  }
  return std::string();
}

// Runs one trial twice with different inputs, the first time over scrambled memory: what is not
// written shows then, and what is kept from the first run shows in the second.
absl::StatusOr<std::string> RunTrial(Device& device, const Case& c, DType dtype, const Trial& trial,
                                     plan::Plan plan, uint64_t seed, Grade& grade) {
  TRAMA_ASSIGN_OR_RETURN(LoadedPlan loaded, LoadedPlan::Make(device, std::move(plan)));
  TRAMA_RETURN_IF_ERROR(loaded.Scramble());
  std::vector<HostTensor> before;
  for (int run = 0; run < 2; ++run) {
    const std::vector<HostTensor> inputs = trial.Inputs(seed + run);
    for (const plan::Binding& binding : loaded.plan().programs(0).inputs()) {
      const int i = std::stoi(binding.name().substr(1));
      TRAMA_RETURN_IF_ERROR(loaded.Write(binding, inputs[i]));
    }
    TRAMA_RETURN_IF_ERROR(loaded.Run(0));
    TRAMA_ASSIGN_OR_RETURN(const std::vector<HostTensor> want, trial.Want(inputs));
    TRAMA_ASSIGN_OR_RETURN(std::string failure, CompareResults(c, dtype, loaded, want, grade));
    if (!failure.empty() && run == 1) {
      Grade unused;
      TRAMA_ASSIGN_OR_RETURN(const std::string stale,
                             CompareResults(c, dtype, loaded, before, unused));
      absl::StrAppend(&failure,
                      stale.empty() ? " (stale: the first run's result)" : " (in the second run)");
    }
    if (!failure.empty()) return failure;
    for (const plan::Binding& binding : loaded.plan().programs(0).inputs()) {
      TRAMA_ASSIGN_OR_RETURN(const HostTensor after, loaded.Read(binding));
      if (after.bytes != inputs[std::stoi(binding.name().substr(1))].bytes)
        return absl::StrCat("overwrites its operand ", binding.name().substr(1));
    }
    before = want;
  }
  return std::string();
}

std::vector<std::string> DTypesOf(const Device& device) {
  std::vector<std::string> dtypes = {"f32"};
  for (const std::string& feature : device.info().features)
    if (feature == "f64" || feature == "bf16" || feature == "f16") dtypes.push_back(feature);
  return dtypes;
}

bool HasFloats(const Case& c) {
  return absl::StrCat(c.text, absl::StrJoin(c.operands, " ")).find("f32") != std::string::npos;
}

absl::Status GradeCase(Device& device, const Case& c, const Options& options, uint64_t seed,
                       mlir::MLIRContext& context, Grade& grade) {
  for (const std::string& dtype : DTypesOf(device)) {
    if (dtype != "f32" && !HasFloats(c)) break;
    for (int i = 0; i < options.trials; ++i, seed += 2) {
      TRAMA_ASSIGN_OR_RETURN(const Trial trial, Trial::Make(c, seed, dtype, context));
      ++grade.trials;
      absl::StatusOr<plan::Plan> plan = trial.Plan(device.target());
      absl::StatusOr<std::string> failure = std::string();
      if (!plan.ok()) {
        failure = plan.status();
      } else if (!Runs(device, *plan)) {
        ++grade.skipped;
        continue;
      } else {
        failure = RunTrial(device, c, *DTypeFromName(dtype), trial, *std::move(plan), seed, grade);
      }
      const std::string what = failure.ok() ? *failure : failure.status().ToString();
      if (what.empty()) continue;
      grade.failure = absl::StrCat(trial.description(), ": ", what);
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNames(const std::vector<Case>& cases, const Options& options) {
  std::set<std::string> names = {"plan"};
  for (const Case& c : cases) names.insert(c.op());
  for (const std::string& name : options.kernels)
    if (!names.contains(name))
      return absl::NotFoundError(
          absl::StrCat("no case for \"", name, "\"",
                       DidYouMean(name, std::vector<std::string>(names.begin(), names.end()))));
  return absl::OkStatus();
}

}  // namespace

std::string Grade::ToString() const {
  if (!failure.empty()) return absl::StrCat("FAIL ", name, ": ", failure);
  if (trials == skipped) return absl::StrCat("SKIP ", name, ": the device lists no kernel for it");
  std::string text = absl::StrFormat("PASS %s: %d trials", name, trials - skipped);
  if (max_error > 0) absl::StrAppendFormat(&text, ", error %.1e", max_error);
  if (skipped) absl::StrAppendFormat(&text, ", %d skipped", skipped);
  return text;
}

Error ErrorOf(const HostTensor& got, const HostTensor& want) {
  const HostTensor rounded = want.Cast(got.dtype);  // where it overflows, so must the backend
  double max = 0;
  for (int64_t i = 0; i < want.num_elements(); ++i)
    if (std::isfinite(rounded.at(i))) max = std::max(max, std::abs(want.at(i)));
  Error error;
  for (int64_t i = 0; i < want.num_elements(); ++i) {
    const double a = got.at(i), b = rounded.at(i), exact = want.at(i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    double value = kInfinity;
    if (IsFloat(got.dtype) && std::isfinite(a) && std::isfinite(b))
      value = max == 0 ? kInfinity : std::abs(a - exact) / (std::abs(exact) + max / 10);
    if (value > error.value) error = {value, i};
  }
  return error;
}

double AllowedError(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 1e-5;
    case DType::kF64:
      return 1e-11;
    case DType::kBF16:
      return 3e-2;
    case DType::kF16:
      return 5e-3;
    default:
      return 0;
  }
}

absl::StatusOr<std::vector<Grade>> Run(Device& device, const Options& options,
                                       const std::function<void(const Grade&)>& report) {
  mlir::MLIRContext context;
  LoadDialects(context);
  const std::vector<Case> cases = AllCases();
  TRAMA_RETURN_IF_ERROR(CheckNames(cases, options));
  const auto wanted = [&](const std::string& name) {
    return options.kernels.empty() ||
           std::find(options.kernels.begin(), options.kernels.end(), name) != options.kernels.end();
  };
  std::vector<Grade> grades;
  const auto finish = [&](Grade grade) {
    if (report) report(grade);
    grades.push_back(std::move(grade));
  };
  std::vector<std::string> names;  // in the order of the table
  for (const Case& c : cases)
    if (wanted(c.op()) && std::find(names.begin(), names.end(), c.op()) == names.end())
      names.push_back(c.op());
  for (const std::string& name : names) {
    Grade grade;
    grade.name = name;
    for (size_t i = 0; i < cases.size() && grade.failure.empty(); ++i)
      if (cases[i].op() == name)
        TRAMA_RETURN_IF_ERROR(
            GradeCase(device, cases[i], options, options.seed + 1000 * i, context, grade));
    finish(std::move(grade));
  }
  if (wanted("plan"))
    for (const PlanCheck& check : PlanChecks()) {
      Grade grade;
      grade.name = absl::StrCat("plan.", check.name);
      grade.trials = 1;
      absl::Status status = check.run(device, context);
      if (absl::IsUnimplemented(status))
        ++grade.skipped;
      else if (!status.ok())
        grade.failure = std::string(status.message());
      finish(std::move(grade));
    }
  return grades;
}

std::string Summary(const std::vector<Grade>& grades) {
  int passed = 0, failed = 0;
  for (const Grade& grade : grades) {
    passed += grade.passed();
    failed += !grade.failure.empty();
  }
  return absl::StrCat(passed, " passed, ", failed, " failed, ", grades.size() - passed - failed,
                      " skipped");
}

}  // namespace trama::conformance
