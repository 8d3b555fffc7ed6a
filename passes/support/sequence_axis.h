// Where a dimension of an op's operands goes in its results: how decoding follows the time axis.
#pragma once

#include <string>

#include "ir/dialect.h"

namespace trama {

struct Axis {
  int dim = -1;     // of the result; -1: it does not have the axis
  std::string why;  // not empty where elements at different places along the axis meet, and how
};

// `dims`: one an operand, -1 where it has not the axis. By the op's meaning, never by sizes: only a
// reshape has nothing else to go by. Ops that the table does not know mix.
Axis FollowAxis(mlir::Operation* op, llvm::ArrayRef<int> dims, unsigned result = 0);

}  // namespace trama
