// Programs made at random: ops, shapes with 1 and odd sizes, masks, and composites both by name and
// written out in one of many spellings, some of them not quite the composite.
#pragma once

#include <cstdint>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace trama {

struct RandomProgramOptions {
  bool float32 = false;  // f32 instead of f64
  int steps = 12;        // values in a program are made in this many steps
};

// A module with one function @main of inputs that tests/program_values.h can make. The same for the
// same seed; a program of fewer steps begins as one of more steps does. Values stay below 1e6 and
// away from where a small error becomes a large one.
mlir::OwningOpRef<mlir::ModuleOp> RandomProgram(mlir::MLIRContext& context, uint64_t seed,
                                                const RandomProgramOptions& options = {});

}  // namespace trama
