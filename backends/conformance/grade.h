// Grades a backend: every op of the dialect, and what plans rely on, against the reference.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/host_tensor.h"
#include "runtime/device.h"

namespace trama::conformance {

struct Options {
  std::vector<std::string> kernels;  // ops to grade, and "plan" for the plan's; empty: all
  int trials = 4;                    // of each case, each with sizes of its own
  uint64_t seed = 0;
};

// One op, or one property of plans ("plan.state").
struct Grade {
  std::string name;
  int trials = 0;
  int skipped = 0;       // trials that need a kernel which the device does not list
  double max_error = 0;  // see ErrorOf
  std::string failure;   // the first one; "" where all passed

  bool passed() const { return failure.empty() && trials > skipped; }
  // "PASS matmul: 48 trials, error 2.1e-07", "FAIL sum: ...", "SKIP adam: ...".
  std::string ToString() const;
};

// The largest of |got - want| / (|want| + max|want| / 10), infinite where one alone is not finite
// or the dtype is exact (integers, bools) and they differ. `worst` is where.
struct Error {
  double value = 0;
  int64_t worst = 0;
};
Error ErrorOf(const HostTensor& got, const HostTensor& want);

// The largest error that passes, for each op of a body: f32 1e-5, f64 1e-11, bf16 3e-2, f16 5e-3,
// else 0.
double AllowedError(DType dtype);

// Grades in the order of the table, the plan's properties last; `report` is told each as it ends.
// f64, bf16 and f16 are graded where the device lists them among its features. A device that gives
// errors fails the op; the status here is for what is wrong with the suite's own use, such as a
// name in `kernels` that no case has.
absl::StatusOr<std::vector<Grade>> Run(Device& device, const Options& options,
                                       const std::function<void(const Grade&)>& report = {});

// "69 passed, 1 failed, 2 skipped".
std::string Summary(const std::vector<Grade>& grades);

}  // namespace trama::conformance
