// Text to token ids and back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace trama {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The `tokenizer_class` of its tokenizer_config.json.
  virtual std::string_view class_name() const = 0;
  virtual int64_t vocab_size() const = 0;
  // The id that ends a text, where the vocabulary has one.
  virtual std::optional<int32_t> eos_id() const { return std::nullopt; }

  // InvalidArgument "byte N: WHAT" where the text has no ids.
  virtual absl::StatusOr<std::vector<int32_t>> Encode(std::string_view text) const = 0;
  // The bytes that the ids stand for; they may end within a character (see Utf8Stream). An id
  // outside the vocabulary gives U+FFFD.
  virtual std::string Decode(absl::Span<const int32_t> ids) const = 0;

  // Writes its files into a directory that exists.
  virtual absl::Status Save(const std::string& directory) const = 0;
  // By tokenizer_config.json. NotFound where that is missing, Unimplemented for a class that no
  // tokenizer registered, InvalidArgument for files that are wrong.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const std::string& directory);

  // The same for two tokenizers that give the same ids to every text: class, size and checksum.
  std::string Fingerprint() const;

 protected:
  // What distinguishes this vocabulary from others of its class.
  virtual std::string Vocabulary() const = 0;
};

// --tokenizer=chars|bytes|DIR. The code points of `texts` are the vocabulary of `chars`.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(const std::string& spec,
                                                         absl::Span<const std::string> texts);

// A tokenizer's own file registers how its class is read from a model directory:
// TRAMA_TOKENIZER("GPT2Tokenizer", LoadGpt2Tokenizer);
using TokenizerLoader =
    std::function<absl::StatusOr<std::unique_ptr<Tokenizer>>(const std::string& directory)>;
bool RegisterTokenizer(const std::string& class_name, TokenizerLoader load);

#define TRAMA_TOKENIZER(class_name, load)                          \
  static const bool trama_tokenizer_registered_ [[maybe_unused]] = \
      ::trama::RegisterTokenizer(class_name, load)

// tokenizer_config.json with that class.
absl::Status WriteTokenizerConfig(const std::string& directory, std::string_view class_name);

}  // namespace trama
