// Models of other programs as model directories, and back.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/model_directory.h"

namespace trama {

enum class ModelFormat { kOpenAI, kLlmc, kSafetensors };
// "openai", "llmc", "safetensors". InvalidArgument lists them.
absl::StatusOr<ModelFormat> ModelFormatFromName(const std::string& name);

// Reads the model at `path`: OpenAI's directory, llm.c's file, or a directory in Hugging Face's
// layout (or a .safetensors file beside its config.json). Parameters keep their type.
absl::StatusOr<LoadedModel> ReadForeignModel(ModelFormat format, const std::string& path);

// Reads it and writes all of it, tokenizer files too, as the model directory `out`, in one step.
// Returns what was read.
absl::StatusOr<LoadedModel> ImportModel(ModelFormat format, const std::string& path,
                                        const std::string& out);

// Writes the parameters of the model directory as one file, in one step, as `dtype` or else in the
// type that they have. Unimplemented for a format that is only read.
absl::Status ExportModel(const std::string& directory, ModelFormat format,
                         std::optional<DType> dtype, const std::string& out);

}  // namespace trama
