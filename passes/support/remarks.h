// Why an optimisation was not made, and what one did, for `trama explain` and `trama-opt
// --remarks-filter=trama.*`.
#pragma once

#include <vector>

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Operation.h"
#include "passes/compile_options.h"

namespace trama {

// A remark of MLIR's remark engine in category "trama.PASS". Costs nothing and prints nothing where
// nobody asked for remarks. Meant for ops that looked like the pattern and were refused.
void NotFused(mlir::Operation* op, llvm::StringRef pass, const llvm::Twine& why);
// The same for what was not made otherwise, in words of its own, and for what was.
void Missed(mlir::Operation* op, llvm::StringRef pass, const llvm::Twine& what);
void Made(mlir::Operation* op, llvm::StringRef pass, const llvm::Twine& what);

// From here on, remarks of passes in this context are appended to `remarks`, which must outlive
// the context or the next call.
llvm::LogicalResult CollectRemarks(mlir::MLIRContext& context, std::vector<PassRemark>* remarks);

}  // namespace trama
