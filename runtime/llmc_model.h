// The checkpoints of llm.c (Karpathy 2024): a header of 256 little-endian integers (magic 20240326,
// version, context, words, blocks, heads, width, words padded), then GPT-2's parameters, each kind
// for all blocks in a row. Matrices are [out, in], the head is tied to the embedding.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/model_directory.h"

namespace trama {

// Versions 1 (f32), 3 (f32, vocabulary padded) and 5 (bf16, vocabulary padded). The parameters have
// Hugging Face's names and layout and the file's type; the padding is left out. InvalidArgument
// "PATH: byte N: WHAT".
absl::StatusOr<LoadedModel> ReadLlmcModel(const std::string& path);

// Writes version 3, or 5 for `dtype` bf16, the vocabulary padded with zeros to a multiple of 128,
// the file in one step. InvalidArgument for models that the format cannot hold.
absl::Status WriteLlmcModel(const LoadedModel& model, DType dtype, const std::string& path);

}  // namespace trama
