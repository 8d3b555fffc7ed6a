#include "backends/vulkan/shader_cache.h"

#include <chrono>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {
// A kernel to compile, and what came of it.
struct Job {
  const KernelSource* source = nullptr;
  std::string key;
  absl::StatusOr<CompiledKernel> kernel = absl::InternalError("not compiled");
};

// `bytes` at the next multiple of `alignment` after `end`, which moves on.
ByteRange Append(uint64_t& end, uint64_t bytes, uint64_t alignment) {
  const ByteRange range = {(end + alignment - 1) / alignment * alignment, bytes};
  end = range.offset + bytes;
  return range;
}
}  // namespace

ShaderCache::ShaderCache(Memory& memory, const std::string& directory, int threads)
    : memory_(memory), threads_(threads), cache_(directory), pipelines_(memory.device(), cache_) {}

absl::StatusOr<LoadedKernel> ShaderCache::Place(const CompiledKernel& compiled,
                                                absl::Span<const Pipeline* const> pipelines) {
  LoadedKernel kernel;
  for (size_t i = 0; i < compiled.phases.size(); ++i) {
    const Phase& phase = compiled.phases[i].phase;
    if (phase.buffers.size() != pipelines[i]->pieces.size())
      return absl::InternalError(absl::StrCat("phase ", phase.symbol, " has ", phase.buffers.size(),
                                              " buffers, its shader ",
                                              pipelines[i]->pieces.size()));
    kernel.phases.push_back({pipelines[i], phase.workgroups, phase.buffers, phase.is_copy});
  }
  const uint64_t alignment = memory_.alignment();
  for (uint64_t bytes : compiled.workspaces)
    kernel.workspaces.push_back(Append(kernel.workspace_bytes, bytes, alignment));
  uint64_t constant_bytes = 0;
  for (const std::string& constant : compiled.constants)
    kernel.constants.push_back(Append(constant_bytes, constant.size(), alignment));
  if (constant_bytes > 0) {
    TRAMA_ASSIGN_OR_RETURN(kernel.constant_data, memory_.Alloc(constant_bytes));
    for (size_t i = 0; i < compiled.constants.size(); ++i)
      TRAMA_RETURN_IF_ERROR(kernel.constant_data->Write(
          kernel.constants[i].offset, compiled.constants[i].data(), compiled.constants[i].size()));
  }
  return kernel;
}

absl::StatusOr<LoadedKernel> ShaderCache::Compile(const KernelSource& source,
                                                  const Target& target) {
  const auto context = NewContext();
  TRAMA_ASSIGN_OR_RETURN(const CompiledKernel kernel,
                         CompileKernel(*context, target, source.kind, *source.body));
  std::vector<const Shader*> shaders;
  for (const CompiledPhase& phase : kernel.phases) shaders.push_back(&phase.shader);
  TRAMA_ASSIGN_OR_RETURN(const std::vector<const Pipeline*> pipelines,
                         pipelines_.Get(shaders, threads_));
  return Place(kernel, pipelines);
}

absl::StatusOr<std::vector<const LoadedKernel*>> ShaderCache::Load(
    absl::Span<const KernelSource> sources, LoadStatistics* statistics) {
  const auto start = std::chrono::steady_clock::now();
  const std::string identity = CompilerIdentity(memory_.device().target());
  std::vector<std::string> keys;
  std::vector<Job> jobs;
  std::set<std::string> wanted;
  for (const KernelSource& source : sources) {
    const std::string& hash = source.hash.empty() ? *source.body : source.hash;
    keys.push_back(
        codegen::Sha256Hex(absl::StrCat("vulkan\n", source.kind, "\n", identity, "\n", hash)));
    if (!loaded_.contains(keys.back()) && wanted.insert(keys.back()).second)
      jobs.push_back({&source, keys.back()});
  }
  std::vector<Job*> misses;
  for (Job& job : jobs) {
    if (const auto stored = cache_.Find(job.key)) job.kernel = CompiledKernel::Parse(*stored);
    if (!job.kernel.ok()) misses.push_back(&job);
  }
  std::vector<std::unique_ptr<mlir::MLIRContext>> contexts(threads_);
  ParallelFor(misses.size(), threads_, [&](size_t i, int thread) {
    Job& job = *misses[i];
    if (!contexts[thread]) contexts[thread] = NewContext();
    job.kernel = CompileKernel(*contexts[thread], memory_.device().target(), job.source->kind,
                               *job.source->body);
    if (job.kernel.ok()) cache_.Store(job.key, job.kernel->Serialize());
  });
  std::vector<const Shader*> shaders;
  for (const Job& job : jobs) {
    if (!job.kernel.ok()) return job.kernel.status();
    for (const CompiledPhase& phase : job.kernel->phases) shaders.push_back(&phase.shader);
  }
  TRAMA_ASSIGN_OR_RETURN(const std::vector<const Pipeline*> pipelines,
                         pipelines_.Get(shaders, threads_));
  size_t first = 0;
  for (const Job& job : jobs) {
    const size_t count = job.kernel->phases.size();
    TRAMA_ASSIGN_OR_RETURN(
        loaded_[job.key], Place(*job.kernel, absl::MakeConstSpan(pipelines).subspan(first, count)));
    first += count;
  }
  statistics->compiled += static_cast<int64_t>(misses.size());
  statistics->cached += static_cast<int64_t>(jobs.size() - misses.size());
  statistics->compile_ms +=
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  std::vector<const LoadedKernel*> kernels;
  for (const std::string& key : keys) kernels.push_back(&loaded_.at(key));
  return kernels;
}

}  // namespace trama::vulkan
