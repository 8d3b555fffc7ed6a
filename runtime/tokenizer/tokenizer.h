// Text to token ids and back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace trama {

// A token that is found in a text before the text is cut and merged: a special one, outside the
// text proper ("<|endoftext|>", "[CLS]"), or one that was added to a vocabulary.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = true;                  // found where special tokens are asked for, else always
  bool lstrip = false, rstrip = false;  // takes the white space before, behind it
  bool operator==(const AddedToken&) const = default;
};
using AddedTokens = std::vector<AddedToken>;

// What a model reads: ids, and for each the number of the text it is of, 0 or 1.
struct ModelInput {
  std::vector<int32_t> ids, type_ids;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The `tokenizer_class` of its tokenizer_config.json.
  virtual std::string_view class_name() const = 0;
  virtual int64_t vocab_size() const = 0;
  // The id that ends a text, where the vocabulary has one.
  virtual std::optional<int32_t> eos_id() const { return std::nullopt; }

  virtual const AddedTokens& added_tokens() const;
  // Of the special ones among them, which stand for no text.
  std::set<int32_t> special_ids() const;

  // InvalidArgument "byte N: WHAT" where the text has no ids. Special tokens in it are plain text;
  // other added tokens are their ids, the longest at a place.
  absl::StatusOr<std::vector<int32_t>> Encode(std::string_view text) const;
  // The same, but special tokens in the text are their ids too.
  absl::StatusOr<std::vector<int32_t>> EncodeWithSpecial(std::string_view text) const;
  // One text's ids, or two texts', with what the model they are for expects around them: BERT's
  // [CLS] FIRST [SEP] SECOND [SEP]. Elsewhere just the ids.
  virtual ModelInput ForModel(absl::Span<const int32_t> first,
                              absl::Span<const int32_t> second = {}) const;
  // The bytes that the ids stand for; they may end within a character (see Utf8Stream). An id
  // outside the vocabulary gives U+FFFD. Pieces of a sequence give pieces of its bytes: where a
  // vocabulary's words come without spaces, each brings the space before it.
  virtual std::string Decode(absl::Span<const int32_t> ids) const = 0;
  // A whole sequence: Decode, without the space that such a vocabulary's first word brings.
  virtual std::string DecodeText(absl::Span<const int32_t> ids) const { return Decode(ids); }

  // Writes its files into a directory that exists.
  virtual absl::Status Save(const std::string& directory) const = 0;
  // By the class in tokenizer_config.json or, where none is named, by the files that are there:
  // vocab.json and merges.txt, encoder.json and vocab.bpe, vocab.txt, tokenizer.json. NotFound
  // where there is nothing of these, Unimplemented for a class that no tokenizer registered,
  // InvalidArgument for files that are wrong.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const std::string& directory);

  // The same for two tokenizers that give the same ids to every text: class, size and checksum.
  std::string Fingerprint() const;

 protected:
  // Encode for a text without added tokens.
  virtual absl::StatusOr<std::vector<int32_t>> EncodePlain(std::string_view text) const = 0;
  // What distinguishes this vocabulary from others of its class.
  virtual std::string Vocabulary() const = 0;

 private:
  absl::StatusOr<std::vector<int32_t>> EncodeAround(std::string_view text,
                                                    AddedTokens tokens) const;
};

// --tokenizer=chars|bytes|DIR. The code points of `texts` are the vocabulary of `chars`.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(const std::string& spec,
                                                         absl::Span<const std::string> texts);

// A tokenizer's own file registers how its class is read from a model directory:
// TRAMA_TOKENIZER("GPT2Tokenizer", Gpt2Tokenizer::LoadFrom);
using TokenizerLoader =
    std::function<absl::StatusOr<std::unique_ptr<Tokenizer>>(const std::string& directory)>;
bool RegisterTokenizer(const std::string& class_name, TokenizerLoader load);

#define TRAMA_TOKENIZER(class_name, load)                          \
  static const bool trama_tokenizer_registered_ [[maybe_unused]] = \
      ::trama::RegisterTokenizer(class_name, load)
// Of a loader for several classes, those after the first: TRAMA_TOKENIZER_ALIAS(fast, "...", load).
#define TRAMA_TOKENIZER_ALIAS(suffix, class_name, load)                    \
  static const bool trama_tokenizer_registered_##suffix [[maybe_unused]] = \
      ::trama::RegisterTokenizer(class_name, load)

// tokenizer_config.json with that class.
absl::Status WriteTokenizerConfig(const std::string& directory, std::string_view class_name);

}  // namespace trama
