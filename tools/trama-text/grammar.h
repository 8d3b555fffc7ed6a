// A probabilistic grammar with agreement that writes sentences, recognises them, and knows how many
// bits each one carries: a text whose entropy rate, the loss no model can beat, is known.
//
// A grammar is a text file:
//
//   feature n m: sg pl                 variables n and m range over sg and pl
//   S -> NP(n) VP(n) . = 3             a rule with weight 3 (1 where not given); the n agree
//   S -> NP(n) Vt(n) NP(m) .           m is free: every value, equally likely
//   Noun(n) [-, s]: cat dog            words with a suffix for each value; "-" is none
//   Adverb: slowly last_night          "_" joins words of one entry; earlier words are likelier
//   Name: =Ada                         "=" keeps a word that looks like a symbol as it is
//
// A symbol starts with a capital letter, everything else in a rule is a word. The start symbol is
// S.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace trama::text {

// A stream of uniform numbers in [0, 1): Philox with the seed as its key.
class Random {
 public:
  explicit Random(uint64_t seed) : seed_(seed) {}
  double Next();

 private:
  uint64_t seed_, counter_ = 0;
};

class Grammar {
 public:
  // InvalidArgument names the line: unknown symbols, features and cycles without words.
  static absl::StatusOr<Grammar> Parse(std::string_view text);

  // One sentence, its first letter capital, punctuation attached.
  std::string Sample(Random& random) const;
  // ln P(sentence), over all its derivations; nullopt where the grammar does not write it.
  std::optional<double> LogProbability(std::string_view sentence) const;
  // Bits of a derivation, and characters of a sentence with the newline after it, on average.
  // Their quotient is the entropy rate where sentences have one derivation.
  double BitsPerSentence() const;
  double CharactersPerSentence() const;
  // Distinct words that it can write.
  int64_t NumWords() const { return static_cast<int64_t>(words_.size()); }
  int64_t NumRules() const { return static_cast<int64_t>(num_rules_); }

 private:
  // A symbol with its features filled in, "NP(sg)", or a word.
  struct Item {
    bool is_word;
    uint32_t id;  // into symbols_ or words_
    bool operator<(const Item& other) const {
      return std::pair(is_word, id) < std::pair(other.is_word, other.id);
    }
  };
  struct Rule {
    std::vector<Item> items;
    double probability;
  };
  struct Symbol {
    std::string name;
    std::vector<Rule> rules;
    // Rules of one word, by word: most symbols of a lexicon have hundreds.
    std::map<uint32_t, double> word_probability;
  };
  friend class GrammarParser;
  friend class InsideParser;

  void Expand(uint32_t symbol, Random& random, std::vector<uint32_t>& words) const;

  std::vector<Symbol> symbols_;
  std::vector<std::string> words_;
  std::map<std::string, uint32_t, std::less<>> word_ids_;
  uint32_t start_ = 0;
  size_t num_rules_ = 0;
};

// Words of a sentence, punctuation apart: "O gato, a casa." -> "O" "gato" "," "a" "casa" ".".
std::vector<std::string> Words(std::string_view sentence);

}  // namespace trama::text
