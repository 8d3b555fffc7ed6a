#include "backends/cpu/jit.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"

namespace trama::cpu {

absl::StatusOr<std::unique_ptr<Jit>> Jit::Create(const std::string& cache_directory,
                                                 const std::string& cpu) {
  TRAMA_ASSIGN_OR_RETURN(Machine machine, Machine::Detect(cpu));
  llvm::orc::LLJITBuilder builder;
  builder.setJITTargetMachineBuilder(machine.builder());
  auto jit = builder.create();
  if (!jit) return absl::InternalError(llvm::toString(jit.takeError()));
  // expf's and memcpy's home: the process.
  auto symbols = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      (*jit)->getDataLayout().getGlobalPrefix());
  if (!symbols) return absl::InternalError(llvm::toString(symbols.takeError()));
  (*jit)->getMainJITDylib().addGenerator(std::move(*symbols));
  return std::unique_ptr<Jit>(
      new Jit(std::move(machine), ObjectCache(cache_directory), std::move(*jit)));
}

absl::StatusOr<LoadedKernel> Jit::Link(const KernelObject& object) {
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(object.object);
  if (llvm::Error error = jit_->addObjectFile(std::move(buffer)))
    return absl::InternalError(llvm::toString(std::move(error)));
  LoadedKernel kernel;
  kernel.workspace_floats = object.workspace_floats;
  kernel.scratch_floats = object.scratch_floats;
  for (const Phase& phase : object.phases) {
    auto address = jit_->lookup(phase.symbol);
    if (!address) return absl::InternalError(llvm::toString(address.takeError()));
    kernel.phases.push_back(
        {address->toPtr<PhaseFunction>(), phase.tasks, phase.grain, phase.flops, phase.shifts});
  }
  return kernel;
}

namespace {
struct Miss {
  const KernelSource* source;
  std::string key;
  absl::StatusOr<KernelObject> object = absl::InternalError("not compiled");
};

struct CompileJob {
  const Machine& machine;
  const ObjectCache& cache;
  std::vector<Miss> misses;
  std::vector<std::unique_ptr<mlir::MLIRContext>> contexts;  // one a thread

  absl::StatusOr<KernelObject> Compile(const Miss& miss, int thread) {
    if (!contexts[thread]) contexts[thread] = NewContext();
    TRAMA_ASSIGN_OR_RETURN(auto module, ParseBody(*contexts[thread], *miss.source->body));
    auto body = *module->getOps<mlir::func::FuncOp>().begin();
    TRAMA_ASSIGN_OR_RETURN(KernelObject object, CompileKernel(machine, miss.source->kind, body,
                                                              absl::StrCat("trama_", miss.key)));
    cache.Store(miss.key, object.Serialize());
    return object;
  }

  static void Run(void* context, int64_t begin, int64_t end, int thread) {
    auto* job = static_cast<CompileJob*>(context);
    for (int64_t i = begin; i < end; ++i)
      job->misses[i].object = job->Compile(job->misses[i], thread);
  }
};
}  // namespace

absl::StatusOr<std::string> Jit::Assembly(const KernelSource& source) const {
  const std::unique_ptr<mlir::MLIRContext> context = NewContext();
  TRAMA_ASSIGN_OR_RETURN(auto module, ParseBody(*context, *source.body));
  auto body = *module->getOps<mlir::func::FuncOp>().begin();
  TRAMA_ASSIGN_OR_RETURN(KernelObject object, CompileKernel(machine_, source.kind, body, "phase",
                                                            CodeFormat::kAssembly));
  return std::move(object.object);
}

absl::StatusOr<std::vector<const LoadedKernel*>> Jit::Load(const std::vector<KernelSource>& sources,
                                                           ThreadPool& pool,
                                                           JitStatistics* statistics) {
  const auto start = std::chrono::steady_clock::now();
  const std::string identity = absl::StrCat(CompilerIdentity(), "\n", machine_.identity());
  CompileJob job{machine_, cache_, {}, {}};
  job.contexts.resize(pool.size());
  std::vector<std::string> keys;
  std::map<std::string, bool> wanted;
  for (const KernelSource& source : sources) {
    const std::string& hash = source.hash.empty() ? *source.body : source.hash;
    keys.push_back(Sha256Hex(absl::StrCat(source.kind, "\n", identity, "\n", hash)));
    const std::string& key = keys.back();
    if (loaded_.contains(key) || !wanted.emplace(key, true).second) continue;
    if (auto stored = cache_.Find(key)) {
      auto object = KernelObject::Parse(*stored);
      if (object.ok()) {
        TRAMA_ASSIGN_OR_RETURN(loaded_[key], Link(*object));
        ++statistics->cached;
        continue;
      }
    }
    job.misses.push_back({&source, key});
  }
  pool.ParallelFor(&CompileJob::Run, &job, job.misses.size(), 1);
  for (const Miss& miss : job.misses) {
    if (!miss.object.ok()) return miss.object.status();
    TRAMA_ASSIGN_OR_RETURN(loaded_[miss.key], Link(*miss.object));
    ++statistics->compiled;
  }
  std::vector<const LoadedKernel*> kernels;
  for (const std::string& key : keys) kernels.push_back(&loaded_.at(key));
  statistics->compile_ms +=
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return kernels;
}

}  // namespace trama::cpu
