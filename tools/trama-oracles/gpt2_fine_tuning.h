// The part of a GPT-2 case that fine-tunes its model.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "runtime/model_directory.h"
#include "tools/trama-oracles/oracle.h"

namespace trama::oracles {

// lora.json with lora_init.safetensors, classification.json with head.safetensors: where the case
// has them.
absl::Status RunFineTuning(const std::string& directory, const SessionOptions& options,
                           LoadedModel model, const Json& inputs, Report* report);

}  // namespace trama::oracles
