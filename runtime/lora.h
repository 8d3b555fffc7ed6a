// Low-rank adaptation (Hu et al. 2021): beside a frozen weight W [in, out] a layer learns scale A
// B, in its parameters lora_A [in, r] and lora_B [r, out]. On disk adapters are in PEFT's layout,
// adapter_config.json and adapter_model.safetensors; a classifier's also has trama_classifier.json,
// with the names of its classes and how it reads texts.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/host_tensor.h"
#include "runtime/model_directory.h"

namespace trama {

// Whether this is a parameter that adaptation trains: lora_A and lora_B, and a classifier's head.
bool IsAdapterParameter(std::string_view name);

// Whether the model has such parameters.
bool HasLora(const LoadedModel& model);

// Adds scale A B to every adapted weight and takes the adapters away: the model computes the same
// as before, at the cost of one without them.
absl::Status MergeLora(LoadedModel* model);

// Writes the adapter parameters among `parameters` into `directory`, which exists.
// `base` is where the frozen weights come from; "" where nobody knows.
absl::Status WriteAdapter(const LoadedModel& model, const TensorMap& parameters,
                          const std::string& base, const std::string& directory);

// The adapter in `directory` applied to `model`, its base, and merged. A LoRA of PEFT with one rank
// for all layers; anything else (bias, DoRA, patterns) is Unimplemented. InvalidArgument lists
// every tensor that is missing, extra or misshapen.
absl::Status ApplyAdapter(const std::string& directory, LoadedModel* model);

// Removes the files of an adapter, where there are some.
absl::Status RemoveAdapter(const std::string& directory);

// Whether `directory` has an adapter_config.json.
bool HasAdapter(const std::string& directory);
// Its base_model_name_or_path, also looked for beside `directory`. NotFound where that is no
// folder, InvalidArgument where it is one without a model.
absl::StatusOr<std::string> AdapterBase(const std::string& directory);

}  // namespace trama
