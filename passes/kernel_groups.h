// Which ops of a program become one kernel. The rules are docs/architecture.md's, "Level kernels".
#pragma once

#include <string>
#include <vector>

#include "ir/dialect.h"
#include "llvm/ADT/SetVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama {

struct KernelGroup {
  llvm::SetVector<mlir::Operation*> ops;  // computed here and nowhere else
  llvm::SetVector<mlir::Operation*>
      copies;  // views and cheap ops, repeated in each kernel that reads them
  std::string kind;

  bool Contains(mlir::Operation* op) const { return ops.contains(op) || copies.contains(op); }
};

// Covers every op of the program but constants, views and what else is only ever copied. The graph
// of the groups has no cycle.
std::vector<KernelGroup> GroupKernels(mlir::func::FuncOp program, bool compiles_bodies);

// The op's name without the dialect's: "matmul".
llvm::StringRef Mnemonic(mlir::Operation* op);
// The kind of a kernel with `op` as its anchor, "fused" where it is none.
std::string KindOf(mlir::Operation* op);

}  // namespace trama
