// BERT's cutting of a text into words (Devlin 2018, tokenization.py: BasicTokenizer).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trama {

struct BertNormalizer {
  bool lowercase = true;
  bool strip_accents = true;  // decompose (NFD) and drop the nonspacing marks
  bool split_cjk = true;      // every ideograph is a word

  // The words of valid UTF-8: runs between white space, each punctuation character by itself;
  // control characters and U+FFFD are dropped.
  std::vector<std::string> Words(std::string_view text) const;
  bool operator==(const BertNormalizer&) const = default;
};

}  // namespace trama
