#include "runtime/tokenizer/wordpiece_tokenizer.h"

#include <algorithm>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/utf8.h"
#include "runtime/tokenizer/hf_files.h"
#include "runtime/tokenizer/hf_parts.h"

namespace trama {
namespace {

constexpr std::string_view kContinues = "##";
constexpr std::pair<const char*, const char*> kRoles[] = {{"pad_token", "[PAD]"},
                                                          {"unk_token", "[UNK]"},
                                                          {"cls_token", "[CLS]"},
                                                          {"sep_token", "[SEP]"},
                                                          {"mask_token", "[MASK]"}};

TRAMA_TOKENIZER(WordPieceTokenizer::kClassName, WordPieceTokenizer::LoadFrom);
TRAMA_TOKENIZER_ALIAS(fast, "BertTokenizerFast", WordPieceTokenizer::LoadFrom);
TRAMA_TOKENIZER_ALIAS(distil, "DistilBertTokenizer", WordPieceTokenizer::LoadFrom);
TRAMA_TOKENIZER_ALIAS(distil_fast, "DistilBertTokenizerFast", WordPieceTokenizer::LoadFrom);

absl::Status Wrong(const std::string& place, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(place, ": ", what));
}

// The vocabulary of a tokenizer.json; `settings` gets its normalizer's.
absl::StatusOr<std::vector<std::string>> ReadJson(const std::string& path,
                                                  TokenizerSettings& settings) {
  TRAMA_ASSIGN_OR_RETURN(const Json json, Json::ParseFile(path));
  TRAMA_RETURN_IF_ERROR(ReadAddedTokens(json, path, settings));
  TRAMA_RETURN_IF_ERROR(CheckParts(json, path, "WordPiece", settings));
  auto unsupported = [&](const std::string& what) {
    return absl::UnimplementedError(absl::StrCat(path, ": ", what, " is not supported"));
  };
  auto text = [](const Json* object, const char* key, const char* fallback) {
    return object ? object->GetOr<std::string>(key, fallback).value_or("") : std::string(fallback);
  };
  const Json* normalizer = json.Find("normalizer");
  if (text(normalizer, "type", "") != "BertNormalizer" ||
      !normalizer->GetOr<bool>("clean_text", true).value_or(false))
    return unsupported("WordPiece without BertNormalizer");
  if (text(json.Find("pre_tokenizer"), "type", "") != "BertPreTokenizer")
    return unsupported("WordPiece without BertPreTokenizer");
  const Json* model = json.Find("model");
  if (text(model, "continuing_subword_prefix", "##") != kContinues)
    return unsupported("a continuing_subword_prefix other than ##");
  auto read = [&](const char* key, std::optional<bool>& to) -> absl::Status {
    const Json* value = normalizer->Find(key);
    if (!value || value->is_null()) return absl::OkStatus();
    absl::StatusOr<bool> given = value->As<bool>();
    if (!given.ok()) return Wrong(path, absl::StrCat("\"", key, "\": ", given.status().message()));
    to = *given;
    return absl::OkStatus();
  };
  TRAMA_RETURN_IF_ERROR(read("lowercase", settings.lowercase));
  TRAMA_RETURN_IF_ERROR(read("strip_accents", settings.strip_accents));
  TRAMA_RETURN_IF_ERROR(read("handle_chinese_chars", settings.split_cjk));
  settings.roles.emplace("unk_token", text(model, "unk_token", "[UNK]"));
  const Json* vocabulary = model ? model->Find("vocab") : nullptr;
  if (!vocabulary) return Wrong(path, "\"model\" has no \"vocab\"");
  return ReadVocabulary(*vocabulary, path, settings);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> WordPieceTokenizer::ReadVocabularyLines(
    const std::string& path) {
  TRAMA_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  TRAMA_RETURN_IF_ERROR(CheckUtf8(content, path));
  std::vector<std::string> tokens;
  absl::flat_hash_map<std::string, size_t> lines;
  for (absl::string_view line : absl::StrSplit(absl::StripSuffix(content, "\n"), '\n')) {
    if (absl::EndsWith(line, "\r")) line.remove_suffix(1);
    tokens.emplace_back(line);
    const std::string place = absl::StrCat(path, ":", tokens.size());
    if (line.empty()) return Wrong(place, "an empty line is no token");
    const auto [found, is_new] = lines.emplace(line, tokens.size());
    if (!is_new)
      return Wrong(place, absl::StrCat("\"", line, "\" is there twice (line ", found->second, ")"));
  }
  return tokens;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> WordPieceTokenizer::LoadFrom(
    const std::string& directory) {
  return ReadFrom(directory, VocabularySource::kAny);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> WordPieceTokenizer::LoadFromJson(
    const std::string& directory) {
  return ReadFrom(directory, VocabularySource::kTokenizerJson);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> WordPieceTokenizer::ReadFrom(
    const std::string& directory, VocabularySource source) {
  TRAMA_ASSIGN_OR_RETURN(TokenizerSettings settings, ReadTokenizerSettings(directory));
  const std::string lines = JoinPath(directory, "vocab.txt"),
                    json = JoinPath(directory, "tokenizer.json");
  const bool from_json =
      source == VocabularySource::kTokenizerJson || (!FileExists(lines) && FileExists(json));
  std::vector<std::string> tokens;
  if (from_json) {
    TRAMA_ASSIGN_OR_RETURN(tokens, ReadJson(json, settings));
  } else {
    TRAMA_ASSIGN_OR_RETURN(tokens, ReadVocabularyLines(lines));
  }
  for (const auto& [role, content] : kRoles)
    settings.added.push_back({settings.Role(role, content), {}});
  Options options;
  options.normalizer.lowercase = settings.lowercase.value_or(true);
  options.normalizer.strip_accents = settings.strip_accents.value_or(options.normalizer.lowercase);
  options.normalizer.split_cjk = settings.split_cjk.value_or(true);
  options.added_tokens = AddedTokensOf(tokens, settings);
  // It would be found in the text as BertNormalizer leaves it.
  for (const AddedToken& token : options.added_tokens)
    if (!token.special && settings.IsNormalized(token.content))
      return absl::UnimplementedError(
          absl::StrCat(directory, ": the added token \"", token.content,
                       "\" is not special but \"normalized\", which is not supported"));
  options.roles = std::move(settings.roles);
  absl::StatusOr<std::unique_ptr<WordPieceTokenizer>> tokenizer =
      Create(std::move(tokens), std::move(options));
  if (!tokenizer.ok())
    return Wrong(from_json ? json : lines, std::string(tokenizer.status().message()));
  return tokenizer;
}

WordPieceTokenizer::WordPieceTokenizer(std::vector<std::string> tokens, Options options)
    : tokens_(std::move(tokens)), options_(std::move(options)) {
  for (size_t id = 0; id < tokens_.size(); ++id) {
    ids_.emplace(tokens_[id], static_cast<int32_t>(id));
    longest_ = std::max(longest_, tokens_[id].size());
  }
  cls_ = IdOfRole("cls_token", "[CLS]");
  sep_ = IdOfRole("sep_token", "[SEP]");
}

absl::StatusOr<std::unique_ptr<WordPieceTokenizer>> WordPieceTokenizer::Create(
    std::vector<std::string> tokens, Options options) {
  auto tokenizer = absl::WrapUnique(new WordPieceTokenizer(std::move(tokens), std::move(options)));
  const std::optional<int32_t> unknown = tokenizer->IdOfRole("unk_token", "[UNK]");
  if (!unknown) return absl::InvalidArgumentError("no token [UNK] for unknown words");
  tokenizer->unknown_ = *unknown;
  return tokenizer;
}

std::optional<int32_t> WordPieceTokenizer::IdOfRole(const std::string& role,
                                                    const std::string& fallback) const {
  const auto named = options_.roles.find(role);
  const auto found = ids_.find(named == options_.roles.end() ? fallback : named->second);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

void WordPieceTokenizer::EncodeWord(std::string_view word, std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  const auto characters =
      std::count_if(word.begin(), word.end(), [](char c) { return (c & 0xC0) != 0x80; });
  std::string piece;
  for (size_t at = 0; at < word.size() && characters <= int64_t{kMaxWordCharacters};) {
    piece = at == 0 ? "" : kContinues;
    const size_t prefix = piece.size();
    piece += word.substr(at, longest_);
    auto found = ids_.find(piece);
    while (found == ids_.end() && piece.size() > prefix + 1) {
      piece.pop_back();
      found = ids_.find(piece);
    }
    if (found == ids_.end()) break;
    ids.push_back(found->second);
    at += piece.size() - prefix;
    if (at == word.size()) return;
  }
  ids.resize(before);
  ids.push_back(unknown_);
}

absl::StatusOr<std::vector<int32_t>> WordPieceTokenizer::EncodePlain(std::string_view text) const {
  TRAMA_RETURN_IF_ERROR(CheckUtf8(text));
  std::vector<int32_t> ids;
  for (const std::string& word : options_.normalizer.Words(text)) EncodeWord(word, ids);
  return ids;
}

ModelInput WordPieceTokenizer::ForModel(absl::Span<const int32_t> first,
                                        absl::Span<const int32_t> second) const {
  ModelInput input;
  auto add = [&](absl::Span<const int32_t> ids, int32_t type) {
    input.ids.insert(input.ids.end(), ids.begin(), ids.end());
    if (sep_) input.ids.push_back(*sep_);
    input.type_ids.resize(input.ids.size(), type);
  };
  if (cls_) input.ids.push_back(*cls_);
  add(first, 0);
  if (!second.empty()) add(second, 1);
  return input;
}

std::string WordPieceTokenizer::Decode(absl::Span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size()) {
      text += ' ';
      text += kReplacementCharacter;
      continue;
    }
    const std::string& token = tokens_[static_cast<size_t>(id)];
    if (absl::StartsWith(token, {kContinues.data(), kContinues.size()})) {
      text += token.substr(kContinues.size());
    } else {
      if (token != "." && token != "," && token != "?" && token != "!") text += ' ';
      text += token;
    }
  }
  return text;
}

std::string WordPieceTokenizer::DecodeText(absl::Span<const int32_t> ids) const {
  return std::string(absl::StripPrefix(Decode(ids), " "));
}

absl::Status WordPieceTokenizer::Save(const std::string& directory) const {
  const BertNormalizer& normalizer = options_.normalizer;
  Json more;
  more.Set("do_lower_case", normalizer.lowercase);
  more.Set("strip_accents", normalizer.strip_accents);
  more.Set("tokenize_chinese_chars", normalizer.split_cjk);
  std::map<std::string, std::string> roles = options_.roles;
  for (const auto& [role, content] : kRoles)
    if (ids_.contains(content)) roles.emplace(role, content);
  TRAMA_RETURN_IF_ERROR(
      WriteTokenizerFiles(directory, kClassName, options_.added_tokens, roles, more));
  std::string lines;
  for (const std::string& token : tokens_) absl::StrAppend(&lines, token, "\n");
  TRAMA_RETURN_IF_ERROR(AtomicWriteFile(JoinPath(directory, "vocab.txt"), lines));
  Json clean, split, frame, decoder, model;
  clean.Set("type", "BertNormalizer").Set("clean_text", true);
  clean.Set("handle_chinese_chars", normalizer.split_cjk);
  clean.Set("strip_accents", normalizer.strip_accents).Set("lowercase", normalizer.lowercase);
  split.Set("type", "BertPreTokenizer");
  if (cls_ && sep_) {
    frame.Set("type", "BertProcessing");
    frame.Set("sep", Json(Json::Array{tokens_[*sep_], *sep_}));
    frame.Set("cls", Json(Json::Array{tokens_[*cls_], *cls_}));
  }
  decoder.Set("type", "WordPiece").Set("prefix", kContinues).Set("cleanup", true);
  model.Set("type", "WordPiece").Set("unk_token", tokens_[unknown_]);
  model.Set("continuing_subword_prefix", kContinues);
  model.Set("max_input_chars_per_word", kMaxWordCharacters);
  model.Set("vocab", VocabularyJson(tokens_));
  return WriteTokenizerJson(directory, options_.added_tokens, clean, split, frame, decoder, model);
}

std::string WordPieceTokenizer::Vocabulary() const {
  const BertNormalizer& normalizer = options_.normalizer;
  std::string text =
      absl::StrCat(normalizer.lowercase, normalizer.strip_accents, normalizer.split_cjk, "\n");
  for (const std::string& token : tokens_) absl::StrAppend(&text, token, "\n");
  return text;
}

}  // namespace trama
