// Compiles a test's @main for a backend plugin, runs it there and checks its results here.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/reference/interpreter.h"
#include "mlir/IR/BuiltinOps.h"

namespace trama {

// Every element of a check_close of @main that is off when `backend` computes it. `module` stays as
// it is. Its constants become inputs, so that the device computes what depends on them; a module
// without dispatches goes through the kernel pipeline first. NotFound: no such backend.
absl::StatusOr<std::vector<reference::Mismatch>> RunOnDevice(mlir::ModuleOp module,
                                                             const std::string& backend);

}  // namespace trama
