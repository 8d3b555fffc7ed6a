// Compiled kernels in this process: each distinct one compiled, or read from the cache, once.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/codegen/object_cache.h"
#include "backends/cpu/compiler.h"
#include "backends/cpu/thread_pool.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"

namespace trama::cpu {

using codegen::ObjectCache;
using codegen::Sha256Hex;

struct LoadedPhase {
  PhaseFunction function;
  int64_t tasks, grain;
  double flops;
  std::vector<int64_t> shifts;  // Phase::shifts
};

struct LoadedKernel {
  std::vector<LoadedPhase> phases;
  int64_t workspace_floats = 0, scratch_floats = 0;
};

// A kernel to load: its kind, MLIR body and what identifies both.
struct KernelSource {
  std::string kind;
  const std::string* body;  // bytecode or text
  std::string hash;         // "" where unknown: taken from kind and body
};

struct JitStatistics {
  int64_t compiled = 0, cached = 0;
  double compile_ms = 0;
};

class Jit {
 public:
  static absl::StatusOr<std::unique_ptr<Jit>> Create(const std::string& cache_directory,
                                                     const std::string& cpu);

  // One entry a source, valid as long as the Jit. Misses are compiled on all threads of `pool`.
  absl::StatusOr<std::vector<const LoadedKernel*>> Load(const std::vector<KernelSource>& sources,
                                                        ThreadPool& pool,
                                                        JitStatistics* statistics);
  // What a kernel becomes, to read.
  absl::StatusOr<std::string> Assembly(const KernelSource& source) const;
  const Machine& machine() const { return machine_; }

 private:
  Jit(Machine machine, ObjectCache cache, std::unique_ptr<llvm::orc::LLJIT> jit)
      : machine_(std::move(machine)), cache_(std::move(cache)), jit_(std::move(jit)) {}
  absl::StatusOr<LoadedKernel> Link(const KernelObject& object);

  Machine machine_;
  ObjectCache cache_;
  std::unique_ptr<llvm::orc::LLJIT> jit_;
  std::map<std::string, LoadedKernel> loaded_;  // by key
};

}  // namespace trama::cpu
