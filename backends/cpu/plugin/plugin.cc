// The cpu backend: kernels compiled for this machine, run over host memory by a pool of threads.
//
// Options: threads (0: every core this process may use), cache_dir ("" for none), profile=1 (the
// time of each dispatch in the statistics), cpu (an LLVM name, to compile for an older machine).
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/api/plan.pb.h"
#include "backends/api/plugin.h"
#include "backends/codegen/profile.h"
#include "backends/cpu/executor.h"
#include "backends/cpu/jit.h"
#include "base/status_macros.h"
#include "passes/pipelines.h"

namespace trama::cpu {
namespace {
constexpr size_t kAlignment = 64;

class Block : public plugin::BufferBase {
 public:
  static absl::StatusOr<std::unique_ptr<plugin::BufferBase>> Create(size_t bytes) {
    // The largest size that rounding up does not overflow.
    AlignedMemory memory = bytes < SIZE_MAX / 2 ? AllocateAligned(bytes) : nullptr;
    if (!memory)
      return absl::ResourceExhaustedError(absl::StrCat("no memory for ", bytes, " bytes"));
    return std::unique_ptr<plugin::BufferBase>(new Block(std::move(memory), bytes));
  }
  size_t size() const override { return bytes_; }
  absl::Status Write(size_t at, const void* src, size_t bytes) override {
    if (bytes) std::memcpy(data() + at, src, bytes);
    return absl::OkStatus();
  }
  absl::Status Read(size_t at, void* dst, size_t bytes) override {
    if (bytes) std::memcpy(dst, data() + at, bytes);
    return absl::OkStatus();
  }
  void* Map() override { return data(); }

 private:
  Block(AlignedMemory memory, size_t bytes) : memory_(std::move(memory)), bytes_(bytes) {}
  char* data() const { return static_cast<char*>(memory_.get()); }
  AlignedMemory memory_;
  size_t bytes_;
};

// What all executables of a device share.
struct Engine {
  std::unique_ptr<Jit> jit;
  std::unique_ptr<ThreadPool> pool;
  Workspace workspace;
  bool profile = false;
};

// A program as a flat list of function calls. The pointers in it are those of the blocks of the
// last run and are found anew only when these change.
struct Program {
  struct Operand {
    uint32_t block;
    uint64_t offset;
  };
  std::vector<Operand> operands;  // of all dispatches, results after operands
  std::vector<void*> pointers;    // one an operand
  std::vector<Step> steps;
  std::vector<uint32_t> dispatch_of;  // one a step
  std::vector<char*> blocks;          // that `pointers` are of
  codegen::Profile profile;

  void Resolve(absl::Span<char* const> now) {
    for (size_t i = 0; i < operands.size(); ++i)
      pointers[i] = now[operands[i].block] + operands[i].offset;
    blocks.assign(now.begin(), now.end());
  }
};

class CpuExecutable : public plugin::ExecutableBase {
 public:
  static absl::StatusOr<std::unique_ptr<plugin::ExecutableBase>> Load(Engine& engine,
                                                                      std::string_view bytes) {
    auto executable = std::make_unique<CpuExecutable>(engine);
    plan::Plan& plan = executable->plan_;
    if (!plan.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      return absl::InvalidArgumentError("the plan is not a trama.plan.Plan");
    TRAMA_RETURN_IF_ERROR(ValidatePlan(plan, {.alignment = kAlignment}));
    std::vector<KernelSource> sources;
    for (const plan::Kernel& kernel : plan.kernels())
      sources.push_back({kernel.kind(), &kernel.body(), kernel.hash()});
    TRAMA_ASSIGN_OR_RETURN(std::vector<const LoadedKernel*> kernels,
                           engine.jit->Load(sources, *engine.pool, &executable->jit_));
    for (const LoadedKernel* kernel : kernels)
      if (!engine.workspace.Reserve(kernel->workspace_floats, kernel->scratch_floats,
                                    engine.pool->size()))
        return absl::ResourceExhaustedError("no memory for the kernels' workspace");
    for (const plan::Program& program : plan.programs())
      executable->programs_.push_back(executable->Flatten(program, kernels));
    return executable;
  }

  explicit CpuExecutable(Engine& engine) : engine_(engine) {}

  absl::Status Run(uint32_t index, absl::Span<plugin::BufferBase* const> blocks) override {
    if (index >= programs_.size())
      return absl::InvalidArgumentError(absl::StrCat("the plan has no program ", index));
    if (blocks.size() != static_cast<size_t>(plan_.blocks_size()))
      return absl::InvalidArgumentError(
          absl::StrCat("the plan has ", plan_.blocks_size(), " blocks, not ", blocks.size()));
    absl::InlinedVector<char*, 8> bases;
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (blocks[i]->size() < plan_.blocks(static_cast<int>(i)).bytes())
        return absl::InvalidArgumentError(absl::StrCat("block ", i, " is too small"));
      bases.push_back(static_cast<char*>(blocks[i]->Map()));
    }
    Program& program = programs_[index];
    if (!std::equal(bases.begin(), bases.end(), program.blocks.begin(), program.blocks.end()))
      program.Resolve(bases);
    if (engine_.profile) {
      Profile(program);
    } else {
      for (const Step& step : program.steps) RunStep(step, engine_.workspace, *engine_.pool);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Code(uint32_t kernel) override {
    if (kernel >= static_cast<uint32_t>(plan_.kernels_size()))
      return absl::InvalidArgumentError(absl::StrCat("the plan has no kernel ", kernel));
    const plan::Kernel& source = plan_.kernels(static_cast<int>(kernel));
    return engine_.jit->Assembly({source.kind(), &source.body(), source.hash()});
  }

  std::string Statistics() override {
    std::string json = absl::StrCat(R"({"compiled": )", jit_.compiled, R"(, "cached": )",
                                    jit_.cached, R"(, "compile_ms": )", jit_.compile_ms,
                                    R"(, "workspace_bytes": )", engine_.workspace.bytes());
    if (engine_.profile) {
      std::vector<codegen::Profile> profiles;
      for (const Program& program : programs_) profiles.push_back(program.profile);
      absl::StrAppend(&json, R"(, "programs": )", codegen::ProfileJson(plan_, profiles));
    }
    return json + "}";
  }

 private:
  Program Flatten(const plan::Program& source, const std::vector<const LoadedKernel*>& kernels) {
    Program program;
    auto add = [&](uint32_t buffer) {
      const plan::Buffer& range = plan_.buffers(static_cast<int>(buffer));
      program.operands.push_back({range.block(), range.offset()});
    };
    std::vector<size_t> first;
    for (const plan::Dispatch& dispatch : source.dispatches()) {
      first.push_back(program.operands.size());
      for (uint32_t buffer : dispatch.operands()) add(buffer);
      for (uint32_t buffer : dispatch.results()) add(buffer);
    }
    program.pointers.resize(program.operands.size() + 1);
    for (int i = 0; i < source.dispatches_size(); ++i) {
      AppendSteps(*kernels[source.dispatches(i).kernel()], program.pointers.data() + first[i],
                  program.steps);
      program.dispatch_of.resize(program.steps.size(), static_cast<uint32_t>(i));
    }
    program.profile = codegen::Profile(source.dispatches_size());
    return program;
  }

  void Profile(Program& program) {
    using Clock = std::chrono::steady_clock;
    std::vector<double> ns(program.profile.total_ns.size(), 0);
    for (size_t i = 0; i < program.steps.size(); ++i) {
      const auto start = Clock::now();
      RunStep(program.steps[i], engine_.workspace, *engine_.pool);
      ns[program.dispatch_of[i]] +=
          std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    }
    program.profile.Add(ns);
  }

  Engine& engine_;
  plan::Plan plan_;
  JitStatistics jit_;
  std::vector<Program> programs_;
};

class CpuDevice : public plugin::DeviceBase {
 public:
  explicit CpuDevice(Engine engine) : engine_(std::move(engine)) {}

  std::string Info() override {
    const int64_t memory = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
    const Machine& machine = engine_.jit->machine();
    std::vector<std::string> kinds = EmitterKinds();
    std::erase(kinds, "fused");
    // Composites that the pointwise lowering has: they stay whole inside kernels.
    kinds.insert(kinds.end(), {"gelu", "gelu_grad", "relu"});
    return absl::StrCat(R"({"device": )", codegen::JsonString(machine.cpu()), R"(, "kernels": "*,)",
                        absl::StrJoin(kinds, ","), R"(", "alignment": )", kAlignment,
                        R"(, "memory_bytes": )", memory, R"(, "threads": )", engine_.pool->size(),
                        R"(, "features": ["f32x)", machine.target().lanes,
                        R"(", "bf16_products", "f16_products"]})");
  }
  absl::StatusOr<std::unique_ptr<plugin::BufferBase>> Alloc(size_t bytes) override {
    return Block::Create(bytes);
  }
  absl::StatusOr<std::unique_ptr<plugin::ExecutableBase>> Load(std::string_view plan) override {
    return CpuExecutable::Load(engine_, plan);
  }

 private:
  Engine engine_;
};

absl::StatusOr<std::unique_ptr<plugin::DeviceBase>> Open(const plugin::Options& options) {
  Engine engine;
  int threads = 0;
  const std::string text(plugin::GetOption(options, "threads", "0"));
  if (!absl::SimpleAtoi(text, &threads) || threads < 0 || threads > 1024)
    return absl::InvalidArgumentError(
        absl::StrCat("threads: \"", text, "\" is not a number from 0 to 1024"));
  engine.pool = std::make_unique<ThreadPool>(threads ? threads : AvailableCores());
  engine.profile = plugin::GetOption(options, "profile") == "1";
  const std::string cache(plugin::GetOption(options, "cache_dir", ObjectCache::DefaultDirectory()));
  TRAMA_ASSIGN_OR_RETURN(engine.jit,
                         Jit::Create(cache, std::string(plugin::GetOption(options, "cpu"))));
  return std::make_unique<CpuDevice>(std::move(engine));
}

}  // namespace
}  // namespace trama::cpu

TRAMA_BACKEND("cpu", trama::cpu::Open)
