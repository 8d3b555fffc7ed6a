// Which ops of a program become one kernel. The rules are docs/architecture.md's, "Level kernels".
#pragma once

#include <string>
#include <vector>

#include "ir/dialect.h"
#include "llvm/ADT/SetVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama {

struct KernelGroup {
  llvm::SetVector<mlir::Operation*> ops;     // computed here and nowhere else
  llvm::SetVector<mlir::Operation*> copies;  // constants and views: each kernel has its own
  std::string kind;

  bool Contains(mlir::Operation* op) const { return ops.contains(op) || copies.contains(op); }
};

// How many elements the program's ops compute, views and constants not counted.
int64_t ComputedElements(mlir::func::FuncOp program);

// Covers every op of the program but those that kernels copy. The graph of the groups has no cycle.
// For a device that compiles no bodies each op is a group. In a `small` program as few groups as
// there can be.
std::vector<KernelGroup> GroupKernels(mlir::func::FuncOp program, bool compiles_bodies, bool small);

// The group of an op that must be in memory although kernels copy it. Ops in `owned` are others'.
KernelGroup GroupOne(mlir::Operation* op, bool compiles_bodies,
                     const llvm::DenseSet<mlir::Operation*>& owned);

}  // namespace trama
