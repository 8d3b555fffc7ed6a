// Arguments and results of a model's programs: adding, naming, removing.
#pragma once

#include <string>

#include "ir/dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama {

// "" where the argument or result has no name.
llvm::StringRef ArgName(mlir::func::FuncOp func, unsigned i);
llvm::StringRef ArgRole(mlir::func::FuncOp func, unsigned i);
llvm::StringRef ResultName(mlir::func::FuncOp func, unsigned i);

// The parameters that are trained, in the arguments' order.
llvm::SmallVector<mlir::BlockArgument> TrainedParameters(mlir::func::FuncOp func);

// The argument of that name and role, added at the end where it is missing.
mlir::BlockArgument GetOrAddArgument(mlir::func::FuncOp func, llvm::StringRef name,
                                     llvm::StringRef role, mlir::Type type);
void AddResult(mlir::func::FuncOp func, llvm::StringRef name, mlir::Value value);
// A result that takes over the storage of `argument`, under its name.
void AddDonation(mlir::func::FuncOp func, mlir::BlockArgument argument, mlir::Value value);
mlir::Value ResultOf(mlir::func::FuncOp func, unsigned i);
void EraseResults(mlir::func::FuncOp func);
void EraseResult(mlir::func::FuncOp func, unsigned i);

// Removes ops that nothing uses.
void EraseDeadOps(mlir::func::FuncOp func);
// Removes "input" and "scalar" arguments that nothing uses. No result may donate yet.
void EraseUnusedInputs(mlir::func::FuncOp func);

}  // namespace trama
