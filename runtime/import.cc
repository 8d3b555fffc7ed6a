#include "runtime/import.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/directory_transaction.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"
#include "runtime/llmc_model.h"
#include "runtime/lora.h"
#include "runtime/openai_model.h"

namespace trama {
namespace {

// A tokenizer's files as found and as Hugging Face names them. OpenAI's differ in their names
// alone.
constexpr std::pair<const char*, const char*> kOpenAIFiles[] = {{"encoder.json", "vocab.json"},
                                                                {"vocab.bpe", "merges.txt"}};
constexpr std::pair<const char*, const char*> kHuggingFaceFiles[] = {
    {"vocab.json", "vocab.json"},
    {"merges.txt", "merges.txt"},
    {"vocab.txt", "vocab.txt"},
    {"tokenizer.json", "tokenizer.json"},
    {"tokenizer_config.json", "tokenizer_config.json"},
    {"special_tokens_map.json", "special_tokens_map.json"},
    {"added_tokens.json", "added_tokens.json"},
    {"generation_config.json", "generation_config.json"}};

// How many were there.
absl::StatusOr<int> CopyFiles(absl::Span<const std::pair<const char*, const char*>> files,
                              const std::string& from, const std::string& to) {
  int copied = 0;
  for (const auto& [name, copy] : files) {
    const std::string path = JoinPath(from, name);
    if (!FileExists(path)) continue;
    TRAMA_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    TRAMA_RETURN_IF_ERROR(AtomicWriteFile(JoinPath(to, copy), bytes));
    ++copied;
  }
  return copied;
}

// The directory of a model named by itself or by its file of weights.
std::string HuggingFaceDirectory(const std::string& path) {
  return IsDirectory(path) || !FileExists(path) ? path : DirectoryOf(path);
}

// The directory that has its tokenizer: of an adapter alone, its base's.
absl::StatusOr<std::string> TokenizerDirectory(const std::string& path) {
  std::string directory = HuggingFaceDirectory(path);
  if (!HasAdapter(directory) || FileExists(JoinPath(directory, "config.json"))) return directory;
  return AdapterBase(directory);
}

absl::Status CopyTokenizer(ModelFormat format, const LoadedModel& model, const std::string& path,
                           const std::string& out) {
  if (format == ModelFormat::kSafetensors) {
    TRAMA_ASSIGN_OR_RETURN(const std::string directory, TokenizerDirectory(path));
    return CopyFiles(kHuggingFaceFiles, directory, out).status();
  }
  if (format == ModelFormat::kLlmc) return absl::OkStatus();  // a file of weights alone
  TRAMA_ASSIGN_OR_RETURN(const int copied, CopyFiles(kOpenAIFiles, path, out));
  if (copied < 2) return absl::OkStatus();
  TRAMA_ASSIGN_OR_RETURN(const int64_t length, model.config.Int("n_positions", 0));
  Json config = Json::MakeObject();
  config.Set("tokenizer_class", "GPT2Tokenizer").Set("model_max_length", length);
  return AtomicWriteFile(JoinPath(out, "tokenizer_config.json"), config.Dump(2) + "\n");
}

absl::StatusOr<LoadedModel> ReadHuggingFaceModel(const std::string& path) {
  if (FileExists(path) && !IsDirectory(path) && ExtensionOf(path) != ".safetensors" &&
      ExtensionOf(path) != ".json")
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": neither a model directory nor a .safetensors file"));
  const std::string directory = HuggingFaceDirectory(path);
  TRAMA_ASSIGN_OR_RETURN(LoadedModel loaded, LoadModelDirectory(directory, /*weights=*/false));
  // Adapters are merged, in f32.
  if (HasLora(loaded) || HasAdapter(directory)) return LoadModelDirectory(directory);
  TRAMA_ASSIGN_OR_RETURN(loaded.parameters, ReadStoredParameters(*loaded.model, path));
  return loaded;
}

}  // namespace

absl::StatusOr<ModelFormat> ModelFormatFromName(const std::string& name) {
  if (name == "openai") return ModelFormat::kOpenAI;
  if (name == "llmc") return ModelFormat::kLlmc;
  if (name == "safetensors") return ModelFormat::kSafetensors;
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is none of openai, llmc, safetensors"));
}

absl::StatusOr<LoadedModel> ReadForeignModel(ModelFormat format, const std::string& path) {
  switch (format) {
    case ModelFormat::kOpenAI:
      return ReadOpenAIModel(path);
    case ModelFormat::kLlmc:
      return ReadLlmcModel(path);
    case ModelFormat::kSafetensors:
      return ReadHuggingFaceModel(path);
  }
  return absl::InternalError("no such format");
}

absl::StatusOr<LoadedModel> ImportModel(ModelFormat format, const std::string& path,
                                        const std::string& out) {
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, ReadForeignModel(format, path));
  model.tokenizer = nullptr;  // its files are copied as they are
  TRAMA_ASSIGN_OR_RETURN(DirectoryTransaction transaction, DirectoryTransaction::Begin(out));
  TRAMA_RETURN_IF_ERROR(WriteModelFiles(model, transaction.path()));
  TRAMA_RETURN_IF_ERROR(CopyTokenizer(format, model, path, transaction.path()));
  TRAMA_RETURN_IF_ERROR(transaction.Commit());
  return model;
}

absl::Status ExportModel(const std::string& directory, ModelFormat format,
                         std::optional<DType> dtype, const std::string& out) {
  if (format == ModelFormat::kOpenAI)
    return absl::UnimplementedError("OpenAI's format is read, not written");
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, ReadHuggingFaceModel(directory));
  if (format == ModelFormat::kLlmc) {
    const bool bf16 = std::all_of(model.parameters.begin(), model.parameters.end(),
                                  [](const auto& p) { return p.second.dtype == DType::kBF16; });
    return WriteLlmcModel(model, dtype.value_or(bf16 ? DType::kBF16 : DType::kF32), out);
  }
  if (dtype)
    for (auto& [name, tensor] : model.parameters)
      if (tensor.dtype != *dtype) tensor = tensor.Cast(*dtype);
  return WriteSafetensors(out, model.parameters, {{"format", "pt"}});
}

}  // namespace trama
