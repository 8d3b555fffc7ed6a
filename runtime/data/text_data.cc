// Language model data: .txt files, folders of them, .jsonl with "text", .bin with uint16 ids.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/data/data.h"
#include "runtime/data/text.h"
#include "runtime/data/tokenize.h"
#include "runtime/data/tokens.h"
#include "runtime/data/window_dataset.h"
#include "runtime/formats/file.h"

namespace trama {
namespace {

bool IsText(const DataOptions& options) {
  const std::string extension = ExtensionOf(options.data);
  return extension == ".txt" || extension == ".jsonl" || IsDirectory(options.data);
}

bool IsBinary(const DataOptions& options) { return ExtensionOf(options.data) == ".bin"; }

absl::Status TooShort(const std::string& path, const char* part, int64_t have, int64_t need) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", part, have,
                                                 " tokens are too few for a window, which takes ",
                                                 need, "; give more text or a smaller seq_len"));
}

absl::StatusOr<std::unique_ptr<Dataset>> Training(Tokens tokens, const DataOptions& options) {
  if (tokens.size() < options.seq_len + 1)
    return TooShort(options.data, options.val_fraction > 0 ? "the training part's " : "",
                    tokens.size(), options.seq_len + 1);
  const bool next = options.labels == WindowLabels::kNextToken;
  if (options.stride == 0 && !next)
    return std::make_unique<WindowDataset>(
        options.shuffle ? WindowDataset::Random(std::move(tokens), options.seq_len, options.seed)
                        : WindowDataset::InOrder(std::move(tokens), options.seq_len));
  return std::make_unique<WindowDataset>(WindowDataset::Strided(
      std::move(tokens), options.seq_len, std::max<int64_t>(options.stride, 1), options.labels));
}

absl::StatusOr<std::unique_ptr<Dataset>> Validation(Tokens tokens, const std::string& path,
                                                    const DataOptions& options) {
  const bool next = options.labels == WindowLabels::kNextToken;
  const int64_t need = next ? options.seq_len + 1 : 2;
  if (tokens.size() < need) {
    const bool part = options.training && path == options.data;
    return TooShort(path, part ? "the validation part's " : "", tokens.size(), need);
  }
  if (next)
    return std::make_unique<WindowDataset>(
        WindowDataset::Strided(std::move(tokens), options.seq_len, 1, options.labels));
  // While training, a validation without overlap; else as fine as was asked for.
  const int64_t stride = options.training || options.stride == 0 ? options.seq_len : options.stride;
  return std::make_unique<WindowDataset>(
      WindowDataset::Covering(std::move(tokens), options.seq_len, stride));
}

// The bytes of text that `tokens` stand for; special tokens among them, as between documents, stand
// for none.
int64_t CountBytes(const Tokens& tokens, const Tokenizer& tokenizer) {
  const std::set<int32_t> special = tokenizer.special_ids();
  constexpr int64_t kPiece = 4096;
  int64_t bytes = 0;
  std::vector<int32_t> ids;
  for (int64_t begin = 0; begin < tokens.size(); begin += kPiece) {
    ids.resize(static_cast<size_t>(std::min(kPiece, tokens.size() - begin)));
    tokens.Copy(begin, absl::MakeSpan(ids));
    std::erase_if(ids, [&](int32_t id) { return special.contains(id); });
    bytes += static_cast<int64_t>(tokenizer.Decode(ids).size());
  }
  return bytes;
}

// The first `limit` windows of the text.
Tokens Limit(const Tokens& tokens, const DataOptions& options) {
  if (options.limit == 0) return tokens;
  int64_t step = options.stride;
  if (step == 0) step = options.labels == WindowLabels::kNextToken ? 1 : options.seq_len;
  int64_t length;
  if (__builtin_mul_overflow(options.limit - 1, step, &length) ||
      __builtin_add_overflow(length, options.seq_len + 1, &length))
    return tokens;
  return tokens.Slice(0, std::min(length, tokens.size()));
}

absl::StatusOr<LoadedData> Split(const Tokens& all, const Tokens* other,
                                 const DataOptions& options) {
  LoadedData loaded;
  loaded.tokenizer = options.tokenizer;
  if (!options.training) {
    TRAMA_ASSIGN_OR_RETURN(loaded.validation, Validation(all, options.data, options));
    const int64_t first = options.labels == WindowLabels::kNextToken ? options.seq_len : 1;
    if (loaded.tokenizer)
      loaded.target_bytes = CountBytes(all.Slice(first, all.size()), *loaded.tokenizer);
    return loaded;
  }
  const int64_t cut = TrainingPart(all.size(), options.val_fraction);
  TRAMA_ASSIGN_OR_RETURN(loaded.train, Training(all.Slice(0, cut), options));
  if (options.val_fraction > 0) {
    TRAMA_ASSIGN_OR_RETURN(loaded.validation,
                           Validation(all.Slice(cut, all.size()), options.data, options));
  } else if (other) {
    TRAMA_ASSIGN_OR_RETURN(loaded.validation, Validation(*other, options.val_data, options));
  }
  return loaded;
}

absl::Status Check(const DataOptions& options) {
  constexpr int64_t kMost = int64_t{1} << 40;  // and no sum of such lengths overflows
  if (options.seq_len > kMost || options.stride > kMost)
    return absl::InvalidArgumentError(
        absl::StrCat(options.data, ": seq_len and stride are at most ", kMost, " tokens"));
  if (options.seq_len < 1)
    return absl::InvalidArgumentError(
        absl::StrCat(options.data, ": text is read in windows of at least 1 token, and seq_len is ",
                     options.seq_len, "; a model without a time axis takes tables or tensors"));
  if (options.stride < 0)
    return absl::InvalidArgumentError(
        absl::StrCat("stride is ", options.stride, ", not at least 0"));
  if (!options.training && options.stride > options.seq_len)
    return absl::InvalidArgumentError(absl::StrCat("stride is ", options.stride,
                                                   ", beyond the window of ", options.seq_len,
                                                   " tokens: those between would not be counted"));
  return absl::OkStatus();
}

absl::StatusOr<LoadedData> LoadText(const DataOptions& given) {
  DataOptions options = given;
  TRAMA_RETURN_IF_ERROR(Check(options));
  const bool lines = ExtensionOf(options.data) == ".jsonl";
  TRAMA_ASSIGN_OR_RETURN(
      std::vector<Document> documents,
      ReadDocuments(options.data, lines ? options.limit : 0, options.strip_gutenberg));
  TRAMA_ASSIGN_OR_RETURN(options.tokenizer, TokenizerOf(options, documents));
  TRAMA_ASSIGN_OR_RETURN(std::vector<int32_t> ids, EncodeDocuments(documents, *options.tokenizer));
  documents.clear();
  Tokens all(std::move(ids));
  if (!lines) all = Limit(all, options);
  if (!options.training || options.val_data.empty()) return Split(all, nullptr, options);
  TRAMA_ASSIGN_OR_RETURN(documents, ReadDocuments(options.val_data, 0, options.strip_gutenberg));
  TRAMA_ASSIGN_OR_RETURN(ids, EncodeDocuments(documents, *options.tokenizer));
  const Tokens other(std::move(ids));
  return Split(all, &other, options);
}

absl::Status CheckIds(const Tokens& tokens, const std::string& path, int64_t vocab_size) {
  if (tokens.size() == 0)
    return absl::InvalidArgumentError(absl::StrCat(path, ": no ids, the data is empty"));
  if (vocab_size == 0) return absl::OkStatus();
  for (int64_t i = 0; i < tokens.size(); ++i)
    if (tokens[i] >= vocab_size)
      return absl::InvalidArgumentError(absl::StrCat(path, ": byte ", 2 * i, ": id ", tokens[i],
                                                     " is outside the model's vocabulary of ",
                                                     vocab_size));
  return absl::OkStatus();
}

// Ids need no tokenizer, but where one is named they are its.
absl::StatusOr<LoadedData> LoadBinary(const DataOptions& given) {
  DataOptions options = given;
  TRAMA_RETURN_IF_ERROR(Check(options));
  if (!options.tokenizer && options.tokenizer_spec != "chars") {
    TRAMA_ASSIGN_OR_RETURN(options.tokenizer, MakeTokenizer(options.tokenizer_spec, {}));
  }
  const int64_t vocab_size = options.vocab_size > 0 ? options.vocab_size
                             : options.tokenizer    ? options.tokenizer->vocab_size()
                                                    : options.ids.input_ids;
  TRAMA_ASSIGN_OR_RETURN(const Tokens file, Tokens::MapUint16(options.data));
  TRAMA_RETURN_IF_ERROR(CheckIds(file, options.data, vocab_size));
  const Tokens all = Limit(file, options);
  if (!options.training || options.val_data.empty()) return Split(all, nullptr, options);
  TRAMA_ASSIGN_OR_RETURN(const Tokens other, Tokens::MapUint16(options.val_data));
  TRAMA_RETURN_IF_ERROR(CheckIds(other, options.val_data, vocab_size));
  return Split(all, &other, options);
}

TRAMA_DATA_KIND((DataKind{".txt, .jsonl or a folder of .txt",
                          IsText,
                          LoadText,
                          /*priority=*/0,
                          {"strip_gutenberg"}}));
const bool binary_registered [[maybe_unused]] =
    RegisterDataKind(DataKind{".bin", IsBinary, LoadBinary});

}  // namespace
}  // namespace trama
