#include "backends/vulkan/executable.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/vulkan/tile_tuner.h"
#include "base/status_macros.h"
#include "passes/pipelines.h"

namespace trama::vulkan {
namespace {
// Sets of blocks whose recordings a program keeps: a host that alternates between a few.
constexpr size_t kMaxRecordings = 4;
}  // namespace

absl::Status Engine::ReserveWorkspace(uint64_t bytes) {
  if (bytes == 0 || (workspace && workspace->size() >= bytes)) return absl::OkStatus();
  auto larger = memory->Alloc(bytes);  // before the old one goes, which other plans may use
  if (!larger.ok())
    return absl::Status(
        larger.status().code(),
        absl::StrCat("the kernels' workspace: ", std::string(larger.status().message())));
  workspace = *std::move(larger);
  return absl::OkStatus();
}

absl::Status Engine::ReadTiles() {
  const std::string name = DeviceName(*device);
  auto table = TileTable::Read(tile_file, name);
  if (!table.ok() && !tune) return table.status();
  device->SetTiles(std::make_shared<TileTable>(table.ok() ? *std::move(table) : TileTable(name)));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Engine::Tune(absl::Span<const KernelSource> sources) {
  auto table = std::make_shared<TileTable>(static_cast<const TileTable&>(*device->target().tiles));
  TRAMA_ASSIGN_OR_RETURN(const std::vector<TunedProduct> tuned,
                         TuneTiles(*memory, *shaders, sources, *table));
  TRAMA_RETURN_IF_ERROR(table->Write(tile_file));
  device->SetTiles(std::move(table));
  return absl::StrCat(R"({"file": )", codegen::JsonString(tile_file), R"(, "products": )",
                      TunedJson(tuned), "}");
}

absl::StatusOr<std::unique_ptr<Executable>> Executable::Load(Engine& engine,
                                                             std::string_view bytes) {
  auto executable = std::make_unique<Executable>(engine);
  plan::Plan& plan = executable->plan_;
  if (!plan.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return absl::InvalidArgumentError("the plan is not a trama.plan.Plan");
  DeviceTarget target;
  target.alignment = engine.memory->alignment();
  target.max_block_bytes = engine.memory->max_block_bytes();
  TRAMA_RETURN_IF_ERROR(ValidatePlan(plan, target));
  std::vector<KernelSource> sources;
  for (const plan::Kernel& kernel : plan.kernels())
    sources.push_back({kernel.kind(), &kernel.body(), kernel.hash()});
  if (engine.tune) {
    TRAMA_ASSIGN_OR_RETURN(executable->tuned_, engine.Tune(sources));
  }
  TRAMA_ASSIGN_OR_RETURN(const std::vector<const LoadedKernel*> kernels,
                         engine.shaders->Load(sources, &executable->statistics_));
  uint64_t workspace_bytes = 0;
  for (const LoadedKernel* kernel : kernels)
    workspace_bytes = std::max(workspace_bytes, kernel->workspace_bytes);
  TRAMA_RETURN_IF_ERROR(engine.ReserveWorkspace(workspace_bytes));
  for (const plan::Program& program : plan.programs()) {
    Program loaded;
    TRAMA_ASSIGN_OR_RETURN(loaded.steps, MakeSteps(plan, program, kernels));
    loaded.profile = codegen::Profile(static_cast<size_t>(program.dispatches_size()));
    executable->programs_.push_back(std::move(loaded));
  }
  TRAMA_RETURN_IF_ERROR(engine.device->CheckMessages());
  return executable;
}

absl::StatusOr<Recording*> Executable::RecordingFor(Program& program,
                                                    absl::Span<Buffer* const> blocks) {
  auto& recordings = program.recordings;
  const auto found = std::find_if(recordings.begin(), recordings.end(), [&](const auto& recording) {
    return recording->IsOf(blocks, engine_.workspace.get());
  });
  if (found == recordings.end()) {
    if (recordings.size() == kMaxRecordings) recordings.pop_back();
    TRAMA_ASSIGN_OR_RETURN(auto recording,
                           Recording::Make(*engine_.memory, program.steps, blocks,
                                           engine_.workspace.get(), engine_.profile));
    recordings.insert(recordings.begin(), std::move(recording));
  } else {
    std::rotate(recordings.begin(), found, found + 1);
  }
  return recordings.front().get();
}

absl::Status Executable::Run(uint32_t index, absl::Span<plugin::BufferBase* const> blocks) {
  if (index >= programs_.size())
    return absl::InvalidArgumentError(absl::StrCat("the plan has no program ", index));
  if (blocks.size() != static_cast<size_t>(plan_.blocks_size()))
    return absl::InvalidArgumentError(
        absl::StrCat("the plan has ", plan_.blocks_size(), " blocks, not ", blocks.size()));
  absl::InlinedVector<Buffer*, 8> buffers;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i]->size() < plan_.blocks(static_cast<int>(i)).bytes())
      return absl::InvalidArgumentError(absl::StrCat("block ", i, " is too small"));
    buffers.push_back(static_cast<Buffer*>(blocks[i]));
  }
  Program& program = programs_[index];
  TRAMA_ASSIGN_OR_RETURN(Recording * recording, RecordingFor(program, buffers));
  TRAMA_RETURN_IF_ERROR(recording->Submit());
  if (engine_.profile) TRAMA_RETURN_IF_ERROR(AddProfile(program, *recording));
  return engine_.device->CheckMessages();
}

absl::Status Executable::AddProfile(Program& program, const Recording& recording) {
  TRAMA_ASSIGN_OR_RETURN(const std::vector<double> times, recording.StepTimes());
  std::vector<double> ns(program.profile.total_ns.size(), 0);
  for (size_t i = 0; i < times.size(); ++i) ns[program.steps[i].dispatch] += times[i];
  program.profile.Add(ns);
  return absl::OkStatus();
}

std::string Executable::Statistics() {
  size_t dispatches = 0;
  std::vector<codegen::Profile> profiles;
  for (const Program& program : programs_) {
    dispatches += program.steps.size();
    profiles.push_back(program.profile);
  }
  // All steps of a program are dispatches in its command buffers: nothing is left for the host.
  std::string json =
      absl::StrCat(R"({"compiled": )", statistics_.compiled, R"(, "cached": )", statistics_.cached,
                   R"(, "compile_ms": )", statistics_.compile_ms, R"(, "workspace_bytes": )",
                   engine_.workspace ? engine_.workspace->size() : 0, R"(, "host_fallbacks": 0)",
                   R"(, "dispatches": )", dispatches);
  if (!tuned_.empty()) absl::StrAppend(&json, R"(, "tuned": )", tuned_);
  if (engine_.profile)
    absl::StrAppend(&json, R"(, "programs": )", codegen::ProfileJson(plan_, profiles));
  return json + "}";
}

absl::StatusOr<std::string> Executable::Code(uint32_t index) {
  if (index >= static_cast<uint32_t>(plan_.kernels_size()))
    return absl::InvalidArgumentError(absl::StrCat("the plan has no kernel ", index));
  const plan::Kernel& kernel = plan_.kernels(static_cast<int>(index));
  const auto context = NewContext();
  std::string text;
  TRAMA_RETURN_IF_ERROR(
      CompileKernel(*context, engine_.device->target(), kernel.kind(), kernel.body(), &text)
          .status());
  return text;
}

}  // namespace trama::vulkan
