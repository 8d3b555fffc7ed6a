#include "runtime/data/tokenize.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace trama {

absl::StatusOr<std::shared_ptr<const Tokenizer>> TokenizerOf(const DataOptions& options,
                                                             std::vector<Document>& documents) {
  std::shared_ptr<const Tokenizer> tokenizer = options.tokenizer;
  if (!tokenizer) {
    TRAMA_RETURN_IF_ERROR(options.tokenizer_status);
    TRAMA_ASSIGN_OR_RETURN(tokenizer, MakeTokenizerFor(options.tokenizer_spec, documents));
  }
  if (options.vocab_size > 0 && tokenizer->vocab_size() > options.vocab_size)
    return absl::InvalidArgumentError(
        absl::StrCat(options.data, ": the tokenizer has ", tokenizer->vocab_size(),
                     " ids, the model's vocabulary only ", options.vocab_size));
  return tokenizer;
}

absl::StatusOr<std::vector<Sequence>> EncodeEach(const std::vector<Document>& documents,
                                                 const Tokenizer& tokenizer) {
  std::vector<Sequence> sequences;
  for (const Document& document : documents) {
    absl::StatusOr<std::vector<int32_t>> ids = tokenizer.Encode(document.text);
    if (!ids.ok())
      return absl::Status(ids.status().code(),
                          absl::StrCat(document.place, ": ", ids.status().message()));
    sequences.push_back({.ids = *std::move(ids)});
  }
  return sequences;
}

int32_t PaddingId(const DataOptions& options, const Tokenizer& tokenizer) {
  return options.pad_id >= 0 ? options.pad_id : tokenizer.eos_id().value_or(-1);
}

}  // namespace trama
