#include "runtime/tokenizer/train_tokenizer.h"

#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/tokenizer/bpe_trainer.h"
#include "runtime/tokenizer/gpt2_tokenizer.h"
#include "runtime/tokenizer/word_tokenizer.h"
#include "runtime/tokenizer/wordpiece_tokenizer.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using testing::ElementsAre;
using Kind = TokenizerTraining::Kind;
using Merges = std::vector<std::pair<int32_t, int32_t>>;

constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;

// The plain algorithm: all pairs counted anew at every step.
Merges TrainSlowly(std::vector<std::pair<std::vector<int32_t>, int64_t>> words,
                   std::vector<std::string> tokens, size_t vocab_size) {
  Merges merges;
  while (tokens.size() < vocab_size) {
    std::map<std::pair<int32_t, int32_t>, int64_t> counts;
    for (const auto& [ids, count] : words)
      for (size_t i = 0; i + 1 < ids.size(); ++i) counts[{ids[i], ids[i + 1]}] += count;
    std::pair<int32_t, int32_t> best;
    int64_t most = 0;
    for (const auto& [pair, count] : counts)
      if (count > most) best = pair, most = count;  // the smallest of equals comes first
    if (most == 0) break;
    const std::string token = tokens[best.first] + tokens[best.second];
    auto found = std::find(tokens.begin(), tokens.end(), token);
    const auto id = static_cast<int32_t>(found - tokens.begin());
    if (found == tokens.end()) tokens.push_back(token);
    merges.push_back(best);
    for (auto& [ids, count] : words)
      for (size_t i = 0; i + 1 < ids.size(); ++i)
        if (std::pair(ids[i], ids[i + 1]) == best) {
          ids[i] = id;
          ids.erase(ids.begin() + static_cast<int64_t>(i) + 1);
        }
  }
  return merges;
}

TEST(BpeTrainerTest, EqualsThePlainAlgorithm) {
  std::mt19937 random(4);
  for (int trial = 0; trial < 60; ++trial) {
    const std::vector<std::string> tokens = {"a", "b", "c", "d"};
    const size_t letters = random() % 3 + 2;  // few letters: runs, ties, tokens made twice
    std::vector<std::pair<std::vector<int32_t>, int64_t>> words;
    BpeTrainer trainer(tokens);
    for (size_t n = random() % 30 + 1; n > 0; --n) {
      std::vector<int32_t> ids;
      for (size_t length = random() % 12 + 1; length > 0; --length)
        ids.push_back(static_cast<int32_t>(random() % letters));
      const auto count = static_cast<int64_t>(random() % 5 + 1);
      words.emplace_back(ids, count);
      trainer.AddWord(ids, count);
    }
    trainer.Train({.vocab_size = 60});
    ASSERT_EQ(trainer.merges(), TrainSlowly(words, tokens, 60)) << trial;
  }
}

TEST(BpeTrainerTest, BreaksTiesBySmallestIdsAndStopsAtTheFrequency) {
  BpeTrainer trainer({"a", "b", "c"});
  trainer.AddWord({2, 1}, 3);
  trainer.AddWord({1, 2}, 3);
  trainer.AddWord({0, 0, 0}, 2);  // counts twice in each: 4
  trainer.AddWord({0, 2}, 1);
  trainer.Train({.vocab_size = 100, .min_frequency = 2});
  EXPECT_EQ(trainer.merges(), (Merges{{0, 0}, {1, 2}, {2, 1}, {3, 0}}));
}

TEST(TrainTokenizerTest, BpeRoundTripsAndLoads) {
  const std::string text = "o rato roeu a roupa do rei de Roma; o rei é rouco 😀\n";
  std::vector<std::string> stages;
  TokenizerTraining training{.kind = Kind::kBpe, .vocab_size = 280};
  training.progress = [&](std::string_view stage, int64_t done, int64_t total) {
    EXPECT_LE(done, total);
    stages.emplace_back(stage);
  };
  ASSERT_OK_AND_ASSIGN(const auto trained, TrainTokenizer({text}, training));
  EXPECT_EQ(trained->vocab_size(), 280);
  EXPECT_EQ(trained->eos_id(), 0);
  EXPECT_THAT(stages, testing::Contains("reading"));
  EXPECT_THAT(stages, testing::Contains("merging"));
  const TempDir dir;
  ASSERT_OK(trained->Save(dir.path()));
  ASSERT_OK_AND_ASSIGN(const auto loaded, Tokenizer::Load(dir.path()));
  EXPECT_EQ(loaded->Fingerprint(), trained->Fingerprint());
  EXPECT_EQ(loaded->eos_id(), 0);
  ASSERT_OK_AND_ASSIGN(const auto ids, loaded->Encode(text));
  EXPECT_LT(ids.size(), text.size() - 20);
  EXPECT_EQ(loaded->Decode(ids), text);
  EXPECT_EQ(loaded->Decode(*loaded->Encode("日本\t")), "日本\t");
}

TEST(TrainTokenizerTest, WordPieceMarksWhatGoesOn) {
  const std::string text = "Banana ananas banana BANANA cana.";
  ASSERT_OK_AND_ASSIGN(const auto trained,
                       TrainTokenizer({text}, {.kind = Kind::kWordPiece, .vocab_size = 20}));
  const auto& tokens = static_cast<const WordPieceTokenizer&>(*trained).tokens();
  EXPECT_THAT(std::vector<std::string>(tokens.begin(), tokens.begin() + 14),
              ElementsAre("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "a", "b", "c", "n",
                          "s", "##a", "##n", "##s"));
  // ##n ##a is there 9 times; then ##a ##na and ##na ##na 4 times each, of which the first has the
  // smaller ids.
  EXPECT_THAT(std::vector<std::string>(tokens.begin() + 14, tokens.end()),
              ElementsAre("##na", "##ana", "bana", "banana", "ana", "cana"));
}

TEST(TrainTokenizerTest, WordsByCountThenCodePoint) {
  ASSERT_OK_AND_ASSIGN(const auto trained, TrainTokenizer({"b a b. é a", "c!! c"},
                                                          {.kind = Kind::kWord, .vocab_size = 9}));
  const auto& tokens = static_cast<const WordTokenizer&>(*trained).tokens();
  EXPECT_THAT(tokens, ElementsAre("[PAD]", "[UNK]", "[BOS]", "[EOS]", "a", "b", "c", "!!", "."));
  EXPECT_EQ(trained->eos_id(), 3);
  EXPECT_THAT(*trained->Encode("a é b."), ElementsAre(4, 1, 5, 8));
  EXPECT_THAT(*trained->EncodeWithSpecial("[BOS]a b[EOS]"), ElementsAre(2, 4, 5, 3));
  EXPECT_EQ(trained->DecodeText({2, 4, 1, 99}), "[BOS] a [UNK] \xEF\xBF\xBD");
  const TempDir dir;
  ASSERT_OK(trained->Save(dir.path()));
  ASSERT_OK_AND_ASSIGN(const auto loaded, Tokenizer::Load(dir.path()));
  EXPECT_EQ(loaded->Fingerprint(), trained->Fingerprint());
  EXPECT_EQ(loaded->added_tokens(), trained->added_tokens());
  EXPECT_THAT(loaded->Encode("a\xFF"), StatusIs(kInvalidArgument, "byte 1: invalid UTF-8"));
}

// The first tokenizer of Raschka's book: split at signs and spaces, sorted, special tokens last.
TEST(TrainTokenizerTest, WordsAsABookCutsThem) {
  TokenizerTraining training{.kind = Kind::kWord, .vocab_size = 100};
  training.isolate = R"([,.:;?_!"()']|--)";
  training.sorted = training.special_last = true;
  training.special_tokens = {"<|endoftext|>", "<|unk|>"};
  ASSERT_OK_AND_ASSIGN(const auto trained,
                       TrainTokenizer({"It's--well, a well-known  \"is\".\n"}, training));
  const auto& tokens = static_cast<const WordTokenizer&>(*trained).tokens();
  EXPECT_THAT(tokens, ElementsAre("\"", "'", ",", "--", ".", "It", "a", "is", "s", "well",
                                  "well-known", "<|endoftext|>", "<|unk|>"));
  EXPECT_EQ(trained->eos_id(), 11);
  EXPECT_THAT(*trained->EncodeWithSpecial("well--no<|endoftext|>a."),
              ElementsAre(9, 3, 12, 11, 6, 4));
  const TempDir dir;
  ASSERT_OK(trained->Save(dir.path()));
  ASSERT_OK_AND_ASSIGN(const auto loaded, Tokenizer::Load(dir.path()));
  EXPECT_EQ(loaded->Fingerprint(), trained->Fingerprint());
  training.isolate = "(";
  EXPECT_THAT(TrainTokenizer({"a"}, training).status(), StatusIs(kInvalidArgument, "character"));
}

TEST(WordTokenizerTest, ReadsHuggingFaceFilesAndRefusesWrongOnes) {
  const TempDir dir;
  auto write = [&](const std::string& split, const std::string& vocabulary) {
    dir.Write("tokenizer.json",
              absl::StrCat(R"({"pre_tokenizer": {"type": ")", split,
                           R"("}, "model": {"type": "WordLevel", "vocab": )", vocabulary, "}}"));
  };
  write("WhitespaceSplit", R"({"a": 0, "a.": 1})");
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, Tokenizer::Load(dir.path()));
  EXPECT_THAT(*tokenizer->Encode("a.\u3000a"), ElementsAre(1, 0));
  EXPECT_THAT(tokenizer->Encode("a b"),
              StatusIs(kInvalidArgument, "byte 2: the word 'b' is not in the vocabulary"));
  write("Whitespace", R"({"a": 0, "b": 0})");
  EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(kInvalidArgument, "the id of \"b\" (0)"));
  write("Digits", R"({"a": 0})");
  EXPECT_THAT(Tokenizer::Load(dir.path()),
              StatusIs(absl::StatusCode::kUnimplemented, "Whitespace"));
  dir.Write("tokenizer.json", R"({"model": {"type": "Unigram"}})");
  EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(absl::StatusCode::kUnimplemented, "Unigram"));
  dir.Write("tokenizer.json", R"({"model": [)");
  EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(kInvalidArgument, "tokenizer.json: byte 11"));
}

TEST(TrainTokenizerTest, NamesWhatIsWrong) {
  EXPECT_THAT(TrainTokenizer({"a", "b\xFF"}, {.vocab_size = 300}).status(),
              StatusIs(kInvalidArgument, "text 1: byte 1: invalid UTF-8"));
  EXPECT_THAT(TrainTokenizer({"a"}, {.vocab_size = 256}).status(),
              StatusIs(kInvalidArgument, "256 does not hold the 257 bytes and special tokens"));
  EXPECT_THAT(TrainTokenizer({"abc"}, {.kind = Kind::kWordPiece, .vocab_size = 9}).status(),
              StatusIs(kInvalidArgument, "does not hold the 10 characters"));
  EXPECT_THAT(TrainTokenizer({" \n"}, {.kind = Kind::kWord, .vocab_size = 9}).status(),
              StatusIs(kInvalidArgument, "no words"));
}

}  // namespace
}  // namespace trama
