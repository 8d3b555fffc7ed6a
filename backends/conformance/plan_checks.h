// What plans rely on beyond single kernels: state, several programs, reuse of memory, errors.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "mlir/IR/MLIRContext.h"
#include "runtime/device.h"

namespace trama::conformance {

struct PlanCheck {
  std::string name;
  // OK, Unimplemented where the device lacks a kernel that the check needs, else what is wrong.
  std::function<absl::Status(Device&, mlir::MLIRContext&)> run;
};

const std::vector<PlanCheck>& PlanChecks();

}  // namespace trama::conformance
