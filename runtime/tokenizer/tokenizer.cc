#include "runtime/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/formats/crc32c.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/formats/utf8.h"
#include "runtime/tokenizer/bpe_files.h"
#include "runtime/tokenizer/byte_tokenizer.h"
#include "runtime/tokenizer/char_tokenizer.h"

namespace trama {
namespace {

constexpr char kConfigFile[] = "tokenizer_config.json";

std::map<std::string, TokenizerLoader>& Loaders() {
  static auto* const loaders = new std::map<std::string, TokenizerLoader>();
  return *loaders;
}

// The class of a directory without a name for it, "" where its files tell nothing.
std::string ClassByFiles(const std::string& directory) {
  auto has = [&](const char* name) { return FileExists(JoinPath(directory, name)); };
  for (const auto& [vocabulary, merges] : kBpeFileNames)
    if (has(vocabulary) && has(merges)) return "GPT2Tokenizer";
  if (has("vocab.txt")) return "BertTokenizer";
  if (has("tokenizer.json")) return "PreTrainedTokenizerFast";
  return "";
}

absl::StatusOr<std::string> ClassOf(const std::string& directory) {
  const std::string path = JoinPath(directory, kConfigFile), by_files = ClassByFiles(directory);
  if (!FileExists(path) && !by_files.empty()) return by_files;
  if (!FileExists(path))
    for (const auto& [vocabulary, merges] : kBpeFileNames)
      if (FileExists(JoinPath(directory, vocabulary)) || FileExists(JoinPath(directory, merges)))
        return std::string("GPT2Tokenizer");  // which says what is missing
  TRAMA_ASSIGN_OR_RETURN(const Json config, Json::ParseFile(path));
  if (!config.Find("tokenizer_class") && !by_files.empty()) return by_files;
  const absl::StatusOr<std::string> name = config.Get<std::string>("tokenizer_class");
  if (!name.ok())
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", name.status().message()));
  return name;
}

// The bytes of the Unicode White_Space at the front of a text, or at its end.
size_t SpacesAtFront(std::string_view text) {
  size_t end = 0;
  for (size_t length; (length = Utf8Length(text.substr(end))) > 0; end += length)
    if (!IsUnicodeSpace(DecodeUtf8(text.substr(end, length)))) break;
  return end;
}

size_t SpacesAtEnd(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0) {
    size_t first = begin - 1;
    while (first > 0 && (text[first] & 0xC0) == 0x80) --first;
    const std::string_view character = text.substr(first, begin - first);
    if (Utf8Length(character) != character.size() || !IsUnicodeSpace(DecodeUtf8(character))) break;
    begin = first;
  }
  return text.size() - begin;
}

}  // namespace

bool RegisterTokenizer(const std::string& class_name, TokenizerLoader load) {
  return Loaders().emplace(class_name, std::move(load)).second;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::Load(const std::string& directory) {
  TRAMA_ASSIGN_OR_RETURN(const std::string name, ClassOf(directory));
  const auto loader = Loaders().find(name);
  if (loader != Loaders().end()) return loader->second(directory);
  std::vector<std::string> known;
  for (const auto& [class_name, load] : Loaders()) known.push_back(class_name);
  return absl::UnimplementedError(absl::StrCat(
      JoinPath(directory, kConfigFile), ": no tokenizer of class ", name, DidYouMean(name, known)));
}

const AddedTokens& Tokenizer::added_tokens() const {
  static const auto* const none = new AddedTokens();
  return *none;
}

std::set<int32_t> Tokenizer::special_ids() const {
  std::set<int32_t> ids;
  for (const AddedToken& token : added_tokens())
    if (token.special) ids.insert(token.id);
  return ids;
}

absl::StatusOr<std::vector<int32_t>> Tokenizer::Encode(std::string_view text) const {
  AddedTokens tokens;
  for (const AddedToken& token : added_tokens())
    if (!token.special) tokens.push_back(token);
  return tokens.empty() ? EncodePlain(text) : EncodeAround(text, std::move(tokens));
}

absl::StatusOr<std::vector<int32_t>> Tokenizer::EncodeWithSpecial(std::string_view text) const {
  return added_tokens().empty() ? EncodePlain(text) : EncodeAround(text, added_tokens());
}

absl::StatusOr<std::vector<int32_t>> Tokenizer::EncodeAround(std::string_view text,
                                                             AddedTokens tokens) const {
  std::sort(tokens.begin(), tokens.end(), [](const AddedToken& a, const AddedToken& b) {
    return a.content.size() > b.content.size();
  });
  std::array<std::vector<const AddedToken*>, 256> by_byte;  // their first one
  for (const AddedToken& token : tokens)
    if (!token.content.empty()) by_byte[static_cast<uint8_t>(token.content[0])].push_back(&token);
  std::vector<int32_t> ids;
  size_t plain = 0;  // where the text that is not encoded yet starts
  auto encode_until = [&](size_t end) -> absl::Status {
    if (end == plain) return absl::OkStatus();
    absl::StatusOr<std::vector<int32_t>> part = EncodePlain(text.substr(plain, end - plain));
    if (!part.ok())
      return absl::Status(
          part.status().code(),
          plain == 0 ? std::string(part.status().message())
                     : absl::StrCat("from byte ", plain, " on, ", part.status().message()));
    ids.insert(ids.end(), part->begin(), part->end());
    return absl::OkStatus();
  };
  for (size_t at = 0; at < text.size();) {
    const auto& some = by_byte[static_cast<uint8_t>(text[at])];
    const auto first = std::find_if(some.begin(), some.end(), [&](const AddedToken* token) {
      return text.substr(at).starts_with(token->content);
    });
    if (first == some.end()) {
      ++at;
      continue;
    }
    const AddedToken* found = *first;
    TRAMA_RETURN_IF_ERROR(
        encode_until(found->lstrip ? at - SpacesAtEnd(text.substr(plain, at - plain)) : at));
    ids.push_back(found->id);
    at += found->content.size();
    if (found->rstrip) at += SpacesAtFront(text.substr(at));
    plain = at;
  }
  TRAMA_RETURN_IF_ERROR(encode_until(text.size()));
  return ids;
}

ModelInput Tokenizer::ForModel(absl::Span<const int32_t> first,
                               absl::Span<const int32_t> second) const {
  ModelInput input;
  input.ids.assign(first.begin(), first.end());
  input.ids.insert(input.ids.end(), second.begin(), second.end());
  input.type_ids.assign(first.size(), 0);
  input.type_ids.resize(input.ids.size(), 1);
  return input;
}

std::string Tokenizer::Fingerprint() const {
  std::string all = Vocabulary();
  for (const AddedToken& token : added_tokens())
    if (!token.special || token.lstrip || token.rstrip)
      absl::StrAppend(&all, token.id, token.special, token.lstrip, token.rstrip, " ");
  return absl::StrCat(std::string(class_name()), "-", vocab_size(), "-", Crc32cHex(all));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(const std::string& spec,
                                                         absl::Span<const std::string> texts) {
  if (spec == "chars") {
    TRAMA_ASSIGN_OR_RETURN(CharTokenizer tokenizer, CharTokenizer::FromTexts(texts));
    return std::make_unique<CharTokenizer>(std::move(tokenizer));
  }
  if (spec == "bytes") return std::make_unique<ByteTokenizer>();
  if (IsDirectory(spec)) return Tokenizer::Load(spec);
  std::string hint = DidYouMean(spec, {"chars", "bytes"});
  if (hint.empty()) hint = DidYouMeanFile(spec);
  return absl::NotFoundError(
      absl::StrCat("no tokenizer: ", spec, " (neither chars nor bytes nor a directory)", hint));
}

absl::Status WriteTokenizerConfig(const std::string& directory, std::string_view class_name) {
  Json config;
  config.Set("tokenizer_class", class_name);
  return AtomicWriteFile(JoinPath(directory, kConfigFile), config.Dump(2) + "\n");
}

}  // namespace trama
