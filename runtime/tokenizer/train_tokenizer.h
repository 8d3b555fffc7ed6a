// Tokenizers trained on text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/tokenizer/tokenizer.h"

namespace trama {

struct TokenizerTraining {
  enum class Kind { kBpe, kWordPiece, kWord };
  Kind kind = Kind::kBpe;
  // All tokens: the special ones (<|endoftext|>; [PAD] [UNK] [CLS] [SEP] [MASK]; [PAD] [UNK] [BOS]
  // [EOS]) come first, then the 256 bytes or the characters, in the order of their characters, then
  // what training adds. Fewer where the text has no more.
  int64_t vocab_size = 0;
  int64_t min_frequency = 1;  // of a merge, or of a word
  bool lowercase = true;      // WordPiece: lower case, without accents
  // Words: cut at white space, with each match of this regular expression a word of its own; ""
  // takes words and runs of signs. In the order of their code points instead of by count. Special
  // tokens in place of the four, the role of each by what it has in its name (unk, pad, bos, eos or
  // endoftext), and after the words instead of before them.
  std::string isolate{};
  bool sorted = false;
  std::vector<std::string> special_tokens{};
  bool special_last = false;
  // Called now and then with what is done of the bytes read, then of the tokens made.
  std::function<void(std::string_view stage, int64_t done, int64_t total)> progress{};
};

// Deterministic: ties are broken by ids (BPE, WordPiece) or code points (words). InvalidArgument:
// "text N: byte N: invalid UTF-8" (from 0), no words, or a size that does not hold the characters.
absl::StatusOr<std::unique_ptr<Tokenizer>> TrainTokenizer(absl::Span<const std::string_view> texts,
                                                          const TokenizerTraining& training);

}  // namespace trama
