// Element types on both sides of MLIR.
#pragma once

#include "base/dtype.h"
#include "mlir/IR/Types.h"

namespace trama {

// The dtype of an element type of the dialect; of types that it has not, kF32.
DType DTypeOf(mlir::Type element);

}  // namespace trama
