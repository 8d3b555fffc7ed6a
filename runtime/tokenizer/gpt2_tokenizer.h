// GPT-2's byte-level byte-pair encoding (Radford 2019): any text, any bytes out.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "runtime/tokenizer/bpe_model.h"
#include "runtime/tokenizer/hf_files.h"
#include "runtime/tokenizer/splitter.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/word_cache.h"

namespace trama {

class Gpt2Tokenizer : public Tokenizer {
 public:
  static constexpr char kClassName[] = "GPT2Tokenizer";
  // The regular expression of its words: letters, numbers or signs, each with the space before
  // them, and white space (encoder.py).
  static std::string Pattern();

  struct Options {
    AddedTokens added_tokens;
    std::map<std::string, std::string> roles;  // "eos_token": "<|endoftext|>", ...
    bool add_prefix_space = false;             // before a text that starts with no white space
  };
  static absl::StatusOr<std::unique_ptr<Gpt2Tokenizer>> Create(BpeModel model, Options options);
  // vocab.json and merges.txt, encoder.json and vocab.bpe, or tokenizer.json.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> LoadFrom(const std::string& directory);
  // tokenizer.json, whatever lies beside it.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> LoadFromJson(const std::string& directory);

  std::string_view class_name() const override { return kClassName; }
  int64_t vocab_size() const override { return static_cast<int64_t>(model_.tokens().size()); }
  std::optional<int32_t> eos_id() const override { return eos_id_; }
  const AddedTokens& added_tokens() const override { return options_.added_tokens; }
  std::string Decode(absl::Span<const int32_t> ids) const override;
  absl::Status Save(const std::string& directory) const override;
  const BpeModel& model() const { return model_; }

 protected:
  // InvalidArgument where the text is not UTF-8, or has a byte that is no token.
  absl::StatusOr<std::vector<int32_t>> EncodePlain(std::string_view text) const override;
  std::string Vocabulary() const override;

 private:
  static absl::StatusOr<std::unique_ptr<Tokenizer>> ReadFrom(const std::string& directory,
                                                             VocabularySource source);
  Gpt2Tokenizer(BpeModel model, Splitter splitter, Options options);
  absl::Status EncodeWords(std::string_view text, WordCache& cache,
                           std::vector<int32_t>& ids) const;

  BpeModel model_;
  Splitter splitter_;
  Options options_;
  std::optional<int32_t> eos_id_;
  mutable std::mutex mutex_;
  mutable WordCache cache_;  // whoever finds the mutex taken uses one of its own
};

}  // namespace trama
