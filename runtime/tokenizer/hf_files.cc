#include "runtime/tokenizer/hf_files.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"

namespace trama {
namespace {

absl::Status Wrong(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

// A token as these files write it: a string, or an object with its "content".
const std::string* ContentOf(const Json& token) {
  if (const std::string* text = token.if_string()) return text;
  const Json* content = token.Find("content");
  return content ? content->if_string() : nullptr;
}

absl::StatusOr<DeclaredToken> ReadAdded(const Json& token, const std::string& path) {
  DeclaredToken added;
  const std::string* content = ContentOf(token);
  if (!content || content->empty()) return Wrong(path, "an added token has no \"content\"");
  added.content = *content;
  bool single_word = false;
  for (const auto& [key, to] :
       {std::pair("special", &added.special), std::pair("lstrip", &added.lstrip),
        std::pair("rstrip", &added.rstrip), std::pair("normalized", &added.normalized),
        std::pair("single_word", &single_word)}) {
    absl::StatusOr<bool> given = token.GetOr<bool>(key, *to);
    if (!given.ok()) return Wrong(path, std::string(given.status().message()));
    *to = *given;
  }
  if (single_word)
    return absl::UnimplementedError(absl::StrCat(path, ": \"single_word\" of the added token \"",
                                                 added.content, "\" is not supported"));
  return added;
}

Json AddedTokenJson(const AddedToken& token) {
  Json json;
  json.Set("content", token.content).Set("single_word", false).Set("lstrip", token.lstrip);
  json.Set("rstrip", token.rstrip).Set("normalized", false);
  return json.Set("special", token.special);
}

absl::Status ReadRoles(const Json& json, const std::string& path, TokenizerSettings& settings) {
  for (const auto& [key, value] : json.object()) {
    if (!absl::EndsWith(key, "_token")) continue;
    const std::string* content = ContentOf(value);
    if (!content || content->empty()) continue;
    settings.roles[key] = *content;
    if (!value.is_object()) continue;
    TRAMA_ASSIGN_OR_RETURN(DeclaredToken added, ReadAdded(value, path));
    added.special = true;
    settings.added.push_back(std::move(added));
  }
  return absl::OkStatus();
}

absl::Status ReadConfig(const Json& json, const std::string& path, TokenizerSettings& settings) {
  TRAMA_RETURN_IF_ERROR(ReadRoles(json, path, settings));
  auto read = [&](const char* key, std::optional<bool>& to) -> absl::Status {
    const Json* value = json.Find(key);
    if (!value || value->is_null()) return absl::OkStatus();
    absl::StatusOr<bool> given = json.Get<bool>(key);
    if (!given.ok()) return Wrong(path, std::string(given.status().message()));
    to = *given;
    return absl::OkStatus();
  };
  std::optional<bool> prefix, starts;
  TRAMA_RETURN_IF_ERROR(read("add_bos_token", starts));
  if (starts.value_or(false))
    return absl::UnimplementedError(
        absl::StrCat(path, ": \"add_bos_token\": true is not supported"));
  TRAMA_RETURN_IF_ERROR(read("add_prefix_space", prefix));
  settings.add_prefix_space = prefix.value_or(false);
  TRAMA_RETURN_IF_ERROR(read("do_lower_case", settings.lowercase));
  TRAMA_RETURN_IF_ERROR(read("strip_accents", settings.strip_accents));
  TRAMA_RETURN_IF_ERROR(read("tokenize_chinese_chars", settings.split_cjk));
  const Json* decoder = json.Find("added_tokens_decoder");
  if (!decoder) return absl::OkStatus();
  for (const auto& [key, value] : decoder->object()) {
    TRAMA_ASSIGN_OR_RETURN(DeclaredToken added, ReadAdded(value, path));
    int64_t id;
    if (!absl::SimpleAtoi(key, &id))
      return Wrong(path, absl::StrCat("\"added_tokens_decoder\": \"", key, "\" is not an id"));
    added.id = id;
    settings.added.push_back(std::move(added));
  }
  return absl::OkStatus();
}

}  // namespace

std::string TokenizerSettings::Role(const std::string& role, const std::string& fallback) const {
  const auto found = roles.find(role);
  return found == roles.end() ? fallback : found->second;
}

bool TokenizerSettings::IsNormalized(const std::string& content) const {
  return std::any_of(added.begin(), added.end(), [&](const DeclaredToken& token) {
    return token.content == content && token.normalized;
  });
}

absl::StatusOr<TokenizerSettings> ReadTokenizerSettings(const std::string& directory) {
  TokenizerSettings settings;
  if (const std::string path = JoinPath(directory, "special_tokens_map.json"); FileExists(path)) {
    TRAMA_ASSIGN_OR_RETURN(const Json json, Json::ParseFile(path));
    TRAMA_RETURN_IF_ERROR(ReadRoles(json, path, settings));
  }
  if (const std::string path = JoinPath(directory, "tokenizer_config.json"); FileExists(path)) {
    TRAMA_ASSIGN_OR_RETURN(const Json json, Json::ParseFile(path));
    TRAMA_RETURN_IF_ERROR(ReadConfig(json, path, settings));
  }
  if (const std::string path = JoinPath(directory, "added_tokens.json"); FileExists(path)) {
    TRAMA_ASSIGN_OR_RETURN(const Json json, Json::ParseFile(path));
    for (const auto& [content, value] : json.object()) {
      const int64_t* id = value.if_int();
      if (!id) return Wrong(path, absl::StrCat("the id of \"", content, "\" is no integer"));
      if (content.empty()) return Wrong(path, "an added token is empty");
      const bool declared =
          std::any_of(settings.added.begin(), settings.added.end(),
                      [&](const auto& token) { return token.content == content; });
      settings.added.push_back({content, *id, /*special=*/false});
      settings.added.back().normalized = !declared;  // as `transformers` takes them
    }
  }
  for (const auto& [role, content] : settings.roles) settings.added.push_back({content, {}});
  return settings;
}

absl::Status ReadAddedTokens(const Json& tokenizer, const std::string& path,
                             TokenizerSettings& settings) {
  const Json* tokens = tokenizer.Find("added_tokens");
  if (!tokens) return absl::OkStatus();
  for (const Json& token : tokens->array()) {
    TRAMA_ASSIGN_OR_RETURN(DeclaredToken added, ReadAdded(token, path));
    absl::StatusOr<int64_t> id = token.Get<int64_t>("id");
    if (!id.ok())
      return Wrong(path, absl::StrCat("\"", added.content, "\": ", id.status().message()));
    added.id = *id;
    settings.added.push_back(std::move(added));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ReadVocabulary(const Json& vocabulary,
                                                        const std::string& path,
                                                        const TokenizerSettings& settings) {
  absl::flat_hash_map<std::string_view, int64_t> ids;
  for (const auto& [token, value] : vocabulary.object()) {
    const int64_t* id = value.if_int();
    if (!id) return Wrong(path, absl::StrCat("the id of \"", token, "\" is no integer"));
    if (!ids.emplace(token, *id).second)
      return Wrong(path, absl::StrCat("\"", token, "\" is there twice"));
  }
  if (ids.empty()) return Wrong(path, "no tokens");
  for (const DeclaredToken& added : settings.added) {
    if (!added.id) continue;
    const auto [found, is_new] = ids.emplace(added.content, *added.id);
    if (!is_new && found->second != *added.id)
      return Wrong(path, absl::StrCat("\"", added.content, "\" has id ", found->second, ", but ",
                                      *added.id, " among the added tokens"));
  }
  std::vector<std::string> tokens(ids.size());
  std::vector<bool> given(ids.size());
  // In the files' order, so that of two tokens the later one is named.
  auto place = [&](const std::string& token) -> absl::Status {
    const int64_t id = ids.at(token);
    if (id < 0 || id >= static_cast<int64_t>(tokens.size()) || (given[id] && tokens[id] != token))
      return Wrong(path, absl::StrCat("the id of \"", token, "\" (", id, ") is not one of 0 to ",
                                      tokens.size() - 1, ", each used once"));
    given[id] = true;
    tokens[id] = token;
    return absl::OkStatus();
  };
  for (const auto& [token, value] : vocabulary.object()) TRAMA_RETURN_IF_ERROR(place(token));
  for (const DeclaredToken& added : settings.added)
    if (added.id) TRAMA_RETURN_IF_ERROR(place(added.content));
  return tokens;
}

Json VocabularyJson(const std::vector<std::string>& tokens) {
  Json::Object members;
  members.reserve(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) members.emplace_back(tokens[id], id);
  return Json::MakeObject(std::move(members));
}

AddedTokens AddedTokensOf(const std::vector<std::string>& tokens,
                          const TokenizerSettings& settings) {
  absl::flat_hash_map<std::string_view, AddedToken> declared;
  for (const DeclaredToken& token : settings.added) {
    AddedToken& added =
        declared.try_emplace(token.content, AddedToken{.content = {}, .special = false})
            .first->second;
    added.special |= token.special;
    added.lstrip |= token.lstrip;
    added.rstrip |= token.rstrip;
  }
  AddedTokens found;
  for (size_t id = 0; id < tokens.size(); ++id) {
    const auto token = declared.find(tokens[id]);
    if (token == declared.end()) continue;
    found.push_back(token->second);
    found.back().content = tokens[id];
    found.back().id = static_cast<int32_t>(id);
  }
  return found;
}

absl::Status WriteTokenizerFiles(const std::string& directory, std::string_view class_name,
                                 const AddedTokens& added_tokens,
                                 const std::map<std::string, std::string>& roles,
                                 const Json& more) {
  Json config, added = Json::MakeObject();
  for (const AddedToken& token : added_tokens)
    added.Set(absl::StrCat(token.id), AddedTokenJson(token));
  config.Set("added_tokens_decoder", std::move(added));
  config.Set("tokenizer_class", class_name);
  for (const auto& [role, content] : roles) config.Set(role, content);
  for (const auto& [key, value] : more.object()) config.Set(key, value);
  return AtomicWriteFile(JoinPath(directory, "tokenizer_config.json"), config.Dump(2) + "\n");
}

absl::Status WriteTokenizerJson(const std::string& directory, const AddedTokens& added_tokens,
                                const Json& normalizer, const Json& pre_tokenizer,
                                const Json& post_processor, const Json& decoder,
                                const Json& model) {
  Json added = Json::EmptyArray();
  for (const AddedToken& token : added_tokens) {
    Json json = AddedTokenJson(token);
    added.Append(std::move(json.Set("id", token.id)));
  }
  Json json;
  json.Set("version", "1.0").Set("truncation", Json()).Set("padding", Json());
  json.Set("added_tokens", std::move(added));
  json.Set("normalizer", normalizer).Set("pre_tokenizer", pre_tokenizer);
  json.Set("post_processor", post_processor).Set("decoder", decoder).Set("model", model);
  return AtomicWriteFile(JoinPath(directory, "tokenizer.json"), json.Dump(2) + "\n");
}

}  // namespace trama
