// The text that ships: what the generator writes parses, agreement is checked, and the entropy it
// states is that of what it writes.
#include "tools/trama-text/grammar.h"

#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include "base/status_matchers.h"
#include "tests/paths.h"

namespace trama::text {
namespace {

Grammar Load(const std::string& name) {
  std::ifstream file(std::string(TRAMA_SOURCE_DIR) + "/models/gpt2/text/" + name);
  std::stringstream text;
  text << file.rdbuf();
  absl::StatusOr<Grammar> grammar = Grammar::Parse(text.str());
  EXPECT_OK(grammar);
  return *std::move(grammar);
}

class ShippedGrammar : public testing::TestWithParam<const char*> {};

TEST_P(ShippedGrammar, WritesWhatItRecognises) {
  const Grammar grammar = Load(GetParam());
  Random random(7);
  std::set<std::string> distinct;
  double bits = 0, characters = 0;
  constexpr int kSentences = 4000;
  for (int i = 0; i < kSentences; ++i) {
    const std::string sentence = grammar.Sample(random);
    distinct.insert(sentence);
    const std::optional<double> log_probability = grammar.LogProbability(sentence);
    ASSERT_TRUE(log_probability.has_value()) << sentence;
    bits -= *log_probability / std::log(2.0);
    for (char c : sentence) characters += (static_cast<uint8_t>(c) & 0xc0) != 0x80;
    characters += 1;
  }
  EXPECT_GT(distinct.size(), kSentences * 0.9);
  // A sentence with two derivations would carry fewer bits than its derivation.
  EXPECT_NEAR(bits / kSentences, grammar.BitsPerSentence(), 0.03 * grammar.BitsPerSentence());
  EXPECT_NEAR(characters / kSentences, grammar.CharactersPerSentence(),
              0.03 * grammar.CharactersPerSentence());
}
INSTANTIATE_TEST_SUITE_P(Languages, ShippedGrammar,
                         testing::Values("portuguese.grammar", "english.grammar"));

TEST(Grammar, KnowsTwoThousandWords) {
  EXPECT_GE(Load("portuguese.grammar").NumWords() + Load("english.grammar").NumWords(), 2000);
}

TEST(Grammar, AsksForAgreement) {
  const Grammar portuguese = Load("portuguese.grammar"), english = Load("english.grammar");
  EXPECT_TRUE(portuguese.LogProbability("Os gatos pretos correm no parque."));
  EXPECT_FALSE(portuguese.LogProbability("Os gato pretos correm no parque."));
  EXPECT_FALSE(portuguese.LogProbability("Os gatos pretas correm no parque."));
  EXPECT_FALSE(portuguese.LogProbability("Os gatos pretos corre no parque."));
  EXPECT_FALSE(portuguese.LogProbability("Os gatos pretos correm na parque."));
  EXPECT_TRUE(english.LogProbability("The cat sleeps near the lake."));
  EXPECT_FALSE(english.LogProbability("The cats sleeps near the lake."));
  EXPECT_FALSE(english.LogProbability("The cat sleeps near the lake"));
  EXPECT_FALSE(english.LogProbability("The unicorn sleeps."));
  EXPECT_FALSE(english.LogProbability(""));
}

TEST(Grammar, KnowsEntropyInClosedForm) {
  // Four equally likely sentences of "a x." form: 2 bits, 5 characters with the newline.
  ASSERT_OK_AND_ASSIGN(Grammar grammar,
                       Grammar::Parse("S -> A B .\nA -> a\nA -> c\nB -> x\nB -> y"));
  EXPECT_NEAR(grammar.BitsPerSentence(), 2, 1e-9);
  EXPECT_NEAR(grammar.CharactersPerSentence(), 5, 1e-9);
  EXPECT_NEAR(*grammar.LogProbability("A x."), std::log(0.25), 1e-12);
}

TEST(Grammar, NamesTheLineOfAMistake) {
  EXPECT_THAT(Grammar::Parse("S -> A .\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, "line 1: A has no rule"));
  EXPECT_THAT(Grammar::Parse("S -> A\nA -> S\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, "derives itself"));
  EXPECT_THAT(Grammar::Parse("S -> a\nfeature n: sg pl\nN(n) [s]: cat\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, "line 3: 2 suffixes"));
  EXPECT_THAT(Grammar::Parse("S -> a = x"),
              StatusIs(absl::StatusCode::kInvalidArgument, "line 1: a weight"));
}

}  // namespace
}  // namespace trama::text
