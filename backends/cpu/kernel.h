// What a kernel emitter hands to the CPU backend: functions over ranges of tasks that the executor
// spreads over threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace trama::cpu {

// The machine that code is generated for.
struct Target {
  int64_t lanes = 16;      // f32 in a vector register: 16 AVX-512, 8 AVX2, 4 otherwise
  int64_t registers = 32;  // vector registers
  bool bf16_dots = false;  // vdpbf16ps on registers of 16 lanes: AVX512_BF16
};

// One phase of a kernel: a func.func in the kernel's module with the arguments
//   operands..., results...: memref<static shape>, row-major (bool as i8),
//   workspace: memref<Wxf32>, shared by all phases and threads of one dispatch,
//   scratch: memref<Sxf32>, private to the thread,
//   begin, end: index, the tasks to do.
// What it computes must not depend on how [0, tasks) is cut into ranges. Several phases may be one
// function, over parts of the operands and results.
struct Phase {
  std::string symbol;
  int64_t tasks = 1;
  int64_t grain = 1;  // tasks a thread takes at a time
  double flops = 0;   // of all tasks; small phases run on the calling thread alone
  // Bytes by which each of operands and results lies further on than where the function was emitted
  // for; empty: none does.
  std::vector<int64_t> shifts = {};
};

struct Kernel {
  std::vector<Phase> phases;  // in order, each after the end of the one before
  int64_t workspace_floats = 0;
  int64_t scratch_floats = 0;
  // LLVM's IR passes: 1, or 0 where the emitted code is register-sized vectors already and they
  // would cost compile time alone (a matrix product or attention).
  int optimization = 1;
};

// Appends the phases' functions to `module` for a kernel whose body is `body` (trama ops). Results
// are written in full. Unimplemented names what the emitter cannot do.
using Emitter = absl::StatusOr<Kernel> (*)(mlir::func::FuncOp body, mlir::ModuleOp module,
                                           const Target& target);

// By kind, filled by each emitter's file: `TRAMA_CPU_KERNEL("matmul", EmitMatmul);`
bool RegisterEmitter(const char* kind, Emitter emitter);
Emitter FindEmitter(const std::string& kind);  // null where there is none
std::vector<std::string> EmitterKinds();

#define TRAMA_CPU_KERNEL(kind, emitter)                    \
  static const bool trama_cpu_##emitter [[maybe_unused]] = \
      ::trama::cpu::RegisterEmitter(kind, emitter)

}  // namespace trama::cpu
