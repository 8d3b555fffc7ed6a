// Upstream's lowering of scf, vector, memref, arith and math to an object file or assembly.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "mlir/IR/BuiltinOps.h"

namespace trama::cpu {

void InitializeNativeCodegen();
// Loads the dialects and registers the translations that LowerToCode needs.
void PrepareLowering(mlir::MLIRContext& context);

// Spells out roundings to bf16, for machines without an instruction for it: LLVM would call a
// function of the compiler's runtime that no process need have.
void ExpandBf16Rounding(mlir::ModuleOp module);

enum class CodeFormat { kObject, kAssembly };

// Phase functions `symbols` of `module` become functions PREFIX_0, PREFIX_1, ... of type
// PhaseFunction (compiler.h); nothing else is visible. Consumes the module's contents.
absl::StatusOr<std::string> LowerToCode(mlir::ModuleOp module,
                                        llvm::orc::JITTargetMachineBuilder builder,
                                        const std::vector<std::string>& symbols,
                                        const std::string& prefix, int optimization,
                                        CodeFormat format);

}  // namespace trama::cpu
