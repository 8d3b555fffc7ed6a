#include "runtime/tokenizer/wordpiece_tokenizer.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using testing::ElementsAre;

constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;

constexpr char kVocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n!\n.\na\nacao\n##cao\nate\n##n\n##ç\nÉ\ne\n日\n[\n]\nun\n"
    "##aff\n##able\nunaff\n";

std::unique_ptr<Tokenizer> LoadOwn(const char* config) {
  const TempDir dir;
  dir.Write("vocab.txt", kVocabulary);
  if (*config) dir.Write("tokenizer_config.json", config);
  auto tokenizer = Tokenizer::Load(dir.path());
  EXPECT_OK(tokenizer.status());
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

TEST(BertNormalizerTest, CutsTextIntoWords) {
  const BertNormalizer uncased{};
  EXPECT_THAT(uncased.Words(" Olá,  MUNDO!\tÇa\u00A0va"),
              ElementsAre("ola", ",", "mundo", "!", "ca", "va"));
  // Controls, U+FFFD and joiners go; ideographs are words; Cyrillic й loses its breve.
  EXPECT_THAT(uncased.Words(std::string("a\0b\u200Dc\uFFFD\x1B d", 13)), ElementsAre("abc", "d"));
  EXPECT_THAT(uncased.Words("x日本y"), ElementsAre("x", "日", "本", "y"));
  EXPECT_THAT(uncased.Words("Йи\u0306İ"), ElementsAre("ииi"));
  EXPECT_THAT(uncased.Words("$5+«x»—^"), ElementsAre("$", "5", "+", "«", "x", "»", "—", "^"));
  EXPECT_THAT(uncased.Words("한"), ElementsAre("\u1112\u1161\u11AB"));  // NFD goes to the letters
  EXPECT_THAT(uncased.Words("\u2028a\u3000b\u2029"), ElementsAre("a", "b"));
  EXPECT_THAT(uncased.Words(""), ElementsAre());
  const BertNormalizer cased{.lowercase = false, .strip_accents = false};
  EXPECT_THAT(cased.Words("Ação e\u0301"), ElementsAre("Ação", "e\u0301"));
  const BertNormalizer lower{.lowercase = true, .strip_accents = false, .split_cjk = false};
  EXPECT_THAT(lower.Words("ÉİX日本"), ElementsAre("éi\u0307x日本"));
}

TEST(WordPieceTokenizerTest, TakesTheLongestPieces) {
  const auto uncased = LoadOwn("");
  ASSERT_TRUE(uncased);
  EXPECT_EQ(uncased->class_name(), "BertTokenizer");
  EXPECT_EQ(uncased->vocab_size(), 22);
  EXPECT_THAT(*uncased->Encode("Atenção!"), ElementsAre(10, 11, 9, 5));
  EXPECT_THAT(*uncased->Encode("unaffable Unaffx É"), ElementsAre(21, 20, 1, 14));
  EXPECT_THAT(*uncased->Encode("a日a"), ElementsAre(7, 15, 7));
  EXPECT_THAT(*uncased->Encode(std::string(100, 'n')), ElementsAre(1));
  EXPECT_THAT(*uncased->Encode(""), ElementsAre());
  EXPECT_THAT(uncased->Encode("a\xC3("), StatusIs(kInvalidArgument, "byte 1: invalid UTF-8"));
  const auto cased = LoadOwn(R"({"do_lower_case": false, "tokenizer_class": "BertTokenizerFast"})");
  ASSERT_TRUE(cased);
  EXPECT_THAT(*cased->Encode("É aç A"), ElementsAre(13, 7, 12, 1));
  EXPECT_NE(cased->Fingerprint(), uncased->Fingerprint());
}

TEST(WordPieceTokenizerTest, WordsOfMoreThanAHundredCharactersAreUnknown) {
  const TempDir dir;
  dir.Write("vocab.txt", "[UNK]\né\n##é\n");
  dir.Write("tokenizer_config.json", R"({"strip_accents": false})");
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, Tokenizer::Load(dir.path()));
  std::string word;
  for (int i = 0; i < 100; ++i) word += "é";
  EXPECT_THAT(*tokenizer->Encode(word), testing::SizeIs(100));
  EXPECT_THAT(*tokenizer->Encode(word + "é"), ElementsAre(0));
}

TEST(WordPieceTokenizerTest, FramesTextsForTheModel) {
  const auto tokenizer = LoadOwn("");
  ASSERT_TRUE(tokenizer);
  const ModelInput one = tokenizer->ForModel({7, 14});
  EXPECT_THAT(one.ids, ElementsAre(2, 7, 14, 3));
  EXPECT_THAT(one.type_ids, ElementsAre(0, 0, 0, 0));
  const ModelInput two = tokenizer->ForModel({7}, {14, 5});
  EXPECT_THAT(two.ids, ElementsAre(2, 7, 3, 14, 5, 3));
  EXPECT_THAT(two.type_ids, ElementsAre(0, 0, 0, 1, 1, 1));
  EXPECT_THAT(*tokenizer->Encode("[SEP]"), ElementsAre(16, 1, 17));
  EXPECT_THAT(*tokenizer->EncodeWithSpecial("a[SEP][MASK] !"), ElementsAre(7, 3, 4, 5));
  EXPECT_EQ(tokenizer->DecodeText({10, 11, 9, 7, 5, 99}), "atencao a! \xEF\xBF\xBD");
  EXPECT_EQ(tokenizer->Decode({10}) + tokenizer->Decode({11}) + tokenizer->Decode({7}), " aten a");
}

TEST(WordPieceTokenizerTest, SavesAndLoads) {
  for (const char* config : {"", R"({"do_lower_case": false})",
                             R"({"strip_accents": false, "tokenize_chinese_chars": false})"}) {
    const auto tokenizer = LoadOwn(config);
    ASSERT_TRUE(tokenizer);
    const TempDir saved;
    ASSERT_OK(tokenizer->Save(saved.path()));
    ASSERT_OK_AND_ASSIGN(const auto again, Tokenizer::Load(saved.path()));
    EXPECT_EQ(again->Fingerprint(), tokenizer->Fingerprint()) << config;
    ASSERT_OK(RemoveAll(saved / "vocab.txt"));
    ASSERT_OK(RemoveAll(saved / "tokenizer_config.json"));
    ASSERT_OK_AND_ASSIGN(const auto from_json, Tokenizer::Load(saved.path()));
    EXPECT_EQ(from_json->Fingerprint(), tokenizer->Fingerprint()) << config;
    EXPECT_EQ(from_json->added_tokens(), tokenizer->added_tokens());
    // A "fast" tokenizer is tokenizer.json, whatever lies beside it.
    saved.Write("vocab.txt", "[UNK]\n");
    saved.Write("tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
    ASSERT_OK_AND_ASSIGN(const auto fast, Tokenizer::Load(saved.path()));
    EXPECT_EQ(fast->Fingerprint(), tokenizer->Fingerprint()) << config;
  }
}

TEST(WordPieceTokenizerTest, RefusesWrongFiles) {
  const TempDir dir;
  const std::pair<std::string, const char*> cases[] = {
      {"[PAD]\na\n", "vocab.txt: no token [UNK]"},
      {"[UNK]\n\na\n", "vocab.txt:2: an empty line is no token"},
      {"[UNK]\na\r\nb\na\n", "vocab.txt:4: \"a\" is there twice (line 2)"},
      {"[UNK]\n\xC3\n", "vocab.txt: byte 6: invalid UTF-8"},
      {"", "vocab.txt:1: an empty line"},
  };
  for (const auto& [content, message] : cases) {
    dir.Write("vocab.txt", content);
    EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(kInvalidArgument, message));
  }
  dir.Write("vocab.txt", "[UNK]\n");
  dir.Write("tokenizer_config.json", R"({"do_lower_case": 1})");
  EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(kInvalidArgument, "\"do_lower_case\""));
}

TEST(WordPieceTokenizerTest, SurvivesMutatedFiles) {
  const auto own = LoadOwn("");
  ASSERT_TRUE(own);
  const TempDir saved;
  ASSERT_OK(own->Save(saved.path()));
  ASSERT_OK_AND_ASSIGN(const std::string json, ReadFile(saved / "tokenizer.json"));
  std::mt19937 random(3);
  int loaded = 0;
  for (int trial = 0; trial < 120; ++trial) {
    const TempDir dir;
    std::string content = trial % 2 ? json : kVocabulary;
    for (int n = 0; n < 3; ++n) {
      const size_t at = random() % content.size();
      if (random() % 2)
        content[at] = static_cast<char>(random());
      else
        content.erase(at, random() % 8);
    }
    dir.Write(trial % 2 ? "tokenizer.json" : "vocab.txt", content);
    const auto tokenizer = Tokenizer::Load(dir.path());
    if (!tokenizer.ok()) continue;
    ++loaded;
    const auto ids = (*tokenizer)->EncodeWithSpecial("Atenção! [MASK] unaffable 日");
    ASSERT_OK(ids.status());
    EXPECT_FALSE((*tokenizer)->Decode(*ids).empty());
  }
  EXPECT_GT(loaded, 5);
}

}  // namespace
}  // namespace trama
