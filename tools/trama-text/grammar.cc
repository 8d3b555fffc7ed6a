#include "tools/trama-text/grammar.h"

#include <cmath>
#include <functional>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/philox.h"
#include "base/status_macros.h"

namespace trama::text {
namespace {
constexpr std::string_view kPunctuation = ".,?!;:";

bool IsPunctuation(std::string_view word) {
  return word.size() == 1 && kPunctuation.find(word[0]) != std::string_view::npos;
}

// The first letter, ASCII or a two-byte letter of Latin-1 (à and À differ by 0x20 in the second
// byte), as a capital.
std::string Capitalized(std::string word) {
  if (word.empty()) return word;
  if (word[0] >= 'a' && word[0] <= 'z') word[0] = static_cast<char>(word[0] - 'a' + 'A');
  if (word.size() > 1 && word[0] == '\xc3' && static_cast<uint8_t>(word[1]) >= 0xa0)
    word[1] = static_cast<char>(word[1] - 0x20);
  return word;
}
}  // namespace

double Random::Next() {
  const uint64_t at = counter_++;
  const auto bits = Philox4x32({static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32), 0, 0},
                               {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
  return (static_cast<double>(bits[0]) * 0x1p32 + bits[1]) * 0x1p-64;
}

std::vector<std::string> Words(std::string_view sentence) {
  std::vector<std::string> words;
  std::string word;
  auto end_word = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, ""));
  };
  for (char c : sentence) {
    if (c == ' ') {
      end_word();
    } else if (kPunctuation.find(c) != std::string_view::npos) {
      end_word();
      words.emplace_back(1, c);
    } else {
      word += c;
    }
  }
  end_word();
  return words;
}

// ---------------------------------------------------------------- reading a grammar

class GrammarParser {
 public:
  absl::StatusOr<Grammar> Parse(std::string_view text) {
    for (absl::string_view line :
         absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
      ++line_;
      line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
      if (!line.empty()) TRAMA_RETURN_IF_ERROR(ParseLine(std::string(line)));
    }
    return Finish();
  }

 private:
  // "NP(n, sg)": a name and its arguments.
  struct Reference {
    std::string name;
    std::vector<std::string> arguments;
  };
  using Binding = std::map<std::string, std::string>;  // variable -> value

  absl::Status Error(const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat("line ", line_, ": ", what));
  }

  absl::Status ParseLine(const std::string& line) {
    if (absl::StartsWith(line, "feature ")) return ParseFeature(line.substr(8));
    if (line.find("->") != std::string::npos) return ParseRule(line);
    return ParseLexicon(line);
  }

  absl::Status ParseFeature(const std::string& line) {
    const std::vector<std::string> sides = absl::StrSplit(line, ':');
    if (sides.size() != 2) return Error("a feature is 'feature VARIABLES: VALUES'");
    const std::vector<std::string> values = absl::StrSplit(sides[1], ' ', absl::SkipEmpty());
    if (values.empty()) return Error("a feature without values");
    for (const std::string& variable :
         std::vector<std::string>(absl::StrSplit(sides[0], ' ', absl::SkipEmpty())))
      features_[variable] = values;
    return absl::OkStatus();
  }

  absl::StatusOr<Reference> ParseReference(absl::string_view text) const {
    text = absl::StripAsciiWhitespace(text);
    Reference reference;
    const size_t open = text.find('(');
    reference.name = std::string(absl::StripAsciiWhitespace(text.substr(0, open)));
    if (open == absl::string_view::npos) return reference;
    if (text.back() != ')') return Error(absl::StrCat("no ')' in ", text));
    for (absl::string_view argument :
         absl::StrSplit(text.substr(open + 1, text.size() - open - 2), ','))
      reference.arguments.emplace_back(absl::StripAsciiWhitespace(argument));
    return reference;
  }

  // Every way to give values to the variables among `arguments`, in the features' order.
  std::vector<Binding> Bindings(const std::vector<std::string>& arguments) const {
    std::vector<Binding> bindings{{}};
    std::set<std::string> seen;
    for (const std::string& argument : arguments) {
      auto feature = features_.find(argument);
      if (feature == features_.end() || !seen.insert(argument).second) continue;
      std::vector<Binding> next;
      for (const Binding& binding : bindings)
        for (const std::string& value : feature->second) {
          next.push_back(binding);
          next.back()[argument] = value;
        }
      bindings = std::move(next);
    }
    return bindings;
  }

  static std::string Instance(const Reference& reference, const Binding& binding) {
    std::string name = reference.name;
    for (const std::string& argument : reference.arguments) {
      auto it = binding.find(argument);
      absl::StrAppend(&name, ",", it == binding.end() ? argument : it->second);
    }
    return name;
  }

  uint32_t SymbolId(const std::string& instance) {
    auto [it, is_new] = symbol_ids_.try_emplace(instance, grammar_.symbols_.size());
    if (is_new) {
      grammar_.symbols_.push_back({instance, {}, {}});
      first_use_.push_back(line_);
    }
    return it->second;
  }

  uint32_t WordId(const std::string& word) {
    auto [it, is_new] = grammar_.word_ids_.try_emplace(word, grammar_.words_.size());
    if (is_new) grammar_.words_.push_back(word);
    return it->second;
  }

  void AddRule(uint32_t symbol, std::vector<Grammar::Item> items, double weight) {
    grammar_.symbols_[symbol].rules.push_back({std::move(items), weight});
    ++grammar_.num_rules_;
  }

  absl::Status ParseRule(std::string line) {
    double weight = 1;
    if (size_t equals = line.rfind(" = "); equals != std::string::npos) {
      if (!absl::SimpleAtod(line.substr(equals + 3), &weight) || weight <= 0)
        return Error("a weight is a positive number");
      line.resize(equals);
    }
    const size_t arrow = line.find("->");
    TRAMA_ASSIGN_OR_RETURN(Reference left, ParseReference(line.substr(0, arrow)));
    std::vector<Reference> right;
    std::vector<std::string> arguments = left.arguments;
    // "NP(n, m)" may have spaces inside: join until the parenthesis closes.
    std::string token;
    for (absl::string_view part : absl::StrSplit(line.substr(arrow + 2), ' ', absl::SkipEmpty())) {
      absl::StrAppend(&token, part);
      if (token.find('(') != std::string::npos && token.back() != ')') continue;
      TRAMA_ASSIGN_OR_RETURN(Reference reference, ParseReference(token));
      arguments.insert(arguments.end(), reference.arguments.begin(), reference.arguments.end());
      right.push_back(std::move(reference));
      token.clear();
    }
    if (!token.empty()) return Error(absl::StrCat("no ')' in ", token));
    if (right.empty()) return Error("a rule without symbols or words");
    const std::vector<Binding> outer = Bindings(left.arguments);
    const std::vector<Binding> all = Bindings(arguments);
    for (const Binding& binding : all) {
      std::vector<Grammar::Item> items;
      for (const Reference& reference : right) {
        const char first = reference.name[0];
        if (first >= 'A' && first <= 'Z')
          items.push_back({false, SymbolId(Instance(reference, binding))});
        else
          items.push_back({true, WordId(first == '=' ? reference.name.substr(1) : reference.name)});
      }
      AddRule(SymbolId(Instance(left, binding)), std::move(items),
              weight * static_cast<double>(outer.size()) / static_cast<double>(all.size()));
    }
    return absl::OkStatus();
  }

  absl::Status ParseLexicon(const std::string& line) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) return Error("neither a rule, a lexicon nor a feature");
    std::string head = line.substr(0, colon);
    std::vector<std::string> suffixes;
    if (size_t open = head.find('['); open != std::string::npos) {
      const size_t close = head.find(']', open);
      if (close == std::string::npos) return Error("no ']' after the suffixes");
      for (absl::string_view suffix : absl::StrSplit(head.substr(open + 1, close - open - 1), ','))
        suffixes.emplace_back(absl::StripAsciiWhitespace(suffix));
      head.resize(open);
    }
    TRAMA_ASSIGN_OR_RETURN(Reference left, ParseReference(head));
    const std::vector<Binding> bindings = Bindings(left.arguments);
    if (suffixes.empty()) suffixes.assign(bindings.size(), "-");
    if (suffixes.size() != bindings.size())
      return Error(absl::StrCat(bindings.size(), " suffixes are needed"));
    for (size_t b = 0; b < bindings.size(); ++b) {
      const uint32_t symbol = SymbolId(Instance(left, bindings[b]));
      const std::string suffix = suffixes[b] == "-" ? "" : suffixes[b];
      for (absl::string_view entry :
           absl::StrSplit(line.substr(colon + 1), ' ', absl::SkipEmpty())) {
        if (entry[0] == '=') entry.remove_prefix(1);
        std::vector<Grammar::Item> items;
        const std::vector<std::string> parts = absl::StrSplit(entry, '_');
        // A suffix belongs to the first word: "guarda_de_rua", "guardas de rua".
        for (size_t i = 0; i < parts.size(); ++i)
          items.push_back({true, WordId(i == 0 ? parts[i] + suffix : parts[i])});
        // Frequencies fall with the rank, as those of words do, but gently: the last of a hundred
        // is still met often enough to be learned.
        const double rank = static_cast<double>(grammar_.symbols_[symbol].rules.size());
        AddRule(symbol, std::move(items), 1 / (rank + 60));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Grammar> Finish() {
    auto start = symbol_ids_.find("S");
    if (start == symbol_ids_.end()) return absl::InvalidArgumentError("no rule for S");
    grammar_.start_ = start->second;
    for (size_t i = 0; i < grammar_.symbols_.size(); ++i) {
      Grammar::Symbol& symbol = grammar_.symbols_[i];
      line_ = first_use_[i];
      if (symbol.rules.empty()) return Error(absl::StrCat(symbol.name, " has no rule"));
      double total = 0;
      for (const Grammar::Rule& rule : symbol.rules) total += rule.probability;
      for (Grammar::Rule& rule : symbol.rules) {
        rule.probability /= total;
        if (rule.items.size() == 1 && rule.items[0].is_word)
          symbol.word_probability[rule.items[0].id] += rule.probability;
      }
    }
    return CheckCycles();
  }

  // A symbol that derives itself alone would have endless derivations.
  absl::StatusOr<Grammar> CheckCycles() {
    enum State : char { kNew, kOpen, kDone };
    std::vector<State> state(grammar_.symbols_.size(), kNew);
    std::function<bool(uint32_t)> has_cycle = [&](uint32_t symbol) {
      if (state[symbol] != kNew) return state[symbol] == kOpen;
      state[symbol] = kOpen;
      for (const Grammar::Rule& rule : grammar_.symbols_[symbol].rules)
        if (rule.items.size() == 1 && !rule.items[0].is_word && has_cycle(rule.items[0].id))
          return true;
      state[symbol] = kDone;
      return false;
    };
    for (uint32_t i = 0; i < grammar_.symbols_.size(); ++i)
      if (has_cycle(i)) {
        line_ = first_use_[i];
        return Error(absl::StrCat(grammar_.symbols_[i].name, " derives itself"));
      }
    return std::move(grammar_);
  }

  Grammar grammar_;
  std::map<std::string, uint32_t> symbol_ids_;
  std::map<std::string, std::vector<std::string>> features_;
  std::vector<int> first_use_;
  int line_ = 0;
};

absl::StatusOr<Grammar> Grammar::Parse(std::string_view text) {
  return GrammarParser().Parse(text);
}

// ---------------------------------------------------------------- writing

void Grammar::Expand(uint32_t symbol, Random& random, std::vector<uint32_t>& words) const {
  double at = random.Next();
  const std::vector<Rule>& rules = symbols_[symbol].rules;
  size_t chosen = 0;
  while (chosen + 1 < rules.size() && at >= rules[chosen].probability)
    at -= rules[chosen++].probability;
  for (const Item& item : rules[chosen].items) {
    if (item.is_word)
      words.push_back(item.id);
    else
      Expand(item.id, random, words);
  }
}

std::string Grammar::Sample(Random& random) const {
  std::vector<uint32_t> ids;
  Expand(start_, random, ids);
  std::string sentence;
  for (uint32_t id : ids) {
    if (sentence.empty()) {
      sentence = Capitalized(words_[id]);
    } else {
      if (!IsPunctuation(words_[id])) sentence += ' ';
      sentence += words_[id];
    }
  }
  return sentence;
}

// ---------------------------------------------------------------- recognising

// The inside probabilities of one sentence (Baker 1979): P(symbol derives words [begin, end)).
class InsideParser {
 public:
  InsideParser(const Grammar& grammar, std::vector<std::vector<uint32_t>> words)
      : grammar_(grammar), words_(std::move(words)) {}

  double Inside(uint32_t symbol, size_t begin, size_t end) {
    auto [it, is_new] = memo_.try_emplace({symbol, begin, end}, 0.0);
    if (!is_new) return it->second;
    const Grammar::Symbol& entry = grammar_.symbols_[symbol];
    double sum = 0;
    if (end - begin == 1)
      for (uint32_t word : words_[begin])
        if (auto found = entry.word_probability.find(word); found != entry.word_probability.end())
          sum += found->second;
    for (const Grammar::Rule& rule : entry.rules) {
      if (rule.items.size() == 1 && rule.items[0].is_word) continue;
      if (rule.items.size() <= end - begin)
        sum += rule.probability * Sequence(rule.items, 0, begin, end);
    }
    return memo_[{symbol, begin, end}] = sum;
  }

 private:
  // P(items[from..] derive words [begin, end)), every item at least one word.
  double Sequence(const std::vector<Grammar::Item>& items, size_t from, size_t begin, size_t end) {
    if (from + 1 == items.size()) return One(items[from], begin, end);
    double sum = 0;
    const size_t rest = items.size() - from - 1;
    const size_t last = items[from].is_word ? begin + 1 : end - rest;
    for (size_t split = begin + 1; split <= last && split + rest <= end; ++split) {
      const double head = One(items[from], begin, split);
      if (head > 0) sum += head * Sequence(items, from + 1, split, end);
    }
    return sum;
  }

  double One(const Grammar::Item& item, size_t begin, size_t end) {
    if (!item.is_word) return Inside(item.id, begin, end);
    if (end - begin != 1) return 0;
    for (uint32_t word : words_[begin])
      if (word == item.id) return 1;
    return 0;
  }

  const Grammar& grammar_;
  std::vector<std::vector<uint32_t>> words_;  // the words each position may be
  std::map<std::tuple<uint32_t, size_t, size_t>, double> memo_;
};

std::optional<double> Grammar::LogProbability(std::string_view sentence) const {
  std::vector<std::vector<uint32_t>> candidates;
  for (const std::string& word : Words(sentence)) {
    std::vector<uint32_t> ids;
    if (candidates.empty()) {
      for (uint32_t id = 0; id < words_.size(); ++id)
        if (Capitalized(words_[id]) == word) ids.push_back(id);
    } else if (auto it = word_ids_.find(word); it != word_ids_.end()) {
      ids.push_back(it->second);
    }
    if (ids.empty()) return std::nullopt;
    candidates.push_back(std::move(ids));
  }
  if (candidates.empty()) return std::nullopt;
  const size_t count = candidates.size();
  const double probability = InsideParser(*this, std::move(candidates)).Inside(start_, 0, count);
  if (probability <= 0) return std::nullopt;
  return std::log(probability);
}

// ---------------------------------------------------------------- entropy

namespace {
// The value of each symbol when its rules' own values add to the expected values of what they use:
// v = own + sum of p * v(used), solved by iteration (a grammar that ends contracts).
constexpr int kIterations = 2000;
}  // namespace

double Grammar::BitsPerSentence() const {
  std::vector<double> bits(symbols_.size(), 0);
  for (int i = 0; i < kIterations; ++i) {
    double change = 0;
    for (size_t s = 0; s < symbols_.size(); ++s) {
      double value = 0;
      for (const Rule& rule : symbols_[s].rules) {
        double below = -std::log2(rule.probability);
        for (const Item& item : rule.items)
          if (!item.is_word) below += bits[item.id];
        value += rule.probability * below;
      }
      change = std::max(change, std::abs(value - bits[s]));
      bits[s] = value;
    }
    if (change < 1e-12) break;
  }
  return bits[start_];
}

double Grammar::CharactersPerSentence() const {
  auto width = [](const std::string& word) {
    double count = IsPunctuation(word) ? 0 : 1;  // the space before it, or the newline at the end
    for (char c : word) count += (static_cast<uint8_t>(c) & 0xc0) != 0x80;
    return count;
  };
  std::vector<double> length(symbols_.size(), 0);
  for (int i = 0; i < kIterations; ++i) {
    double change = 0;
    for (size_t s = 0; s < symbols_.size(); ++s) {
      double value = 0;
      for (const Rule& rule : symbols_[s].rules)
        for (const Item& item : rule.items)
          value += rule.probability * (item.is_word ? width(words_[item.id]) : length[item.id]);
      change = std::max(change, std::abs(value - length[s]));
      length[s] = value;
    }
    if (change < 1e-12) break;
  }
  // No space before the first word, one newline at the end: they cancel.
  return length[start_];
}

}  // namespace trama::text
