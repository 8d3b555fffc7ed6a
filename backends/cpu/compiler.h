// One kernel: trama body -> emitter -> LLVM dialect -> LLVM IR -> object file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/codegen/kernel_source.h"
#include "backends/cpu/kernel.h"
#include "backends/cpu/lower_to_llvm.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "mlir/IR/MLIRContext.h"

namespace trama::cpu {

// What every phase is in the object file: buffers are operands, then results.
using PhaseFunction = void (*)(void** buffers, float* workspace, float* scratch, int64_t begin,
                               int64_t end);

// A compiled kernel; `phases[i].symbol` are PhaseFunctions in `object`.
struct KernelObject {
  std::vector<Phase> phases;
  int64_t workspace_floats = 0, scratch_floats = 0;
  std::string object;  // the machine's object format, or assembly

  std::string Serialize() const;
  static absl::StatusOr<KernelObject> Parse(const std::string& bytes);
};

// The machine that is compiled for.
class Machine {
 public:
  // cpu: an LLVM name such as "haswell" whose features replace the host's; "" for the host.
  static absl::StatusOr<Machine> Detect(const std::string& cpu);

  const Target& target() const { return target_; }
  // CPU and features, as far as they decide the code.
  const std::string& identity() const { return identity_; }
  const std::string& cpu() const { return cpu_; }
  const llvm::orc::JITTargetMachineBuilder& builder() const { return builder_; }

 private:
  explicit Machine(llvm::orc::JITTargetMachineBuilder builder) : builder_(std::move(builder)) {}
  llvm::orc::JITTargetMachineBuilder builder_;
  Target target_;
  std::string identity_, cpu_;
};

// A context with every dialect that CompileKernel needs; one a thread.
std::unique_ptr<mlir::MLIRContext> NewContext();

using codegen::ParseBody;

// Compiles `body` with the emitter of `kind`, or as a fused kernel where it has none. The object's
// symbols begin with `prefix`. Safe from several threads with a context each.
absl::StatusOr<KernelObject> CompileKernel(const Machine& machine, const std::string& kind,
                                           mlir::func::FuncOp body, const std::string& prefix,
                                           CodeFormat format = CodeFormat::kObject);

// Identifies the code generator: another build has another.
std::string CompilerIdentity();

}  // namespace trama::cpu
