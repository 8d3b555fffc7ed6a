// Rewrites of a fused kernel's body, in trama ops, that leave simple reductions only.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace trama::codegen {

// Which reductions are too large for the few tasks that compute them.
struct ReductionSplit {
  int64_t least_elements = 65536;       // smaller ones stay in one piece
  int64_t enough_tasks = 4;             // as do those of that many tasks: rows, or
  int64_t columns = 128;                // so many columns
  int64_t chunk_elements = 16384;       // of a chunk, where columns are summed in whole rows
  int64_t longest_columns = INT64_MAX;  // longer ones are cut, however many tasks there are
};

// A module with a copy of `body` in which
// - composites without an elementwise lowering are decomposed,
// - every reduction is over dimensions next to each other (but for those of size 1), so that its
//   operand is [outer, reduced, inner] in row-major order,
// - large reductions with few results are cut into chunks whose partial results are reduced in a
//   second step: chunks depend on shapes only, and so do the results' bits.
mlir::OwningOpRef<mlir::ModuleOp> PrepareFusedBody(mlir::func::FuncOp body,
                                                   const ReductionSplit& split = {});

// The sizes around a reduction's dimensions.
struct ReductionSizes {
  int64_t outer = 1, reduced = 1, inner = 1;
};
// The operand's dimensions that `op` (sum, reduce_max, argmax) reduces.
llvm::SmallVector<int64_t> ReducedDims(mlir::Operation* op);
// Of a reduction as PrepareFusedBody leaves them.
ReductionSizes SizesOf(mlir::Operation* op);
bool IsReduction(mlir::Operation* op);

}  // namespace trama::codegen
