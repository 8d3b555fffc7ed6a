#include "runtime/openai_model.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/formats/tensorflow_checkpoint.h"
#include "runtime/match_parameters.h"

namespace trama {
namespace {

constexpr char kEndOfText[] = "<|endoftext|>";

// "model/h3/attn/c_attn/w" is "h.3.attn.c_attn.weight". What is no name of theirs stays one of no
// parameter.
std::string ParameterName(absl::string_view stored) {
  std::vector<std::string> parts = absl::StrSplit(absl::StripPrefix(stored, "model/"), '/');
  if (absl::string_view block = parts[0];
      absl::ConsumePrefix(&block, "h") && !block.empty() &&
      block.find_first_not_of("0123456789") == absl::string_view::npos)
    parts[0] = absl::StrCat("h.", block);
  if (parts.back() == "w" || parts.back() == "g")
    parts.back() = "weight";
  else if (parts.back() == "b")
    parts.back() = "bias";
  else if (parts.size() == 1)
    parts.push_back("weight");  // wte, wpe
  return absl::StrJoin(parts, ".");
}

// The convolutions of width 1 are matrices with a first dimension of 1.
Shape ParameterShape(absl::string_view stored, Shape shape) {
  if (absl::EndsWith(stored, "/w") && shape.size() == 3 && shape[0] == 1)
    shape.erase(shape.begin());
  return shape;
}

// The name that the file `checkpoint` gives the newest one.
absl::StatusOr<std::string> CheckpointPrefix(const std::string& directory) {
  std::string name = "model.ckpt";
  const std::string path = JoinPath(directory, "checkpoint");
  if (FileExists(path)) {
    TRAMA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    const std::vector<std::string> parts = absl::StrSplit(text, '"');
    if (!absl::StartsWith(parts[0], "model_checkpoint_path:") || parts.size() < 3)
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": line 1: expected model_checkpoint_path: \"NAME\""));
    name = FileNameOf(parts[1]);
  }
  return JoinPath(directory, name);
}

absl::StatusOr<Config> ReadConfig(const std::string& directory) {
  Config config;
  const std::string path = JoinPath(directory, "hparams.json");
  TRAMA_ASSIGN_OR_RETURN(const Json json, Json::ParseFile(path));
  for (const auto& [theirs, ours] :
       {std::pair("n_vocab", "vocab_size"), std::pair("n_ctx", "n_positions"),
        std::pair("n_embd", "n_embd"), std::pair("n_head", "n_head"),
        std::pair("n_layer", "n_layer")}) {
    const absl::StatusOr<int64_t> value = json.Get<int64_t>(theirs);
    if (!value.ok())
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", value.status().message()));
    config.Set(ours, *value);
  }
  const std::string encoder = JoinPath(directory, "encoder.json");
  if (FileExists(encoder)) {
    TRAMA_ASSIGN_OR_RETURN(const Json vocabulary, Json::ParseFile(encoder));
    TRAMA_ASSIGN_OR_RETURN(const int64_t room, config.Int("vocab_size", 0));
    for (const auto& [token, value] : vocabulary.object())
      if (const int64_t* id = value.if_int(); id && *id >= room)
        return absl::InvalidArgumentError(absl::StrCat(encoder, ": the id of \"", token, "\" (",
                                                       *id, ") is beyond n_vocab (", room, ") of ",
                                                       path));
    if (const Json* id = vocabulary.Find(kEndOfText); id && id->if_int())
      for (const char* key : {"bos_token_id", "eos_token_id"}) config.Set(key, *id->if_int());
  }
  return config;
}

}  // namespace

absl::StatusOr<LoadedModel> ReadOpenAIModel(const std::string& directory) {
  if (!IsDirectory(directory))
    return absl::NotFoundError(absl::StrCat(directory, ": no such directory"));
  TRAMA_ASSIGN_OR_RETURN(const Config config, ReadConfig(directory));
  absl::StatusOr<LoadedModel> loaded = ModelOfConfig("gpt2", config);
  if (!loaded.ok())
    return absl::InvalidArgumentError(
        absl::StrCat(JoinPath(directory, "hparams.json"), ": ", loaded.status().message()));
  TRAMA_ASSIGN_OR_RETURN(const std::string prefix, CheckpointPrefix(directory));
  TRAMA_ASSIGN_OR_RETURN(const TensorflowCheckpoint checkpoint, TensorflowCheckpoint::Open(prefix));
  std::vector<StoredTensor> stored;
  for (const TensorflowCheckpoint::Entry& entry : checkpoint.entries())
    stored.push_back({entry.name, ParameterName(entry.name), entry.dtype,
                      ParameterShape(entry.name, entry.shape)});
  TRAMA_ASSIGN_OR_RETURN(const auto matched,
                         MatchParameters(loaded->model->module(), stored, prefix + ".index"));
  for (const auto& [name, tensor] : matched) {
    TRAMA_ASSIGN_OR_RETURN(HostTensor read, checkpoint.Read(*checkpoint.Find(tensor->stored)));
    read.shape = tensor->shape;
    loaded->parameters[name] = std::move(read);
  }
  return loaded;
}

}  // namespace trama
