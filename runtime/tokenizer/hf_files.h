// What Hugging Face's tokenizer files share: the special tokens, settings and vocabularies.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/formats/json.h"
#include "runtime/tokenizer/tokenizer.h"

namespace trama {

// A vocabulary may lie in a directory twice: in files of its own and in tokenizer.json.
enum class VocabularySource {
  kAny,            // its own files where they are there
  kTokenizerJson,  // what the classes of "fast" tokenizers read
};

// What a file says of an added token.
struct DeclaredToken {
  std::string content;
  std::optional<int64_t> id;  // where the file says
  bool special = true;
  bool lstrip = false, rstrip = false;
  bool normalized = false;  // found in the text that a normalizer leaves
};

struct TokenizerSettings {
  std::map<std::string, std::string> roles;  // "eos_token": "<|endoftext|>", ...
  std::vector<DeclaredToken> added;          // of every file, those of `roles` too
  bool add_prefix_space = false;
  std::optional<bool> lowercase, strip_accents, split_cjk;
  std::string Role(const std::string& role, const std::string& fallback) const;
  bool IsNormalized(const std::string& content) const;
};

// tokenizer_config.json, special_tokens_map.json and added_tokens.json, those that are there.
// Unimplemented for what would give other ids: "single_word" of an added token, "add_bos_token".
absl::StatusOr<TokenizerSettings> ReadTokenizerSettings(const std::string& directory);
// The "added_tokens" of a tokenizer.json.
absl::Status ReadAddedTokens(const Json& tokenizer, const std::string& path,
                             TokenizerSettings& settings);

// The strings of a vocabulary {"TOKEN": ID, ...} by id, with the added tokens that have an id.
// InvalidArgument where the ids are not 0 to n-1, each used once.
absl::StatusOr<std::vector<std::string>> ReadVocabulary(const Json& vocabulary,
                                                        const std::string& path,
                                                        const TokenizerSettings& settings);
Json VocabularyJson(const std::vector<std::string>& tokens);

// The added tokens that a vocabulary has. What one file says of a token holds beside what others
// say: it is special where any of them has it so.
AddedTokens AddedTokensOf(const std::vector<std::string>& tokens,
                          const TokenizerSettings& settings);

// tokenizer_config.json: the class, the added tokens, the roles and `more`.
absl::Status WriteTokenizerFiles(const std::string& directory, std::string_view class_name,
                                 const AddedTokens& added_tokens,
                                 const std::map<std::string, std::string>& roles,
                                 const Json& more = Json::MakeObject());
// tokenizer.json of the parts; what is left out is null.
absl::Status WriteTokenizerJson(const std::string& directory, const AddedTokens& added_tokens,
                                const Json& normalizer, const Json& pre_tokenizer,
                                const Json& post_processor, const Json& decoder, const Json& model);

}  // namespace trama
