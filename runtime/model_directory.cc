#include "runtime/model_directory.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "frontend/init.h"
#include "runtime/class_labels.h"
#include "runtime/formats/config_json.h"
#include "runtime/formats/directory_transaction.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"
#include "runtime/lora.h"
#include "runtime/match_parameters.h"

namespace trama {
namespace {

constexpr char kPrefix[] = "transformer.";
constexpr char kHead[] = "lm_head.weight", kEmbedding[] = "wte.weight", kScoreBias[] = "score.bias";

// Buffers that the original checkpoints hold beside the parameters.
bool IsMaskBuffer(absl::string_view name) {
  return absl::EndsWith(name, ".attn.bias") || absl::EndsWith(name, ".attn.masked_bias");
}

// A head that is tied to the embedding may be stored too: the same values under another name.
void CheckTiedHead(const SafetensorsModel& file, const SafetensorsFile& shard,
                   const SafetensorsFile::Entry& head, std::vector<std::string>& problems) {
  for (const std::string& name : {std::string(kEmbedding), absl::StrCat(kPrefix, kEmbedding)}) {
    const auto& [other, embedding] = file.Find(name);
    if (embedding && (embedding->dtype != head.dtype || other->Raw(*embedding) != shard.Raw(head)))
      problems.push_back(
          absl::StrCat(head.name, " differs from ", name,
                       ", but the config ties them (tie_word_embeddings=false keeps both)"));
  }
}

constexpr char kEndKey[] = "eos_token_id";

// An id, or a list of them; none where it is null, negative or absent.
absl::StatusOr<std::vector<int64_t>> EndIds(const Json& json) {
  const Json* value = json.Find(kEndKey);
  if (!value || value->is_null()) return std::vector<int64_t>();
  const int64_t* one = value->if_int();
  absl::StatusOr<std::vector<int64_t>> ids =
      one ? std::vector<int64_t>{*one} : value->As<std::vector<int64_t>>();
  if (!ids.ok() || std::any_of(ids->begin(), ids->end(), [](int64_t id) { return id > INT32_MAX; }))
    return absl::InvalidArgumentError(
        absl::StrCat("\"", kEndKey, "\": expected an id or a list of ids"));
  std::erase_if(*ids, [](int64_t id) { return id < 0; });
  return ids;
}

// Objects and lists, which a Config does not hold, are no values of the family's own keys; a list
// of the ids that end a text is.
absl::Status CheckKinds(const ModelEntry& entry, const Json& json, const Config& config) {
  for (const auto& [key, value] : json.object())
    if (key != kEndKey && entry.defaults.Has(key) && !config.Has(key))
      return absl::InvalidArgumentError(
          absl::StrCat(key, " is ", std::string(value.KindName()), ", not a value"));
  return absl::OkStatus();
}

// What generation_config.json and `config`, of config.json, say of the end of a text.
absl::Status ReadEndOfText(const std::string& directory, const Json& config, LoadedModel* loaded) {
  const auto at = [&](const char* file, const absl::Status& status) {
    return absl::Status(status.code(),
                        absl::StrCat(JoinPath(directory, file), ": ", status.message()));
  };
  constexpr char kGeneration[] = "generation_config.json";
  if (const std::string path = JoinPath(directory, kGeneration); FileExists(path)) {
    TRAMA_ASSIGN_OR_RETURN(loaded->generation_config, Json::ParseFile(path));
    if (!loaded->generation_config.is_object())
      return at(kGeneration, absl::InvalidArgumentError("expected an object"));
  }
  const absl::StatusOr<std::vector<int64_t>> generation = EndIds(loaded->generation_config),
                                             named = EndIds(config);
  if (!generation.ok()) return at(kGeneration, generation.status());
  if (!named.ok()) return at("config.json", named.status());
  if (named->empty()) return absl::OkStatus();
  loaded->config.Set(kEndKey, named->front());
  if (named->size() > 1 && generation->empty())
    loaded->generation_config.Set(kEndKey, Json::ArrayOf(*named));
  return absl::OkStatus();
}

}  // namespace

bool IsModelFile(std::string_view name) {
  constexpr std::string_view kNames[] = {"generation_config.json",
                                         "tokenizer_config.json",
                                         "tokenizer.json",
                                         "vocab.json",
                                         "merges.txt",
                                         "vocab.txt",
                                         "encoder.json",
                                         "vocab.bpe",
                                         "special_tokens_map.json",
                                         "added_tokens.json",
                                         "model.safetensors.index.json"};
  return absl::c_linear_search(kNames, name) ||
         (name.starts_with("model-") && name.find("-of-") != name.npos &&
          name.ends_with(".safetensors"));
}

absl::StatusOr<std::vector<int32_t>> EndOfText(const LoadedModel& model) {
  TRAMA_ASSIGN_OR_RETURN(const std::vector<int64_t> generation, EndIds(model.generation_config));
  if (!generation.empty()) return std::vector<int32_t>(generation.begin(), generation.end());
  TRAMA_ASSIGN_OR_RETURN(const int64_t named, model.config.Int(kEndKey, -1, INT64_MIN, INT32_MAX));
  if (named >= 0) return std::vector<int32_t>{static_cast<int32_t>(named)};
  const std::optional<int32_t> of_tokenizer =
      model.tokenizer ? model.tokenizer->eos_id() : std::nullopt;
  return of_tokenizer ? std::vector<int32_t>{*of_tokenizer} : std::vector<int32_t>();
}

void SetEndOfText(const ModelEntry& entry, const Tokenizer& tokenizer, Config* config) {
  const auto given = config->values().find(kEndKey);
  const bool silent =
      given == config->values().end() || std::holds_alternative<std::monostate>(given->second);
  if (const std::optional<int32_t> end = tokenizer.eos_id();
      end && silent && entry.defaults.Has(kEndKey))
    config->Set(kEndKey, int64_t{*end});
}

absl::Status FitToTokenizer(const ModelEntry& entry, const Tokenizer& tokenizer, Config* config) {
  SetEndOfText(entry, tokenizer, config);
  if (!entry.defaults.Has("vocab_size")) return absl::OkStatus();
  const int64_t size = tokenizer.vocab_size();
  TRAMA_ASSIGN_OR_RETURN(const int64_t room, config->Int("vocab_size", size));
  if (room < size)
    return absl::InvalidArgumentError(absl::StrCat("vocab_size: ", room, " is too small for the ",
                                                   size, " ids of the tokenizer"));
  config->Set("vocab_size", room);
  return absl::OkStatus();
}

absl::StatusOr<LoadedModel> NewModel(const std::string& name, const Config& overrides,
                                     uint64_t seed) {
  LoadedModel loaded;
  TRAMA_ASSIGN_OR_RETURN(loaded.entry, FindModel(name));
  loaded.config = loaded.entry->defaults;
  for (const auto& [key, value] : overrides.values()) {
    if (!loaded.config.Has(key)) {
      std::vector<std::string> keys;
      for (const auto& [known, unused] : loaded.config.values()) keys.push_back(known);
      std::string hint = DidYouMean(key, keys);
      if (hint.empty()) hint = absl::StrCat("; it has ", absl::StrJoin(keys, ", "));
      return absl::InvalidArgumentError(
          absl::StrCat(loaded.entry->name, " has no config key '", key, "'", hint));
    }
    loaded.config.Set(key, value);
  }
  TRAMA_ASSIGN_OR_RETURN(loaded.model, loaded.entry->make(loaded.config));
  TRAMA_ASSIGN_OR_RETURN(loaded.parameters, InitialParameters(loaded.model->module(), seed));
  return loaded;
}

absl::StatusOr<LoadedModel> ModelOfConfig(const std::string& name, const Config& config) {
  LoadedModel loaded;
  TRAMA_ASSIGN_OR_RETURN(loaded.entry, FindModel(name));
  loaded.config = loaded.entry->defaults;
  for (const auto& [key, value] : config.values()) loaded.config.Set(key, value);
  TRAMA_ASSIGN_OR_RETURN(loaded.model, loaded.entry->make(loaded.config));
  return loaded;
}

absl::StatusOr<TensorMap> ReadStoredParameters(const Model& model, const std::string& path,
                                               bool partial) {
  TRAMA_ASSIGN_OR_RETURN(SafetensorsModel file, SafetensorsModel::Open(path));
  std::map<std::string, Shape> wanted;
  for (const nn::Parameter* parameter : model.module().parameters())
    wanted[parameter->path()] = parameter->shape();
  std::vector<StoredTensor> stored;
  std::vector<std::string> problems;
  for (const std::string& tensor : file.names()) {
    const std::string name(absl::StripPrefix(tensor, kPrefix));
    if (IsMaskBuffer(name)) continue;
    const auto& [shard, entry] = file.Find(tensor);
    if (name == kHead && !wanted.contains(kHead) && wanted.contains(kEmbedding)) {
      CheckTiedHead(file, *shard, *entry, problems);
      continue;
    }
    stored.push_back({tensor, name, entry->dtype, entry->shape});
  }
  TRAMA_ASSIGN_OR_RETURN(const auto matched, MatchParameters(model.module(), stored, path, partial,
                                                             std::move(problems)));
  TensorMap tensors;
  for (const auto& [name, tensor] : matched) {
    TRAMA_ASSIGN_OR_RETURN(tensors[name], file.Read(tensor->stored));
  }
  if (wanted.contains(kScoreBias) && !tensors.contains(kScoreBias))
    tensors[kScoreBias] = HostTensor(DType::kF32, wanted[kScoreBias]);
  return tensors;
}

absl::StatusOr<TensorMap> ReadParameters(const Model& model, const std::string& path,
                                         bool partial) {
  TRAMA_ASSIGN_OR_RETURN(TensorMap tensors, ReadStoredParameters(model, path, partial));
  for (auto& [name, tensor] : tensors)
    if (tensor.dtype != DType::kF32) tensor = tensor.Cast(DType::kF32);
  return tensors;
}

absl::Status CheckModelDirectory(const std::string& directory) {
  if (IsDirectory(directory)) return absl::OkStatus();
  if (FileExists(directory))
    return absl::FailedPreconditionError(
        absl::StrCat(directory, ": is a file, not a model directory"));
  return absl::NotFoundError(
      absl::StrCat(directory, ": no such model directory", DidYouMeanFile(directory)));
}

absl::StatusOr<LoadedModel> LoadModelDirectory(const std::string& directory, bool weights) {
  TRAMA_RETURN_IF_ERROR(CheckModelDirectory(directory));
  const std::string config_path = JoinPath(directory, "config.json");
  if (HasAdapter(directory) && !FileExists(config_path)) {
    TRAMA_ASSIGN_OR_RETURN(const std::string base, AdapterBase(directory));
    TRAMA_ASSIGN_OR_RETURN(LoadedModel adapted, LoadModelDirectory(base, weights));
    if (weights) TRAMA_RETURN_IF_ERROR(ApplyAdapter(directory, &adapted));
    return adapted;
  }
  TRAMA_ASSIGN_OR_RETURN(Json json, Json::ParseFile(config_path));
  absl::StatusOr<std::string> type = json.Get<std::string>("model_type");
  if (!type.ok())
    return absl::InvalidArgumentError(absl::StrCat(config_path, ": ", type.status().message()));
  const absl::StatusOr<const ModelEntry*> entry = FindModel(*type);
  if (!entry.ok())
    return absl::Status(entry.status().code(),
                        absl::StrCat(config_path, ": ", entry.status().message()));
  Config config = ConfigFromJson(json);
  absl::Status read = CheckKinds(**entry, json, config);
  if (read.ok()) read = ReadClassLabels(**entry, json, &config);
  absl::StatusOr<LoadedModel> of_config =
      read.ok() ? ModelOfConfig(*type, config) : absl::StatusOr<LoadedModel>(read);
  if (!of_config.ok())
    return absl::InvalidArgumentError(
        absl::StrCat(config_path, ": ", of_config.status().message()));
  LoadedModel loaded = *std::move(of_config);
  TRAMA_RETURN_IF_ERROR(ReadEndOfText(directory, json, &loaded));
  if (weights && !loaded.model->module().parameters().empty()) {
    TRAMA_ASSIGN_OR_RETURN(loaded.parameters, ReadParameters(*loaded.model, directory));
    if (HasLora(loaded))
      TRAMA_RETURN_IF_ERROR(MergeLora(&loaded));
    else if (HasAdapter(directory))
      TRAMA_RETURN_IF_ERROR(ApplyAdapter(directory, &loaded));
  }
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::Load(directory);
  if (tokenizer.ok())
    loaded.tokenizer = *std::move(tokenizer);
  else if (absl::IsNotFound(tokenizer.status()) || absl::IsUnimplemented(tokenizer.status()))
    loaded.tokenizer_status = tokenizer.status();  // ids may be all that is wanted
  else
    return tokenizer.status();
  return loaded;
}

absl::Status CheckTokenizer(const LoadedModel& model) {
  if (model.tokenizer) return absl::OkStatus();
  const absl::string_view why = model.tokenizer_status.message();
  return absl::FailedPreconditionError(
      absl::StrCat("the model has no tokenizer", why.empty() ? "" : absl::StrCat(" (", why, ")")));
}

absl::Status WriteModelConfig(const LoadedModel& model, const std::string& directory) {
  Config config = model.config;
  const ModelEntry& entry = *model.entry;
  config.Set("model_type", entry.model_type.empty() ? entry.name : entry.model_type);
  TRAMA_ASSIGN_OR_RETURN(const Json json, ConfigWithClassLabels(entry, std::move(config)));
  TRAMA_RETURN_IF_ERROR(AtomicWriteFile(JoinPath(directory, "config.json"), json.Dump(2) + "\n"));
  if (!model.generation_config.is_null())
    TRAMA_RETURN_IF_ERROR(AtomicWriteFile(JoinPath(directory, "generation_config.json"),
                                          model.generation_config.Dump(2) + "\n"));
  if (model.tokenizer) return model.tokenizer->Save(directory);
  return absl::OkStatus();
}

absl::Status ReplaceModelConfig(const LoadedModel& model, const std::string& directory) {
  TRAMA_ASSIGN_OR_RETURN(const DirectoryTransaction aside,
                         DirectoryTransaction::Begin(JoinPath(directory, "files")));
  TRAMA_RETURN_IF_ERROR(WriteModelConfig(model, aside.path()));
  TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> written, ListDirectory(aside.path()));
  for (const std::string& name : written)
    TRAMA_RETURN_IF_ERROR(PublishFile(JoinPath(aside.path(), name), JoinPath(directory, name)));
  TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> there, ListDirectory(directory));
  for (const std::string& name : there)
    if (IsModelFile(name) && !absl::c_linear_search(written, name))
      TRAMA_RETURN_IF_ERROR(RemoveAll(JoinPath(directory, name)));
  return absl::OkStatus();
}

absl::Status WriteModelFiles(const LoadedModel& model, const std::string& directory) {
  TRAMA_RETURN_IF_ERROR(WriteModelConfig(model, directory));
  return WriteSafetensors(JoinPath(directory, "model.safetensors"), model.parameters,
                          {{"format", "pt"}});  // transformers insists
}

}  // namespace trama
