// The line of the DSL, or of a .mlir file, that an op comes from.
#pragma once

#include <string>

#include "mlir/IR/Location.h"

namespace trama {

// "gpt2.h:41"; "" where the location has no file.
std::string SourceLine(mlir::Location location);
// The same, or MLIR's spelling of a location without a file.
std::string LocationText(mlir::Location location);

}  // namespace trama
