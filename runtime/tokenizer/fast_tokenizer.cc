// "PreTrainedTokenizerFast" is any tokenizer.json: its model's type says which.
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/tokenizer/gpt2_tokenizer.h"
#include "runtime/tokenizer/word_tokenizer.h"
#include "runtime/tokenizer/wordpiece_tokenizer.h"

namespace trama {
namespace {

// Old files do not name the type of their model.
std::string TypeByMembers(const Json& model) {
  if (model.Find("merges")) return "BPE";
  return model.Find("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadFastTokenizer(const std::string& directory) {
  const std::string path = JoinPath(directory, "tokenizer.json");
  TRAMA_ASSIGN_OR_RETURN(const Json json, Json::ParseFile(path));
  const Json* model = json.Find("model");
  const absl::StatusOr<std::string> type =
      model ? model->GetOr<std::string>("type", TypeByMembers(*model))
            : absl::InvalidArgumentError("missing \"model\"");
  if (!type.ok())
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", type.status().message()));
  if (*type == "BPE") return Gpt2Tokenizer::LoadFromJson(directory);
  if (*type == "WordPiece") return WordPieceTokenizer::LoadFromJson(directory);
  if (*type == "WordLevel") return WordTokenizer::LoadFrom(directory);
  return absl::UnimplementedError(absl::StrCat(path, ": no tokenizer for a model of type ", *type,
                                               "; BPE, WordPiece and WordLevel are there"));
}

TRAMA_TOKENIZER("PreTrainedTokenizerFast", LoadFastTokenizer);

}  // namespace
}  // namespace trama
