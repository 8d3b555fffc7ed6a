#include "runtime/model_directory.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "frontend/init.h"
#include "runtime/formats/config_json.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"

namespace trama {
namespace {

constexpr char kPrefix[] = "transformer.";

// Buffers that the original checkpoints hold beside the parameters.
bool IsMaskBuffer(absl::string_view name) {
  return absl::EndsWith(name, ".attn.bias") || absl::EndsWith(name, ".attn.masked_bias");
}

std::string ShapeText(const Shape& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

}  // namespace

absl::StatusOr<LoadedModel> NewModel(const std::string& name, const Config& overrides,
                                     uint64_t seed) {
  LoadedModel loaded;
  TRAMA_ASSIGN_OR_RETURN(loaded.entry, FindModel(name));
  loaded.config = loaded.entry->defaults;
  for (const auto& [key, value] : overrides.values()) {
    if (!loaded.config.Has(key)) {
      std::vector<std::string> keys;
      for (const auto& [known, unused] : loaded.config.values()) keys.push_back(known);
      return absl::InvalidArgumentError(absl::StrCat(loaded.entry->name, " has no config key '",
                                                     key, "'; it has ", absl::StrJoin(keys, ", ")));
    }
    loaded.config.Set(key, value);
  }
  TRAMA_ASSIGN_OR_RETURN(loaded.model, loaded.entry->make(loaded.config));
  TRAMA_ASSIGN_OR_RETURN(loaded.parameters, InitialParameters(loaded.model->module(), seed));
  return loaded;
}

absl::StatusOr<TensorMap> ReadParameters(const Model& model, const std::string& path,
                                         bool partial) {
  TRAMA_ASSIGN_OR_RETURN(SafetensorsModel file, SafetensorsModel::Open(path));
  std::map<std::string, Shape> wanted;
  for (const nn::Parameter* parameter : model.module().parameters())
    wanted[parameter->path()] = parameter->shape();
  TensorMap tensors;
  std::vector<std::string> problems;
  for (const std::string& stored : file.names()) {
    const std::string name(absl::StripPrefix(stored, kPrefix));
    if (IsMaskBuffer(name)) continue;
    auto it = wanted.find(name);
    if (it == wanted.end()) {
      // A tied head is the embedding under another name.
      if (name == "lm_head.weight" && wanted.contains("wte.weight")) continue;
      problems.push_back(absl::StrCat("extra ", stored));
      continue;
    }
    const SafetensorsFile::Entry& entry = *file.Find(stored).second;
    if (entry.shape != it->second) {
      problems.push_back(
          absl::StrCat(name, " is ", ShapeText(entry.shape), ", not ", ShapeText(it->second)));
      continue;
    }
    if (!IsFloat(entry.dtype)) {
      problems.push_back(
          absl::StrCat(name, " holds ", std::string(Name(entry.dtype)), ", not numbers"));
      continue;
    }
    TRAMA_ASSIGN_OR_RETURN(HostTensor tensor, file.Read(stored));
    tensors[name] = tensor.Cast(DType::kF32);
  }
  for (const auto& [name, shape] : wanted) {
    if (tensors.contains(name)) continue;
    if (name == "score.bias")
      tensors[name] = HostTensor(DType::kF32, shape);
    else if (!partial)
      problems.push_back(absl::StrCat("missing ", name));
  }
  if (!problems.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", absl::StrJoin(problems, "; ")));
  return tensors;
}

absl::StatusOr<LoadedModel> LoadModelDirectory(const std::string& directory, bool weights) {
  if (!IsDirectory(directory))
    return absl::NotFoundError(absl::StrCat(directory, ": no such model directory"));
  LoadedModel loaded;
  const std::string config_path = JoinPath(directory, "config.json");
  TRAMA_ASSIGN_OR_RETURN(Json json, Json::ParseFile(config_path));
  absl::StatusOr<std::string> type = json.Get<std::string>("model_type");
  if (!type.ok())
    return absl::InvalidArgumentError(absl::StrCat(config_path, ": ", type.status().message()));
  TRAMA_ASSIGN_OR_RETURN(loaded.entry, FindModel(*type));
  loaded.config = loaded.entry->defaults;
  const Config stored = ConfigFromJson(json);
  for (const auto& [key, value] : stored.values()) loaded.config.Set(key, value);
  absl::StatusOr<std::unique_ptr<Model>> model = loaded.entry->make(loaded.config);
  if (!model.ok())
    return absl::InvalidArgumentError(absl::StrCat(config_path, ": ", model.status().message()));
  loaded.model = *std::move(model);
  if (weights && !loaded.model->module().parameters().empty()) {
    TRAMA_ASSIGN_OR_RETURN(loaded.parameters, ReadParameters(*loaded.model, directory));
  }
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::Load(directory);
  if (tokenizer.ok())
    loaded.tokenizer = *std::move(tokenizer);
  else if (!absl::IsNotFound(tokenizer.status()) && !absl::IsUnimplemented(tokenizer.status()))
    return tokenizer.status();
  return loaded;
}

absl::StatusOr<LoadedModel> NewOrLoadedModel(const std::string& name_or_directory,
                                             const Config& overrides, uint64_t seed) {
  if (!IsDirectory(name_or_directory)) return NewModel(name_or_directory, overrides, seed);
  TRAMA_ASSIGN_OR_RETURN(LoadedModel loaded, LoadModelDirectory(name_or_directory));
  if (!overrides.values().empty())
    return absl::InvalidArgumentError(
        absl::StrCat(name_or_directory, ": --set changes the config of a new model only"));
  return loaded;
}

absl::Status WriteModelConfig(const LoadedModel& model, const std::string& directory) {
  Json config = ConfigToJson(model.config);
  config.Set("model_type", model.entry->name);
  TRAMA_RETURN_IF_ERROR(AtomicWriteFile(JoinPath(directory, "config.json"), config.Dump(2) + "\n"));
  if (model.tokenizer) return model.tokenizer->Save(directory);
  return absl::OkStatus();
}

absl::Status WriteModelFiles(const LoadedModel& model, const std::string& directory) {
  TRAMA_RETURN_IF_ERROR(WriteModelConfig(model, directory));
  return WriteSafetensors(JoinPath(directory, "model.safetensors"), model.parameters);
}

}  // namespace trama
