// The gradient of a table of rows, alone or added to another of the table's gradients.
#pragma once

#include <optional>

#include "backends/codegen/kernel_body.h"

namespace trama::codegen {

struct TableGrad {
  Access grad, ids;
  // What the sums start from, over [rows, columns]; zeros where there is none.
  std::optional<Access> start;
  SmallVector<Access> tables;  // where the sums are written

  // Whether the sums start from what lies where they are written if both are one buffer.
  bool StartsInPlace() const {
    return start && tables.size() == 1 && start->offset == tables[0].offset &&
           start->strides == tables[0].strides;
  }
};

// Unimplemented names what kernel_body.h does.
absl::StatusOr<TableGrad> TableGradOf(EmbeddingGradOp op, mlir::func::FuncOp body);

}  // namespace trama::codegen
