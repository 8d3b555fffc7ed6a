#include "runtime/lora.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "runtime/fine_tune.h"
#include "runtime/formats/config_json.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"
#include "runtime/regex.h"

namespace trama {
namespace {

constexpr char kConfigFile[] = "adapter_config.json";
constexpr char kModelFile[] = "adapter_model.safetensors";
// Of a classifier, which PEFT's files have no place for: its base names no classes.
constexpr char kClassifierFile[] = "trama_classifier.json";
constexpr const char* kClassifierKeys[] = {"class_names", "pool",     "seq_len",    "target",
                                           "positive",    "negative", "text_column"};
constexpr char kA[] = ".lora_A", kB[] = ".lora_B";
// PEFT wraps the model it adapts, and Hugging Face's has its body under `transformer`.
constexpr char kWrapper[] = "base_model.model.", kBody[] = "transformer.";

bool IsLora(std::string_view name) { return name.ends_with(kA) || name.ends_with(kB); }
bool IsHead(absl::string_view name) { return absl::StartsWith(name, "score."); }

HostTensor Transposed(const HostTensor& matrix) {
  const int64_t rows = matrix.shape[0], columns = matrix.shape[1];
  HostTensor result(matrix.dtype, {columns, rows});
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) result.set(c * rows + r, matrix.at(r * columns + c));
  return result;
}

// w += scale a b, in float64.
void AddProduct(const HostTensor& a, const HostTensor& b, double scale, HostTensor* w) {
  const int64_t in = a.shape[0], rank = a.shape[1], out = b.shape[1];
  for (int64_t i = 0; i < in; ++i)
    for (int64_t o = 0; o < out; ++o) {
      double sum = 0;
      for (int64_t r = 0; r < rank; ++r) sum += a.at(i * rank + r) * b.at(r * out + o);
      w->set(i * out + o, w->at(i * out + o) + scale * sum);
    }
}

Config Without() {
  Config none;
  none.Set("lora_rank", int64_t{0});
  return none;
}

// In PEFT's file lora_A is [r, in] and lora_B [out, r], under the names of its wrapper.
std::string StoredName(const std::string& name) {
  return IsHead(name) ? absl::StrCat(kWrapper, name)
                      : absl::StrCat(kWrapper, kBody, name, ".weight");
}

std::string NameOf(absl::string_view stored) {
  absl::ConsumePrefix(&stored, kWrapper);
  absl::ConsumePrefix(&stored, kBody);
  if (!IsHead(stored)) absl::ConsumeSuffix(&stored, ".weight");
  return std::string(stored);
}

absl::Status CheckSupported(const Json& config) {
  const auto unsupported = [](const auto&... what) {
    return absl::UnimplementedError(absl::StrCat(what..., " is not supported"));
  };
  TRAMA_ASSIGN_OR_RETURN(const std::string type, config.GetOr<std::string>("peft_type", "LORA"));
  if (type != "LORA") return unsupported("peft_type ", type);
  TRAMA_ASSIGN_OR_RETURN(const std::string bias, config.GetOr<std::string>("bias", "none"));
  if (bias != "none") return unsupported("bias ", bias);
  for (const char* key : {"use_dora", "use_rslora"}) {
    TRAMA_ASSIGN_OR_RETURN(const bool used, config.GetOr<bool>(key, false));
    if (used) return unsupported(key, " true");
  }
  for (const char* key : {"rank_pattern", "alpha_pattern"})
    if (const Json* pattern = config.Find(key); pattern && !pattern->object().empty())
      return unsupported(key, " of single layers");
  return absl::OkStatus();
}

// The layers that "target_modules" names: ends of their paths, or a regular expression for the
// whole path in Hugging Face's model, of which `model` may be the body. "all-linear" is PEFT's
// word.
absl::StatusOr<std::vector<std::string>> TargetsOf(const Json& config, const LoadedModel& model) {
  constexpr char kKey[] = "target_modules";
  const Json* modules = config.Find(kKey);
  const std::string* pattern = modules ? modules->if_string() : nullptr;
  if (!pattern) return config.Get<std::vector<std::string>>(kKey);
  std::vector<std::string> targets;
  for (const nn::Parameter* parameter : model.model->module().parameters()) {
    std::string layer = parameter->path();
    if (!layer.starts_with("h.") || !layer.ends_with(".weight") || parameter->shape().size() != 2)
      continue;
    layer.resize(layer.size() - (sizeof(".weight") - 1));
    bool matches = *pattern == "all-linear";
    for (const std::string& path : {layer, kBody + layer}) {
      const absl::StatusOr<bool> whole = MatchesWhole(*pattern, path);
      if (!whole.ok())
        return absl::InvalidArgumentError(absl::StrCat(kKey, ": ", whole.status().message()));
      matches |= *whole;
    }
    if (matches) targets.push_back(std::move(layer));
  }
  if (targets.empty())
    return absl::InvalidArgumentError(
        absl::StrCat(kKey, ": '", *pattern, "' matches no layer of the model"));
  return targets;
}

// The changes to a model's config that make room for the adapter's tensors.
absl::StatusOr<Config> ChangesFor(const Json& config, const LoadedModel& model) {
  TRAMA_RETURN_IF_ERROR(CheckSupported(config));
  Config changes;
  TRAMA_ASSIGN_OR_RETURN(const int64_t rank, config.Get<int64_t>("r"));
  TRAMA_ASSIGN_OR_RETURN(const double alpha, config.Get<double>("lora_alpha"));
  TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> targets, TargetsOf(config, model));
  changes.Set("lora_rank", rank);
  changes.Set("lora_alpha", alpha);
  changes.Set("lora_targets", absl::StrJoin(targets, ","));
  return changes;
}

absl::Status ReadTensors(const std::string& path, LoadedModel* model) {
  TRAMA_ASSIGN_OR_RETURN(TensorMap stored, ReadSafetensors(path));
  std::vector<std::string> problems;
  std::set<std::string> missing;
  for (const auto& [name, tensor] : model->parameters)
    if (IsLora(name)) missing.insert(name);
  for (auto& [stored_name, tensor] : stored) {
    const std::string name = NameOf(stored_name);
    const auto wanted = model->parameters.find(name);
    if (wanted == model->parameters.end() || !(IsLora(name) || IsHead(name))) {
      problems.push_back(absl::StrCat("extra ", stored_name));
      continue;
    }
    missing.erase(name);
    HostTensor given = tensor.Cast(DType::kF32);
    if (IsLora(name) && given.shape.size() == 2) given = Transposed(given);
    if (given.shape != wanted->second.shape)
      problems.push_back(absl::StrCat(stored_name, " is [", absl::StrJoin(tensor.shape, ","), "]"));
    else
      wanted->second = std::move(given);
  }
  for (const std::string& name : missing)
    problems.push_back(absl::StrCat("missing ", StoredName(name)));
  if (problems.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", absl::StrJoin(problems, "; ")));
}

absl::Status ReadClassifier(const std::string& directory, LoadedModel* model) {
  const std::string path = JoinPath(directory, kClassifierFile);
  if (!FileExists(path)) return absl::OkStatus();
  TRAMA_ASSIGN_OR_RETURN(const Json json, Json::ParseFile(path));
  const Config kept = ConfigFromJson(json);
  Config changes;
  for (const char* key : kClassifierKeys) {
    const auto found = kept.values().find(key);
    if (found == kept.values().end()) continue;
    if (model->entry->defaults.Has(key))
      changes.Set(key, found->second);
    else
      model->config.Set(key, found->second);
  }
  if (absl::Status status = Reconfigure(changes, /*seed=*/0, model); !status.ok())
    return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  return absl::OkStatus();
}

}  // namespace

bool IsAdapterParameter(std::string_view name) {
  return IsLora(name) || IsHead({name.data(), name.size()});
}

bool HasLora(const LoadedModel& model) { return model.config.Int("lora_rank", 0).value_or(0) > 0; }

absl::Status MergeLora(LoadedModel* model) {
  if (!HasLora(*model)) return absl::OkStatus();
  TRAMA_ASSIGN_OR_RETURN(const int64_t rank, model->config.Int("lora_rank", 0));
  TRAMA_ASSIGN_OR_RETURN(const double alpha,
                         model->config.Double("lora_alpha", 2.0 * static_cast<double>(rank)));
  for (const auto& [name, a] : model->parameters) {
    if (!name.ends_with(kA)) continue;
    const std::string layer = name.substr(0, name.size() - (sizeof(kA) - 1));
    AddProduct(a, model->parameters.at(layer + kB), alpha / static_cast<double>(rank),
               &model->parameters.at(layer + ".weight"));
  }
  return Reconfigure(Without(), /*seed=*/0, model);
}

absl::Status WriteAdapter(const LoadedModel& model, const TensorMap& parameters,
                          const std::string& base, const std::string& directory) {
  TRAMA_ASSIGN_OR_RETURN(const int64_t rank, model.config.Int("lora_rank", 0));
  TRAMA_ASSIGN_OR_RETURN(const double alpha,
                         model.config.Double("lora_alpha", 2.0 * static_cast<double>(rank)));
  TRAMA_ASSIGN_OR_RETURN(const std::string targets, model.config.String("lora_targets", ""));
  const bool classifies = Classifies(model);
  Json config = Json::MakeObject();
  config.Set("peft_type", "LORA");
  config.Set("task_type", classifies ? "SEQ_CLS" : "CAUSAL_LM");
  config.Set("base_model_name_or_path", base.empty() ? Json() : Json(base));
  config.Set("r", rank);
  config.Set("lora_alpha", alpha);
  config.Set("lora_dropout", 0.0);
  const std::vector<std::string> names = absl::StrSplit(targets, ',', absl::SkipEmpty());
  config.Set("target_modules", Json::ArrayOf(names));
  config.Set("modules_to_save",
             classifies ? Json::ArrayOf(std::vector<std::string>{"score"}) : Json());
  config.Set("fan_in_fan_out", true);  // weights are [in, out]
  config.Set("bias", "none");
  config.Set("inference_mode", true);
  TensorMap stored;
  for (const auto& [name, tensor] : parameters) {
    if (IsLora(name)) stored[StoredName(name)] = Transposed(tensor);
    if (IsHead(name)) stored[StoredName(name)] = tensor;
  }
  TRAMA_RETURN_IF_ERROR(WriteSafetensors(JoinPath(directory, kModelFile), stored));
  if (classifies) {
    Config kept;
    for (const char* key : kClassifierKeys)
      if (model.config.Has(key)) kept.Set(key, model.config.values().find(key)->second);
    TRAMA_RETURN_IF_ERROR(
        AtomicWriteFile(JoinPath(directory, kClassifierFile), ConfigToJson(kept).Dump(2) + "\n"));
  }
  return AtomicWriteFile(JoinPath(directory, kConfigFile), config.Dump(2) + "\n");
}

absl::Status ApplyAdapter(const std::string& directory, LoadedModel* model) {
  const std::string path = JoinPath(directory, kConfigFile);
  TRAMA_ASSIGN_OR_RETURN(const Json config, Json::ParseFile(path));
  const absl::StatusOr<Config> changes = ChangesFor(config, *model);
  if (!changes.ok())
    return absl::Status(changes.status().code(),
                        absl::StrCat(path, ": ", changes.status().message()));
  const std::string weights = JoinPath(directory, kModelFile);
  TRAMA_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(weights));
  for (const SafetensorsFile::Entry& entry : file.entries())
    if (NameOf(entry.name) == "score.weight" && entry.shape.size() == 2)
      TRAMA_RETURN_IF_ERROR(EnsureHead(entry.shape[0], /*seed=*/0, model));
  if (absl::Status status = Reconfigure(*changes, /*seed=*/0, model); !status.ok())
    return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  TRAMA_RETURN_IF_ERROR(ReadTensors(weights, model));
  TRAMA_RETURN_IF_ERROR(MergeLora(model));
  return ReadClassifier(directory, model);
}

absl::Status RemoveAdapter(const std::string& directory) {
  TRAMA_RETURN_IF_ERROR(RemoveAll(JoinPath(directory, kConfigFile)));
  TRAMA_RETURN_IF_ERROR(RemoveAll(JoinPath(directory, kClassifierFile)));
  return RemoveAll(JoinPath(directory, kModelFile));
}

bool HasAdapter(const std::string& directory) {
  return FileExists(JoinPath(directory, kConfigFile));
}

absl::StatusOr<std::string> AdapterBase(const std::string& directory) {
  const std::string path = JoinPath(directory, kConfigFile);
  TRAMA_ASSIGN_OR_RETURN(const Json config, Json::ParseFile(path));
  TRAMA_ASSIGN_OR_RETURN(const std::string base,
                         config.GetOr<std::string>("base_model_name_or_path", ""));
  for (const std::string& place : {base, JoinPath(DirectoryOf(directory), base)}) {
    if (base.empty() || !IsDirectory(place)) continue;
    if (FileExists(JoinPath(place, "config.json"))) return place;
    // Of adapters on adapters one may come back to the first.
    return absl::InvalidArgumentError(absl::StrCat(path, ": its base_model_name_or_path '", base,
                                                   "' is no model: it has no config.json"));
  }
  return absl::NotFoundError(absl::StrCat(path, ": its base_model_name_or_path '", base,
                                          "' is no folder here; put the base model there"));
}

}  // namespace trama
