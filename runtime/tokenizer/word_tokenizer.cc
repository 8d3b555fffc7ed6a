#include "runtime/tokenizer/word_tokenizer.h"

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/formats/utf8.h"
#include "runtime/tokenizer/hf_files.h"

namespace trama {
namespace {

constexpr std::pair<const char*, const char*> kRoles[] = {
    {"pad_token", "[PAD]"}, {"unk_token", "[UNK]"}, {"bos_token", "[BOS]"}, {"eos_token", "[EOS]"}};

std::string SpacesPattern() { return absl::StrCat("[^", kUnicodeSpaces, "]+"); }

}  // namespace

std::string WordTokenizer::Pattern() {
  // \w of Unicode's recommendation (UTS 18), which is not quite PCRE2's.
  constexpr char kWord[] = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control})";
  return absl::StrCat("[", kWord, "]+|[^", kWord, kUnicodeSpaces, "]+");
}

WordTokenizer::WordTokenizer(std::vector<std::string> tokens, Splitter splitter, Options options)
    : tokens_(std::move(tokens)), splitter_(std::move(splitter)), options_(std::move(options)) {
  for (size_t id = 0; id < tokens_.size(); ++id)
    ids_.emplace(tokens_[id], static_cast<int32_t>(id));
}

absl::StatusOr<std::unique_ptr<WordTokenizer>> WordTokenizer::Create(
    std::vector<std::string> tokens, Options options) {
  TRAMA_ASSIGN_OR_RETURN(Splitter splitter,
                         Splitter::Compile(options.at_spaces ? SpacesPattern() : Pattern()));
  return absl::WrapUnique(
      new WordTokenizer(std::move(tokens), std::move(splitter), std::move(options)));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> WordTokenizer::LoadFrom(const std::string& directory) {
  TRAMA_ASSIGN_OR_RETURN(TokenizerSettings settings, ReadTokenizerSettings(directory));
  const std::string path = JoinPath(directory, "tokenizer.json");
  TRAMA_ASSIGN_OR_RETURN(const Json json, Json::ParseFile(path));
  TRAMA_RETURN_IF_ERROR(ReadAddedTokens(json, path, settings));
  const Json* model = json.Find("model");
  const Json* vocabulary = model ? model->Find("vocab") : nullptr;
  if (!vocabulary)
    return absl::InvalidArgumentError(absl::StrCat(path, ": \"model\" has no \"vocab\""));
  const Json* split = json.Find("pre_tokenizer");
  const std::string type = split ? split->GetOr<std::string>("type", "").value_or("") : "";
  const Json* normalizer = json.Find("normalizer");
  if ((type != "Whitespace" && type != "WhitespaceSplit") || (normalizer && !normalizer->is_null()))
    return absl::UnimplementedError(absl::StrCat(
        path,
        ": WordLevel is supported with the pre_tokenizers Whitespace and WhitespaceSplit, "
        "and without a normalizer"));
  TRAMA_ASSIGN_OR_RETURN(std::vector<std::string> tokens,
                         ReadVocabulary(*vocabulary, path, settings));
  settings.roles.emplace("unk_token", model->GetOr<std::string>("unk_token", "").value_or(""));
  if (settings.roles["unk_token"].empty()) settings.roles.erase("unk_token");
  for (const auto& [role, content] : kRoles)
    settings.added.push_back({settings.Role(role, content), {}});
  Options options;
  options.special_tokens = SpecialTokensOf(tokens, settings);
  options.roles = std::move(settings.roles);
  options.at_spaces = type == "WhitespaceSplit";
  return Create(std::move(tokens), std::move(options));
}

std::optional<int32_t> WordTokenizer::IdOfRole(const std::string& role,
                                               const std::string& fallback) const {
  const auto named = options_.roles.find(role);
  const auto found = ids_.find(named == options_.roles.end() ? fallback : named->second);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<std::vector<int32_t>> WordTokenizer::Encode(std::string_view text) const {
  if (const std::optional<size_t> invalid = FindInvalidUtf8(text))
    return absl::InvalidArgumentError(absl::StrCat("byte ", *invalid, ": invalid UTF-8"));
  const std::optional<int32_t> unknown = IdOfRole("unk_token", "[UNK]");
  std::vector<int32_t> ids;
  Splitter::Pieces words(splitter_, text);
  std::string_view word;
  while (words.Next(&word)) {
    const auto found = ids_.find(word);
    if (found == ids_.end() && !unknown)
      return absl::InvalidArgumentError(
          absl::StrCat("byte ", word.data() - text.data(), ": the word '", std::string(word),
                       "' is not in the vocabulary, which has no [UNK]"));
    ids.push_back(found == ids_.end() ? *unknown : found->second);
  }
  TRAMA_RETURN_IF_ERROR(words.status());
  return ids;
}

std::string WordTokenizer::Decode(absl::Span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) {
    text += ' ';
    text += id >= 0 && id < vocab_size() ? tokens_[static_cast<size_t>(id)] : "\xEF\xBF\xBD";
  }
  return text;
}

std::string WordTokenizer::DecodeText(absl::Span<const int32_t> ids) const {
  return std::string(absl::StripPrefix(Decode(ids), " "));
}

absl::Status WordTokenizer::Save(const std::string& directory) const {
  std::map<std::string, std::string> roles = options_.roles;
  for (const auto& [role, content] : kRoles)
    if (ids_.contains(content)) roles.emplace(role, content);
  TRAMA_RETURN_IF_ERROR(WriteTokenizerFiles(directory, kClassName, roles));
  Json split, model;
  split.Set("type", options_.at_spaces ? "WhitespaceSplit" : "Whitespace");
  model.Set("type", "WordLevel").Set("vocab", VocabularyJson(tokens_));
  const auto unknown = roles.find("unk_token");
  model.Set("unk_token", unknown == roles.end() ? Json() : Json(unknown->second));
  return WriteTokenizerJson(directory, options_.special_tokens, Json(), split, Json(), Json(),
                            model);
}

std::string WordTokenizer::Vocabulary() const {
  std::string text = options_.at_spaces ? "spaces\n" : "words\n";
  for (const std::string& token : tokens_) absl::StrAppend(&text, token, "\n");
  return text;
}

}  // namespace trama
