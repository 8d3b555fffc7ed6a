// What compiling backends share before and around code generation: reading a plan's kernel, and
// naming the build of the compiler that a stored kernel came from.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

namespace trama::codegen {

// The module with the func.func of a plan's kernel body (bytecode or text). InvalidArgument where
// it does not parse or has not exactly one function.
absl::StatusOr<mlir::OwningOpRef<mlir::ModuleOp>> ParseBody(mlir::MLIRContext& context,
                                                            const std::string& body);

// Identifies the code generator: LLVM's version and the build ids of the shared objects that hold
// this function and `function` (a function of the backend). Another build has another.
std::string BuildIdentity(const void* function);

}  // namespace trama::codegen
