#include "runtime/tokenizer/gpt2_tokenizer.h"

#include "absl/memory/memory.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/utf8.h"
#include "runtime/tokenizer/bpe_files.h"

namespace trama {
namespace {

constexpr char kEndOfText[] = "<|endoftext|>";

TRAMA_TOKENIZER(Gpt2Tokenizer::kClassName, Gpt2Tokenizer::LoadFrom);
TRAMA_TOKENIZER_ALIAS(fast, "GPT2TokenizerFast", Gpt2Tokenizer::LoadFrom);

// The length of an ASCII word at the front, with the space before it, that is a piece for sure: an
// ASCII character that is no letter follows. Most pieces of English are such; the pattern need not
// be asked. 0 where there is none.
size_t AsciiWord(std::string_view text) {
  const size_t start = !text.empty() && text[0] == ' ';
  size_t end = start;
  while (end < text.size() && absl::ascii_isalpha(static_cast<uint8_t>(text[end]))) ++end;
  const bool certain = end > start && (end == text.size() || static_cast<int8_t>(text[end]) >= 0);
  return certain ? end : 0;
}

bool StartsWithSpace(std::string_view text) {
  static const Splitter* const spaces =
      new Splitter(*Splitter::Compile(absl::StrCat("^[", kUnicodeSpaces, "]")));
  std::string_view space;
  return Splitter::Pieces(*spaces, text).Next(&space);
}

}  // namespace

std::string Gpt2Tokenizer::Pattern() {
  return absl::StrCat(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{L}\p{N})", kUnicodeSpaces,
                      "]+|[", kUnicodeSpaces, "]+(?![^", kUnicodeSpaces, "])|[", kUnicodeSpaces,
                      "]+");
}

Gpt2Tokenizer::Gpt2Tokenizer(BpeModel model, Splitter splitter, Options options)
    : model_(std::move(model)), splitter_(std::move(splitter)), options_(std::move(options)) {
  const auto role = options_.roles.find("eos_token");
  const std::string eos = role == options_.roles.end() ? kEndOfText : role->second;
  for (const AddedToken& token : options_.added_tokens)
    if (token.content == eos) eos_id_ = token.id;
}

absl::StatusOr<std::unique_ptr<Gpt2Tokenizer>> Gpt2Tokenizer::Create(BpeModel model,
                                                                     Options options) {
  TRAMA_ASSIGN_OR_RETURN(Splitter splitter, Splitter::Compile(Pattern()));
  return absl::WrapUnique(
      new Gpt2Tokenizer(std::move(model), std::move(splitter), std::move(options)));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Gpt2Tokenizer::LoadFrom(const std::string& directory) {
  return ReadFrom(directory, VocabularySource::kAny);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Gpt2Tokenizer::LoadFromJson(
    const std::string& directory) {
  return ReadFrom(directory, VocabularySource::kTokenizerJson);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Gpt2Tokenizer::ReadFrom(const std::string& directory,
                                                                   VocabularySource source) {
  TRAMA_ASSIGN_OR_RETURN(BpeFiles files, ReadBpeFiles(directory, source));
  Options options;
  // GPT-2's own files do not say that this token is special.
  files.settings.added.push_back({kEndOfText, {}});
  options.added_tokens = AddedTokensOf(files.strings, files.settings);
  options.roles = std::move(files.settings.roles);
  options.add_prefix_space = files.settings.add_prefix_space;
  return Create(std::move(files.model), std::move(options));
}

absl::Status Gpt2Tokenizer::EncodeWords(std::string_view text, WordCache& cache,
                                        std::vector<int32_t>& ids) const {
  Splitter::Pieces pieces(splitter_, text);
  BpeModel::Scratch scratch;
  std::string_view word;
  for (size_t at = 0; at < text.size();) {
    if (const size_t length = AsciiWord(text.substr(at)); length > 0) {
      word = text.substr(at, length);
    } else {
      pieces.Seek(at);
      if (!pieces.Next(&word)) break;
    }
    at = static_cast<size_t>(word.data() - text.data()) + word.size();
    if (cache.Find(word, ids)) continue;
    const size_t before = ids.size(), encoded = model_.Encode(word, scratch, ids);
    if (encoded < word.size())
      return absl::InvalidArgumentError(
          absl::StrCat("byte ", at - word.size() + encoded, ": the byte 0x",
                       absl::Hex(static_cast<uint8_t>(word[encoded]), absl::kZeroPad2),
                       " is not in the vocabulary"));
    cache.Insert(word, absl::MakeConstSpan(ids).subspan(before));
  }
  return pieces.status();
}

absl::StatusOr<std::vector<int32_t>> Gpt2Tokenizer::EncodePlain(std::string_view text) const {
  TRAMA_RETURN_IF_ERROR(CheckUtf8(text));
  std::string prefixed;
  if (options_.add_prefix_space && !text.empty() && !StartsWithSpace(text)) {
    prefixed = absl::StrCat(" ", std::string(text));
    text = prefixed;
  }
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3);
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) {
    TRAMA_RETURN_IF_ERROR(EncodeWords(text, cache_, ids));
  } else {
    WordCache own;
    TRAMA_RETURN_IF_ERROR(EncodeWords(text, own, ids));
  }
  return ids;
}

std::string Gpt2Tokenizer::Decode(absl::Span<const int32_t> ids) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (id >= 0 && id < vocab_size())
      bytes += model_.tokens()[static_cast<size_t>(id)];
    else
      bytes += kReplacementCharacter;
  }
  return bytes;
}

absl::Status Gpt2Tokenizer::Save(const std::string& directory) const {
  Json more;
  more.Set("add_prefix_space", options_.add_prefix_space);
  std::map<std::string, std::string> roles = options_.roles;
  if (eos_id_) roles.emplace("eos_token", kEndOfText);
  TRAMA_RETURN_IF_ERROR(
      WriteTokenizerFiles(directory, kClassName, options_.added_tokens, roles, more));
  return WriteBpeFiles(directory, model_, options_.added_tokens, options_.add_prefix_space);
}

std::string Gpt2Tokenizer::Vocabulary() const {
  std::string text = options_.add_prefix_space ? " " : "";
  for (const std::string& token : model_.tokens()) absl::StrAppend(&text, token.size(), " ", token);
  for (const auto& [left, right] : model_.merges()) absl::StrAppend(&text, left, " ", right, " ");
  for (const AddedToken& token : options_.added_tokens) absl::StrAppend(&text, token.id, " ");
  return text;
}

}  // namespace trama
