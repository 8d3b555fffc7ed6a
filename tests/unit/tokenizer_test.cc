#include "runtime/tokenizer/tokenizer.h"

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/formats/utf8.h"
#include "runtime/tokenizer/byte_tokenizer.h"
#include "runtime/tokenizer/char_tokenizer.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using absl::StatusCode::kInvalidArgument;
using absl::StatusCode::kNotFound;

const std::string kSentence = "ola mundo, como vai você?";

TEST(CharTokenizerTest, SortsTheCodePointsOfTheText) {
  ASSERT_OK_AND_ASSIGN(const CharTokenizer tokenizer, CharTokenizer::FromTexts({kSentence}));
  EXPECT_EQ(tokenizer.vocab_size(), 14);
  EXPECT_EQ(tokenizer.code_points(),
            (std::vector<char32_t>{U' ', U',', U'?', U'a', U'c', U'd', U'i', U'l', U'm', U'n', U'o',
                                   U'u', U'v', U'ê'}));
  ASSERT_OK_AND_ASSIGN(const auto ids, tokenizer.Encode(kSentence));
  EXPECT_EQ(ids.size(), 25u);
  EXPECT_EQ(ids[0], 10);
  EXPECT_EQ(ids[23], 13);
  EXPECT_EQ(tokenizer.Decode(ids), kSentence);
  EXPECT_EQ(tokenizer.Decode({99, -1}), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(CharTokenizerTest, NamesWhatItCannotEncode) {
  ASSERT_OK_AND_ASSIGN(const CharTokenizer tokenizer, CharTokenizer::FromTexts({kSentence}));
  EXPECT_THAT(tokenizer.Encode("você é"),
              StatusIs(kInvalidArgument, "byte 6: the character 'é' (U+00E9) is not in the"));
  EXPECT_THAT(tokenizer.Encode("ola\xff"), StatusIs(kInvalidArgument, "byte 3: invalid UTF-8"));
  EXPECT_THAT(CharTokenizer::FromTexts({"a\xC3"}), StatusIs(kInvalidArgument, "byte 1: invalid"));
  EXPECT_THAT(CharTokenizer::FromTexts({""}), StatusIs(kInvalidArgument, "no characters"));
}

TEST(TokenizerTest, SavesAndLoads) {
  ASSERT_OK_AND_ASSIGN(const CharTokenizer chars,
                       CharTokenizer::FromTexts({std::string("\0\"\\\n", 4), kSentence}));
  const ByteTokenizer bytes;
  for (const Tokenizer* tokenizer :
       {static_cast<const Tokenizer*>(&chars), static_cast<const Tokenizer*>(&bytes)}) {
    const TempDir dir;
    ASSERT_OK(tokenizer->Save(dir.path()));
    ASSERT_OK_AND_ASSIGN(const auto loaded, MakeTokenizer(dir.path(), {}));
    EXPECT_EQ(loaded->class_name(), tokenizer->class_name());
    EXPECT_EQ(loaded->Fingerprint(), tokenizer->Fingerprint());
    EXPECT_EQ(*loaded->Encode(kSentence), *tokenizer->Encode(kSentence));
  }
  EXPECT_NE(chars.Fingerprint(), bytes.Fingerprint());
  ASSERT_OK_AND_ASSIGN(const CharTokenizer other, CharTokenizer::FromTexts({kSentence}));
  EXPECT_NE(chars.Fingerprint(), other.Fingerprint());
}

TEST(TokenizerTest, RefusesWrongFiles) {
  const TempDir dir;
  EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(kNotFound, "tokenizer_config.json"));
  dir.Write("tokenizer_config.json", "{}");
  EXPECT_THAT(Tokenizer::Load(dir.path()),
              StatusIs(kInvalidArgument, "missing \"tokenizer_class\""));
  dir.Write("tokenizer_config.json", R"({"tokenizer_class": "TramaCharTokeniser"})");
  EXPECT_THAT(Tokenizer::Load(dir.path()),
              StatusIs(absl::StatusCode::kUnimplemented, "did you mean TramaCharTokenizer?"));
  dir.Write("tokenizer_config.json", R"({"tokenizer_class": "TramaCharTokenizer"})");
  EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(kNotFound, "vocab.json"));
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "no characters"},
      {"{", "byte 1: the text ends too early"},
      {R"({"ab": 0})", "\"ab\" is not one character"},
      {R"({"": 0})", "is not one character"},
      {R"({"a": 1})", "the id of \"a\" is not one of 0 to 0"},
      {R"({"a": "0"})", "the id of \"a\""},
      {R"({"a": 0, "b": 0})", "the id of \"b\""},
      {R"({"a": 0, "a": 1})", "\"a\" is there twice"},
  };
  for (const auto& [vocab, message] : cases) {
    dir.Write("vocab.json", vocab);
    EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(kInvalidArgument, message)) << vocab;
  }
  EXPECT_THAT(MakeTokenizer("char", {}), StatusIs(kNotFound, "did you mean chars?"));
}

TEST(ByteTokenizerTest, TakesAnyBytesAndStreamsCharacters) {
  const ByteTokenizer tokenizer;
  std::string all;
  for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
  EXPECT_EQ(tokenizer.Decode(*tokenizer.Encode(all)), all);
  Utf8Stream stream;
  std::string out;
  ASSERT_OK_AND_ASSIGN(const auto ids, tokenizer.Encode("ê!"));
  for (const int32_t id : ids) out += stream.Push(tokenizer.Decode({id})) + "|";
  EXPECT_EQ(out, "|ê|!|");
}

}  // namespace
}  // namespace trama
