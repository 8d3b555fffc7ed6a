#include "tools/trama/common.h"

#include <algorithm>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/compiler.h"
#include "runtime/formats/file.h"
#include "runtime/registry.h"
#include "runtime/tokenizer/tokenizer.h"

namespace trama::cli {
namespace {

// --backend=NAME, or check:A,B.
absl::Status CheckBackend(const std::string& spec, const std::string& plugin_path) {
  std::vector<std::string> names = absl::StrSplit(spec, absl::ByAnyChar(":,"));
  if (names[0] != "check")
    names.resize(1);  // what follows is the plugin's own affair
  else if (names.size() != 3 || std::count(names.begin(), names.end(), "") > 0)
    return UsageError(
        absl::StrCat("--backend: '", spec, "' is not two backends, as check:reference,cpu"));
  const Registry registry(plugin_path);
  const std::vector<Registry::Found> found = registry.List();
  for (const std::string& name : names) {
    const auto is = [&](const Registry::Found& plugin) { return plugin.name == name; };
    if (std::any_of(found.begin(), found.end(), is)) continue;
    // The registry says what there is.
    return UsageError(std::string(registry.Find(name).status().message()));
  }
  return absl::OkStatus();
}

bool Equal(const ConfigValue& a, const ConfigValue& b) {
  const auto number = [](const ConfigValue& value) -> std::optional<double> {
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
    return std::nullopt;
  };
  return a == b || (number(a) && number(a) == number(b));
}

}  // namespace

absl::StatusOr<SessionOptions> SessionOptionsOf(const Flags& flags) {
  SessionOptions options;
  options.backend = flags.String("backend");
  options.device.device = static_cast<int>(flags.Int("device"));
  options.device.threads = static_cast<int>(flags.Int("threads"));
  options.device.plugin_path = flags.String("plugin_path");
  TRAMA_RETURN_IF_ERROR(CheckBackend(options.backend, options.device.plugin_path));
  const std::string& precision = flags.String("precision");
  if (precision == "f64") {
    if (options.backend != "reference")
      return UsageError(
          absl::StrCat("--precision=f64: only on --backend=reference, not ", options.backend));
    options.precision = DType::kF64;
  } else if (precision == "bf16") {
    options.precision = DType::kBF16;
  } else if (precision != "f32") {
    return UsageError(absl::StrCat("--precision: '", precision, "' is none of f32, bf16, f64"));
  }
  return options;
}

absl::StatusOr<Config> ConfigOf(const Flags& flags) {
  Config config;
  for (const std::string& assignment : flags.Repeated("set"))
    if (absl::Status status = config.SetFromText(assignment); !status.ok())
      return UsageError(absl::StrCat("--set: ", status.message()));
  return config;
}

absl::StatusOr<const ModelEntry*> EntryOf(const std::string& name) {
  absl::StatusOr<const ModelEntry*> entry = FindModel(name);
  if (entry.ok()) return entry;
  const std::string what(entry.status().message());
  if (absl::StrContains(what, "; did you mean")) return UsageError(what);
  // A directory that is not there, or is none.
  return UsageError(what + (FileExists(name) ? ", and no directory" : DidYouMeanFile(name)));
}

absl::StatusOr<LoadedModel> NewModelOf(const std::string& name, const Config& config,
                                       uint64_t seed) {
  TRAMA_RETURN_IF_ERROR(EntryOf(name).status());
  absl::StatusOr<LoadedModel> model = NewModel(name, config, seed);
  if (absl::IsNotFound(model.status()) || absl::IsInvalidArgument(model.status()))
    return UsageError(std::string(model.status().message()));
  return model;
}

absl::StatusOr<LoadedModel> ModelOf(const Flags& flags) {
  const std::string& name = flags.positional()[0];
  TRAMA_ASSIGN_OR_RETURN(const Config config, ConfigOf(flags));
  if (!IsDirectory(name)) return NewModelOf(name, config, static_cast<uint64_t>(flags.Int("seed")));
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, LoadModelDirectory(name));
  TRAMA_RETURN_IF_ERROR(CheckSet(flags, model, name));
  return model;
}

absl::Status CheckSet(const Flags& flags, const LoadedModel& model, const std::string& directory) {
  TRAMA_ASSIGN_OR_RETURN(const Config config, ConfigOf(flags));
  for (const auto& [key, value] : config.values()) {
    const auto has = model.config.values().find(key);
    if (has != model.config.values().end() && Equal(has->second, value)) continue;
    return UsageError(absl::StrCat("--set=", key,
                                   "=...: changes the config of a new model only, and ", directory,
                                   " has another"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ProgramNames(const Flags& flags) {
  std::vector<std::string> names = absl::StrSplit(flags.String("program"), ',', absl::SkipEmpty());
  if (names.empty()) return UsageError("--program: names no program");
  return names;
}

absl::StatusOr<Program> ProgramNamed(const LoadedModel& model, const std::string& name,
                                     int64_t batch, int64_t length) {
  ProgramKind kind = ProgramKind::kDecode;
  if (name != "prefill" && name != "decode") {
    absl::StatusOr<ProgramKind> known = ProgramKindFromName(name);
    if (!known.ok()) {
      std::vector<std::string> names = ProgramKindNames();
      names.push_back("prefill");
      return UsageError(absl::StrCat("--program: '", name, "' is none of ",
                                     absl::StrJoin(names, ", "), DidYouMean(name, names)));
    }
    kind = *known;
  } else if (model.model->SequenceDim("input_ids") < 0) {
    return UsageError(absl::StrCat("--program: a ", model.entry->name, " has no ", name));
  }
  Program program =
      ProgramOf(*model.model, kind, name == "prefill" ? 1 : batch, name == "decode" ? 1 : length);
  program.name = name;
  const auto learns = [](const TensorSpec& input) { return input.name == "labels"; };
  if (kind == ProgramKind::kGradients && absl::c_none_of(program.inputs, learns)) {
    // Without a loss gradients are of the first output, whose shape the forward pass tells.
    TRAMA_ASSIGN_OR_RETURN(
        const plan::Plan plan,
        CompileModel(*model.model, {ProgramOf(*model.model, ProgramKind::kForward, batch, length)},
                     CompileOptions(), DType::kF32, /*report=*/nullptr));
    const plan::TensorType& output =
        plan.buffers(static_cast<int>(plan.programs(0).outputs(0).buffer())).type();
    program.inputs.push_back(
        {"grad_output", DType::kF32, Shape(output.shape().begin(), output.shape().end())});
  }
  return program;
}

absl::Status CheckTokenizerFlag(const Flags& flags) {
  const std::string& spec = flags.String("tokenizer");
  if (spec.empty() || spec == "chars" || spec == "bytes" || IsDirectory(spec))
    return absl::OkStatus();
  return UsageError(absl::StrCat("--tokenizer: ", MakeTokenizer(spec, {}).status().message()));
}

absl::Status CheckOut(const Flags& flags) {
  const std::string& out = flags.String("out");
  if (out.empty()) return UsageError("--out is missing: where to write");
  return CheckOut(out, flags.Bool("overwrite"), flags.Bool("resume"));
}

absl::Status CheckOut(const std::string& out, bool overwrite, bool resume) {
  if (FileExists(out) && !overwrite && !resume)
    return absl::AlreadyExistsError(absl::StrCat(out, ": exists already; --overwrite replaces it"));
  if (FileExists(out) && !IsDirectory(out))
    return absl::FailedPreconditionError(
        absl::StrCat(out, ": is a file, not a model directory; give --out another name"));
  if (!overwrite || !FileExists(out)) return absl::OkStatus();
  // All that is in it goes. What somebody mistyped stays.
  TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(out));
  for (const char* ours : {"config.json", "adapter_config.json", "tokenizer_config.json"})
    if (FileExists(JoinPath(out, ours))) return absl::OkStatus();
  if (names.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(out, ": holds no model; --overwrite does not replace such a directory"));
}

absl::Status CheckOutFile(const Flags& flags) {
  const std::string& out = flags.String("out");
  if (out.empty()) return UsageError("--out is missing: where to write");
  if (IsDirectory(out))
    return absl::FailedPreconditionError(
        absl::StrCat(out, ": is a directory; give --out the name of a file"));
  if (FileExists(out) && !flags.Bool("overwrite"))
    return absl::AlreadyExistsError(absl::StrCat(out, ": exists already; --overwrite replaces it"));
  return absl::OkStatus();
}

}  // namespace trama::cli
