// BERT's WordPiece (Wu 2016, Devlin 2018): each word is the longest pieces of the vocabulary, those
// after its first with ## in front.
#pragma once

#include <map>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "runtime/tokenizer/bert_normalizer.h"
#include "runtime/tokenizer/hf_files.h"
#include "runtime/tokenizer/tokenizer.h"

namespace trama {

class WordPieceTokenizer : public Tokenizer {
 public:
  static constexpr char kClassName[] = "BertTokenizer";
  static constexpr size_t kMaxWordCharacters = 100;  // a longer word is unknown

  struct Options {
    BertNormalizer normalizer;
    AddedTokens added_tokens;
    std::map<std::string, std::string> roles;  // "unk_token": "[UNK]", ...
  };
  // `tokens` by id. InvalidArgument where the unknown token is not among them.
  static absl::StatusOr<std::unique_ptr<WordPieceTokenizer>> Create(std::vector<std::string> tokens,
                                                                    Options options);
  // vocab.txt (a token a line), or tokenizer.json.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> LoadFrom(const std::string& directory);
  // tokenizer.json, whatever lies beside it.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> LoadFromJson(const std::string& directory);
  static absl::StatusOr<std::vector<std::string>> ReadVocabularyLines(const std::string& path);

  std::string_view class_name() const override { return kClassName; }
  int64_t vocab_size() const override { return static_cast<int64_t>(tokens_.size()); }
  const AddedTokens& added_tokens() const override { return options_.added_tokens; }
  // [CLS] FIRST [SEP], or [CLS] FIRST [SEP] SECOND [SEP].
  ModelInput ForModel(absl::Span<const int32_t> first,
                      absl::Span<const int32_t> second = {}) const override;
  std::string Decode(absl::Span<const int32_t> ids) const override;
  std::string DecodeText(absl::Span<const int32_t> ids) const override;
  absl::Status Save(const std::string& directory) const override;
  const std::vector<std::string>& tokens() const { return tokens_; }

 protected:
  // Of the text alone. InvalidArgument where it is not UTF-8.
  absl::StatusOr<std::vector<int32_t>> EncodePlain(std::string_view text) const override;
  std::string Vocabulary() const override;

 private:
  static absl::StatusOr<std::unique_ptr<Tokenizer>> ReadFrom(const std::string& directory,
                                                             VocabularySource source);
  WordPieceTokenizer(std::vector<std::string> tokens, Options options);
  void EncodeWord(std::string_view word, std::vector<int32_t>& ids) const;
  std::optional<int32_t> IdOfRole(const std::string& role, const std::string& fallback) const;

  std::vector<std::string> tokens_;
  Options options_;
  absl::flat_hash_map<std::string_view, int32_t> ids_;  // views of tokens_
  size_t longest_ = 0;                                  // token, in bytes
  int32_t unknown_ = 0;
  std::optional<int32_t> cls_, sep_;
};

}  // namespace trama
