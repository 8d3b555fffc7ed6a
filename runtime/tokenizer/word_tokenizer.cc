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
#include "runtime/tokenizer/hf_parts.h"

namespace trama {
namespace {

constexpr std::pair<const char*, const char*> kRoles[] = {
    {"pad_token", "[PAD]"}, {"unk_token", "[UNK]"}, {"bos_token", "[BOS]"}, {"eos_token", "[EOS]"}};

using Split = WordTokenizer::Split;

Json Typed(const char* type) {
  Json json;
  json.Set("type", type);
  return json;
}

// The "pre_tokenizer" of a tokenizer.json, from options and back.
Json SplitJson(const WordTokenizer::Options& options) {
  if (options.split == Split::kWords) return Typed("Whitespace");
  if (options.isolate.empty()) return Typed("WhitespaceSplit");
  Json pattern, isolate = Typed("Split"), both = Typed("Sequence");
  pattern.Set("Regex", options.isolate);
  isolate.Set("pattern", pattern).Set("behavior", "Isolated").Set("invert", false);
  both.Set("pretokenizers", Json(Json::Array{isolate, Typed("WhitespaceSplit")}));
  return both;
}

bool ReadSplit(const Json* json, WordTokenizer::Options& options) {
  if (!json) return false;
  auto is = [](const Json& object, const char* key, const char* value) {
    return object.GetOr<std::string>(key, "").value_or("") == value;
  };
  options.split = is(*json, "type", "Whitespace") ? Split::kWords : Split::kSpaces;
  if (is(*json, "type", "Whitespace") || is(*json, "type", "WhitespaceSplit")) return true;
  const Json* parts = json->Find("pretokenizers");
  if (!is(*json, "type", "Sequence") || !parts || parts->array().size() != 2) return false;
  const Json &isolate = parts->array()[0], *pattern = isolate.Find("pattern");
  if (!is(isolate, "type", "Split") || !is(isolate, "behavior", "Isolated") || !pattern ||
      isolate.GetOr<bool>("invert", false).value_or(true) ||
      !is(parts->array()[1], "type", "WhitespaceSplit"))
    return false;
  options.isolate = pattern->GetOr<std::string>("Regex", "").value_or("");
  return !options.isolate.empty();
}

}  // namespace

std::string WordTokenizer::Pattern(Split split, const std::string& isolate) {
  if (split == Split::kSpaces) {
    const std::string solid = absl::StrCat("[^", kUnicodeSpaces, "]");
    if (isolate.empty()) return solid + "+";
    return absl::StrCat("(?:", isolate, ")|(?:(?!", isolate, ")", solid, ")+");
  }
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
                         Splitter::Compile(Pattern(options.split, options.isolate)));
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
  TRAMA_RETURN_IF_ERROR(CheckParts(json, path, "WordLevel", settings));
  Options options;
  const Json* normalizer = json.Find("normalizer");
  if (!ReadSplit(json.Find("pre_tokenizer"), options) || (normalizer && !normalizer->is_null()))
    return absl::UnimplementedError(
        absl::StrCat(path,
                     ": WordLevel is supported with the pre_tokenizers Whitespace and "
                     "WhitespaceSplit, and without a normalizer"));
  TRAMA_ASSIGN_OR_RETURN(std::vector<std::string> tokens,
                         ReadVocabulary(*vocabulary, path, settings));
  settings.roles.emplace("unk_token", model->GetOr<std::string>("unk_token", "").value_or(""));
  if (settings.roles["unk_token"].empty()) settings.roles.erase("unk_token");
  for (const auto& [role, content] : kRoles)
    settings.added.push_back({settings.Role(role, content), {}});
  options.added_tokens = AddedTokensOf(tokens, settings);
  options.roles = std::move(settings.roles);
  absl::StatusOr<std::unique_ptr<WordTokenizer>> tokenizer =
      Create(std::move(tokens), std::move(options));
  if (!tokenizer.ok())
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", tokenizer.status().message()));
  return tokenizer;
}

std::optional<int32_t> WordTokenizer::IdOfRole(const std::string& role,
                                               const std::string& fallback) const {
  const auto named = options_.roles.find(role);
  const auto found = ids_.find(named == options_.roles.end() ? fallback : named->second);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<std::vector<int32_t>> WordTokenizer::EncodePlain(std::string_view text) const {
  TRAMA_RETURN_IF_ERROR(CheckUtf8(text));
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
    if (id >= 0 && id < vocab_size())
      text += tokens_[static_cast<size_t>(id)];
    else
      text += kReplacementCharacter;
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
  TRAMA_RETURN_IF_ERROR(WriteTokenizerFiles(directory, kClassName, options_.added_tokens, roles));
  Json model;
  model.Set("type", "WordLevel").Set("vocab", VocabularyJson(tokens_));
  const auto unknown = roles.find("unk_token");
  model.Set("unk_token", unknown == roles.end() ? Json() : Json(unknown->second));
  return WriteTokenizerJson(directory, options_.added_tokens, Json(), SplitJson(options_), Json(),
                            Json(), model);
}

std::string WordTokenizer::Vocabulary() const {
  std::string text = absl::StrCat(Pattern(options_.split, options_.isolate), "\n");
  for (const std::string& token : tokens_) absl::StrAppend(&text, token, "\n");
  return text;
}

}  // namespace trama
