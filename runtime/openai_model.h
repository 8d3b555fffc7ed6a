// GPT-2 as OpenAI published it: hparams.json, a TensorFlow checkpoint, encoder.json, vocab.bpe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/model_directory.h"

namespace trama {

// The model in `directory`, without a tokenizer; its tensors have Hugging Face's names and layout.
// One InvalidArgument lists every tensor that is missing, extra or misshapen.
absl::StatusOr<LoadedModel> ReadOpenAIModel(const std::string& directory);

}  // namespace trama
