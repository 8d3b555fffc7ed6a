// --run-main=BACKEND: runs the function @main of a test and checks its trama.check_close ops.
#pragma once

#include <memory>
#include <string>

#include "mlir/Pass/Pass.h"

namespace trama {

// A pass over modules that leaves them as they are. It fails where there is no @main without
// arguments, where it does not run, and where a check_close is off: the message then names the
// check's line, the first bad element, what it is and what it should be.
//
// "reference" interprets the ops as they stand, at any level; any other backend is a plugin that
// gets them as a plan.
std::unique_ptr<mlir::Pass> CreateRunMainPass(std::string backend);

}  // namespace trama
