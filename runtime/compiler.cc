#include "runtime/compiler.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "frontend/emit.h"
#include "passes/pipelines.h"

namespace trama {
namespace {
constexpr std::pair<const char*, ProgramKind> kKinds[] = {
    {"forward", ProgramKind::kForward},       {"loss", ProgramKind::kLoss},
    {"gradients", ProgramKind::kGradients},   {"train_step", ProgramKind::kTrainStep},
    {"accumulate", ProgramKind::kAccumulate}, {"apply", ProgramKind::kApply},
    {"decode", ProgramKind::kDecode}};
}  // namespace

absl::StatusOr<plan::Plan> CompileModel(const Model& model, absl::Span<const Program> programs,
                                        CompileOptions options, DType precision,
                                        CompileReport* report) {
  options.bf16 = precision == DType::kBF16;
  TRAMA_ASSIGN_OR_RETURN(TracedModule traced,
                         Trace(model, programs, options.bf16 ? DType::kF32 : precision));
  return Compile(*traced.impl().module, options, report);
}

Program ProgramOf(const Model& model, ProgramKind kind, int64_t batch, int64_t length) {
  Program program;
  for (const auto& [name, known] : kKinds)
    if (known == kind) program.name = name;
  program.kind = kind;
  program.training = kind == ProgramKind::kTrainStep || kind == ProgramKind::kAccumulate;
  if (kind == ProgramKind::kDecode) program.cache_capacity = model.MaxLength();
  const bool wants_labels = kind != ProgramKind::kForward && kind != ProgramKind::kDecode;
  for (TensorSpec& spec : model.Inputs(batch, length))
    if (kind == ProgramKind::kDecode ? spec.name == "input_ids"
                                     : spec.name != "labels" || wants_labels)
      program.inputs.push_back(std::move(spec));
  return program;
}

std::vector<std::string> ProgramKindNames() {
  std::vector<std::string> names;
  for (const auto& [name, kind] : kKinds) names.push_back(name);
  return names;
}

absl::StatusOr<ProgramKind> ProgramKindFromName(const std::string& name) {
  for (const auto& [known, kind] : kKinds)
    if (name == known) return kind;
  return absl::InvalidArgumentError(absl::StrCat("'", name, "' is no program; there are ",
                                                 absl::StrJoin(ProgramKindNames(), ", ")));
}

}  // namespace trama
