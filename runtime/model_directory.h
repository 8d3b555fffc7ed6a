// A model and all that comes with it, as a directory in Hugging Face's layout: config.json,
// model.safetensors (or shards with an index), tokenizer files, generation_config.json.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/config.h"
#include "base/host_tensor.h"
#include "frontend/model.h"
#include "runtime/formats/json.h"
#include "runtime/tokenizer/tokenizer.h"

namespace trama {

struct LoadedModel {
  const ModelEntry* entry = nullptr;
  Config config;  // every key of the family, and what else config.json held
  std::unique_ptr<Model> model;
  TensorMap parameters;                        // by state_dict name; empty for a model without any
  std::shared_ptr<const Tokenizer> tokenizer;  // null where the directory has none that is read
  absl::Status tokenizer_status;               // why there is none: NotFound, Unimplemented
  // generation_config.json, null where there is none. A config.json that lists several
  // eos_token_id has its list here, where this file names none, and keeps the first.
  Json generation_config;
};

// The ids that end what the model writes, the one to train with first: eos_token_id of
// generation_config.json, else of the config, else the tokenizer's; none where nobody names one.
absl::StatusOr<std::vector<int32_t>> EndOfText(const LoadedModel& model);

// Sets a new model's vocab_size and eos_token_id, those that the family has and the config does not
// give, to the tokenizer's. InvalidArgument where the vocab_size that it gives is too small.
absl::Status FitToTokenizer(const ModelEntry& entry, const Tokenizer& tokenizer, Config* config);
// Of these the eos_token_id alone.
void SetEndOfText(const ModelEntry& entry, const Tokenizer& tokenizer, Config* config);

// FailedPrecondition that says why where the model has no tokenizer.
absl::Status CheckTokenizer(const LoadedModel& model);

// A model of the zoo by name, with fresh weights from `seed`. `overrides` win over the family's
// defaults; an unknown key is an InvalidArgument that suggests the nearest.
absl::StatusOr<LoadedModel> NewModel(const std::string& name, const Config& overrides,
                                     uint64_t seed);

// NotFound, with the nearest name, where there is nothing; FailedPrecondition for a file.
absl::Status CheckModelDirectory(const std::string& directory);

// `config.json` names the family by `model_type`. Tensors may have the prefix `transformer.`; mask
// buffers (`attn.bias`, `attn.masked_bias`) are ignored, a tied head stored twice is checked and
// left out, the bias of a classification head may be absent (0). One InvalidArgument lists every
// tensor that is missing, extra or misshapen.
// Low-rank adapters are merged into the weights: those that Trama trained there, those of PEFT's
// files beside a model, and those alone in a directory whose adapter_config.json names the base.
// Without `weights` the parameters are left empty and their files unread, and nothing is merged.
absl::StatusOr<LoadedModel> LoadModelDirectory(const std::string& directory, bool weights = true);

// The model of a family for `config` over the family's defaults, without parameters.
absl::StatusOr<LoadedModel> ModelOfConfig(const std::string& name, const Config& config);

// Whether a model is read from a file of that name, beside config.json and model.safetensors: its
// tokenizer's, how text is drawn, and shards of the weights.
bool IsModelFile(std::string_view name);

// Writes config.json, model.safetensors and the tokenizer's files into `directory`, which exists.
absl::Status WriteModelFiles(const LoadedModel& model, const std::string& directory);

// Without the weights, which a checkpoint writes.
absl::Status WriteModelConfig(const LoadedModel& model, const std::string& directory);
// The same where a model is already: afterwards nothing is read that was the other's (its
// tokenizer, generation_config.json, shards). A crash leaves files of either.
absl::Status ReplaceModelConfig(const LoadedModel& model, const std::string& directory);

// The parameters of a file for `model` by the rules of LoadModelDirectory, as f32; with `partial`
// some may be missing.
absl::StatusOr<TensorMap> ReadParameters(const Model& model, const std::string& path,
                                         bool partial = false);
// The same in the types that the file has.
absl::StatusOr<TensorMap> ReadStoredParameters(const Model& model, const std::string& path,
                                               bool partial = false);

}  // namespace trama
