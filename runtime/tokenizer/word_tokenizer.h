// One id a word: a word that the vocabulary lacks is [UNK].
#pragma once

#include <map>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "runtime/tokenizer/splitter.h"
#include "runtime/tokenizer/tokenizer.h"

namespace trama {

class WordTokenizer : public Tokenizer {
 public:
  static constexpr char kClassName[] = "PreTrainedTokenizerFast";  // a WordLevel tokenizer.json
  // How a text is cut: words and runs of signs (\w+|[^\w\s]+ in Unicode's sense, Hugging Face's
  // Whitespace), or at white space, after each match of `isolate` has become a word of its own.
  enum class Split { kWords, kSpaces };
  // The regular expression whose matches are the words.
  static std::string Pattern(Split split = Split::kWords, const std::string& isolate = "");

  struct Options {
    AddedTokens added_tokens;
    std::map<std::string, std::string> roles;  // "unk_token": "[UNK]", ...
    Split split = Split::kWords;
    std::string isolate;  // with kSpaces
  };
  // `tokens` by id. InvalidArgument for a wrong regular expression.
  static absl::StatusOr<std::unique_ptr<WordTokenizer>> Create(std::vector<std::string> tokens,
                                                               Options options);
  // tokenizer.json.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> LoadFrom(const std::string& directory);

  std::string_view class_name() const override { return kClassName; }
  int64_t vocab_size() const override { return static_cast<int64_t>(tokens_.size()); }
  std::optional<int32_t> eos_id() const override { return IdOfRole("eos_token", "[EOS]"); }
  const AddedTokens& added_tokens() const override { return options_.added_tokens; }
  std::string Decode(absl::Span<const int32_t> ids) const override;
  std::string DecodeText(absl::Span<const int32_t> ids) const override;
  absl::Status Save(const std::string& directory) const override;
  const std::vector<std::string>& tokens() const { return tokens_; }

 protected:
  // InvalidArgument where the text is not UTF-8, or a word is unknown and there is no [UNK].
  absl::StatusOr<std::vector<int32_t>> EncodePlain(std::string_view text) const override;
  std::string Vocabulary() const override;

 private:
  WordTokenizer(std::vector<std::string> tokens, Splitter splitter, Options options);
  std::optional<int32_t> IdOfRole(const std::string& role, const std::string& fallback) const;

  std::vector<std::string> tokens_;
  Splitter splitter_;
  Options options_;
  absl::flat_hash_map<std::string_view, int32_t> ids_;  // views of tokens_
};

}  // namespace trama
