#include "runtime/tokenizer/gpt2_tokenizer.h"

#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/formats/json.h"
#include "runtime/tokenizer/byte_alphabet.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using testing::ElementsAre;

constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

// A vocabulary of our own: the bytes in their alphabet's order, then the merges' results, then the
// end of text.
struct OwnFiles {
  std::vector<std::pair<std::string, std::string>> merges = {
      {"Ġ", "t"}, {"h", "e"}, {"Ġt", "he"}, {"l", "l"}, {"he", "ll"}, {"Ã", "£"},
      {"a", "a"}, {"Ċ", "Ċ"}, {"'", "s"},   {"Ġ", "Ġ"}, {"1", "2"}};
  std::vector<std::string> tokens;
  OwnFiles() {
    for (int byte = 0; byte < 256; ++byte)
      tokens.push_back(ToByteAlphabet(std::string(1, static_cast<char>(byte))));
    for (const auto& [left, right] : merges) tokens.push_back(left + right);
    tokens.push_back("<|endoftext|>");
  }
  std::string Vocabulary() const {
    Json::Object members;
    for (size_t id = 0; id < tokens.size(); ++id) members.emplace_back(tokens[id], id);
    return Json::MakeObject(members).Dump();
  }
  std::string Merges() const {
    std::string lines = "#version: 0.2\n";
    for (const auto& [left, right] : merges) absl::StrAppend(&lines, left, " ", right, "\n");
    return lines;
  }
  std::string TokenizerJson(const std::string& pre_tokenizer =
                                R"({"type": "ByteLevel", "add_prefix_space": false})") const {
    Json pairs = Json::EmptyArray();
    for (const auto& [left, right] : merges)
      pairs.Append(Json::ArrayOf<std::string>({left, right}));
    return absl::StrCat(
        R"({"added_tokens": [{"id": 267, "content": "<|endoftext|>"},)",
        R"({"id": 268, "content": "<é>"}, {"id": 269, "content": "<x>"}], "pre_tokenizer": )",
        pre_tokenizer, R"(, "model": {"type": "BPE", "vocab": )", Vocabulary(), R"(, "merges": )",
        pairs.Dump(), "}}");
  }
};

std::unique_ptr<Tokenizer> LoadOwn() {
  const TempDir dir;
  dir.Write("vocab.json", OwnFiles().Vocabulary());
  dir.Write("merges.txt", OwnFiles().Merges());
  auto tokenizer = Tokenizer::Load(dir.path());
  EXPECT_OK(tokenizer.status());
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

TEST(ByteAlphabetTest, WritesEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(FromByteAlphabet(ToByteAlphabet(all)), all);
  EXPECT_EQ(ToByteAlphabet(" \n\xAD!"), "ĠĊŃ!");
  EXPECT_EQ(FromByteAlphabet("a b"), std::nullopt);
  EXPECT_EQ(FromByteAlphabet("\u0144"), std::nullopt);  // the first beyond the alphabet
  EXPECT_EQ(FromByteAlphabet("\xFF"), std::nullopt);
}

TEST(SplitterTest, FindsPiecesAndNamesWrongPatterns) {
  ASSERT_OK_AND_ASSIGN(const Splitter splitter, Splitter::Compile(Gpt2Tokenizer::Pattern()));
  // U+180E is no white space, U+0085 and U+3000 are.
  const std::string text = "Hello's  we'll\t\n x1é\u0085y\u180E \u3000z  ";
  std::vector<std::string> pieces;
  Splitter::Pieces all(splitter, text);
  std::string_view piece;
  while (all.Next(&piece)) pieces.emplace_back(piece);
  EXPECT_OK(all.status());
  EXPECT_THAT(pieces, ElementsAre("Hello", "'s", " ", " we", "'ll", "\t\n", " x", "1", "é",
                                  "\u0085", "y", "\u180E", " ", "\u3000", "z", "  "));
  EXPECT_THAT(Splitter::Compile("(a").status(), StatusIs(kInvalidArgument, "at character 2"));
  ASSERT_OK_AND_ASSIGN(const Splitter empty, Splitter::Compile("a*"));
  Splitter::Pieces found(empty, "éaab");
  ASSERT_TRUE(found.Next(&piece));
  EXPECT_EQ(piece, "aa");
  EXPECT_FALSE(found.Next(&piece));
}

TEST(Gpt2TokenizerTest, MergesWordsByRank) {
  const auto tokenizer = LoadOwn();
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->class_name(), "GPT2Tokenizer");
  EXPECT_EQ(tokenizer->vocab_size(), 268);
  EXPECT_EQ(tokenizer->eos_id(), 267);
  for (int round = 0; round < 2; ++round) {  // the second from the cache
    EXPECT_THAT(*tokenizer->Encode("hell the"), ElementsAre(260, 258));
    EXPECT_THAT(*tokenizer->Encode("aaa"), ElementsAre(262, 'a'));  // the leftmost first
    EXPECT_THAT(*tokenizer->Encode("ã's"), ElementsAre(261, 264));
    EXPECT_THAT(*tokenizer->Encode("hé"), ElementsAre('h', 0xC3, 0xA9));
    EXPECT_THAT(*tokenizer->Encode("\n\n\n"), ElementsAre(263, '\n'));
    EXPECT_THAT(*tokenizer->Encode(""), ElementsAre());
  }
  EXPECT_THAT(tokenizer->Encode("ab\xC3"), StatusIs(kInvalidArgument, "byte 2: invalid UTF-8"));
}

// The same by the definition: of all pairs, the one of the lowest rank, until none is left.
std::vector<std::string> MergeSlowly(std::vector<std::string> parts, const OwnFiles& files) {
  for (;;) {
    size_t best = files.merges.size(), at = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      for (size_t rank = 0; rank < best; ++rank)
        if (files.merges[rank] == std::pair(parts[i], parts[i + 1])) best = rank, at = i;
    if (best == files.merges.size()) return parts;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<int64_t>(at) + 1);
  }
}

TEST(Gpt2TokenizerTest, AgreesWithTheDefinitionOnRandomWords) {
  const OwnFiles files;
  const auto tokenizer = LoadOwn();
  ASSERT_TRUE(tokenizer);
  std::mt19937 random(1);
  for (int trial = 0; trial < 500; ++trial) {
    std::string word;
    for (size_t n = random() % 40 + 1; n > 0; --n) word += "helatx"[random() % 6];
    std::vector<std::string> parts;
    for (const char c : word) parts.emplace_back(1, c);
    std::string want, got;
    for (const std::string& part : MergeSlowly(parts, files)) want += part + "|";
    ASSERT_OK_AND_ASSIGN(const auto ids, tokenizer->Encode(word));
    for (const int32_t id : ids) got += tokenizer->Decode({id}) + "|";
    ASSERT_EQ(got, want);
  }
}

TEST(Gpt2TokenizerTest, TakesLongWordsAndStreamsTheirBytes) {
  const auto tokenizer = LoadOwn();
  ASSERT_TRUE(tokenizer);
  const std::string text = std::string(1'000'000, 'a') + " 😀";
  ASSERT_OK_AND_ASSIGN(const auto ids, tokenizer->Encode(text));
  EXPECT_EQ(ids.size(), 500'005u);
  EXPECT_EQ(tokenizer->Decode(ids), text);
  EXPECT_EQ(tokenizer->Decode({0xF0, 0x9F, 300, -1}), "\xF0\x9F\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Gpt2TokenizerTest, SpecialTokensAreTextUnlessAllowed) {
  const auto tokenizer = LoadOwn();
  ASSERT_TRUE(tokenizer);
  ASSERT_OK_AND_ASSIGN(const auto plain, tokenizer->Encode("<|endoftext|>"));
  EXPECT_EQ(plain.size(), 13u);
  EXPECT_THAT(*tokenizer->EncodeWithSpecial(" t<|endoftext|><|endoftext|>he"),
              ElementsAre(256, 267, 267, 257));
  EXPECT_THAT(*tokenizer->EncodeWithSpecial("<|endoftext|"), testing::SizeIs(12));
  EXPECT_THAT(tokenizer->EncodeWithSpecial("<|endoftext|>a\xFF"),
              StatusIs(kInvalidArgument, "from byte 13 on, byte 1: invalid UTF-8"));
}

TEST(Gpt2TokenizerTest, ReadsEveryLayoutAndItsOwn) {
  const OwnFiles files;
  const TempDir openai, whole;
  openai.Write("encoder.json", files.Vocabulary());
  openai.Write("vocab.bpe", files.Merges());
  whole.Write("tokenizer.json", files.TokenizerJson());
  whole.Write("tokenizer_config.json",
              R"({"tokenizer_class": "GPT2TokenizerFast", "eos_token": {"content": "<é>"}})");
  const auto first = LoadOwn();
  ASSERT_OK_AND_ASSIGN(const auto second, Tokenizer::Load(openai.path()));
  ASSERT_OK_AND_ASSIGN(const auto third, Tokenizer::Load(whole.path()));
  EXPECT_EQ(first->Fingerprint(), second->Fingerprint());
  EXPECT_NE(first->Fingerprint(), third->Fingerprint());
  EXPECT_EQ(third->vocab_size(), 270);
  EXPECT_EQ(third->eos_id(), 268);
  EXPECT_THAT(*third->EncodeWithSpecial("<é><|endoftext|>"), ElementsAre(268, 267));
  EXPECT_EQ(third->Decode({268}), "<é>");
  for (const Tokenizer* tokenizer : {first.get(), third.get()}) {
    const TempDir saved;
    ASSERT_OK(tokenizer->Save(saved.path()));
    ASSERT_OK_AND_ASSIGN(const auto again, Tokenizer::Load(saved.path()));
    EXPECT_EQ(again->Fingerprint(), tokenizer->Fingerprint());
    EXPECT_EQ(again->eos_id(), tokenizer->eos_id());
    EXPECT_EQ(again->added_tokens(), tokenizer->added_tokens());
    ASSERT_OK(RemoveAll(saved / "vocab.json"));
    ASSERT_OK_AND_ASSIGN(const auto from_json, Tokenizer::Load(saved.path()));
    EXPECT_EQ(from_json->Fingerprint(), tokenizer->Fingerprint());
  }
}

TEST(Gpt2TokenizerTest, AFastTokenizerIsReadFromTokenizerJsonAlone) {
  const OwnFiles files;
  const TempDir dir;
  dir.Write("vocab.json", files.Vocabulary());
  dir.Write("merges.txt", files.Merges());
  dir.Write("tokenizer.json", files.TokenizerJson());
  ASSERT_OK_AND_ASSIGN(const auto any, Tokenizer::Load(dir.path()));
  EXPECT_EQ(any->vocab_size(), 268);
  dir.Write("tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
  ASSERT_OK_AND_ASSIGN(const auto fast, Tokenizer::Load(dir.path()));
  EXPECT_EQ(fast->vocab_size(), 270);
}

TEST(Gpt2TokenizerTest, PutsASpaceInFrontWhereAsked) {
  const OwnFiles files;
  const TempDir dir;
  dir.Write("tokenizer.json", files.TokenizerJson(R"({"type": "ByteLevel"})"));
  dir.Write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, Tokenizer::Load(dir.path()));
  EXPECT_THAT(*tokenizer->Encode("the"), ElementsAre(258));
  EXPECT_THAT(*tokenizer->Encode(" the"), ElementsAre(258));
}

TEST(Gpt2TokenizerTest, RefusesWrongFiles) {
  const OwnFiles files;
  const TempDir dir;
  const std::string tokens = R"({"a": 0, "b": 1, "ab": 2})";
  struct Case {
    std::string vocabulary, merges, message;
  };
  const Case cases[] = {
      {R"({"a": 0,})", "", "vocab.json: byte 8"},
      {"{\"\xFF\": 0}", "", "vocab.json: byte 2: invalid UTF-8"},
      {"{}", "", "vocab.json: no tokens"},
      {R"({"a": 0, "b": 0})", "", "the id of \"b\" (0) is not one of 0 to 1, each used once"},
      {R"({"a": 0, "b": 2})", "", "the id of \"b\" (2) is not"},
      {R"({"a": 0, "a": 1})", "", "\"a\" is there twice"},
      {R"({"a": 0.5})", "", "the id of \"a\" is no integer"},
      {tokens, "#version: 0.2\na b\na c\n", "merges.txt:3: \"c\" is not in the vocabulary"},
      {tokens, "b a", "merges.txt:1: \"ba\" is not in the vocabulary"},
      {tokens, "a b\r\na b", "merges.txt:2: \"a b\" is there twice"},
      {tokens, "a b b", "merges.txt:1: expected two tokens and one space, not \"a b b\""},
      {tokens, "ab", "merges.txt:1: expected two tokens"},
      {tokens, "a \xC3", "merges.txt: byte 2: invalid UTF-8"},
  };
  for (const Case& wrong : cases) {
    dir.Write("vocab.json", wrong.vocabulary);
    dir.Write("merges.txt", wrong.merges);
    EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(kInvalidArgument, wrong.message));
  }
  dir.Write("vocab.json", tokens);
  dir.Write("merges.txt", "a b\n");
  ASSERT_OK_AND_ASSIGN(const auto small, Tokenizer::Load(dir.path()));
  EXPECT_THAT(*small->Encode("abb"), ElementsAre(2, 1));
  EXPECT_THAT(small->Encode("abcb"), StatusIs(kInvalidArgument, "byte 2: the byte 0x63 is not in"));

  dir.Write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
  ASSERT_OK(RemoveAll(dir / "merges.txt"));
  EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(kNotFound, "merges.txt"));
  ASSERT_OK(RemoveAll(dir / "vocab.json"));
  EXPECT_THAT(Tokenizer::Load(dir.path()), StatusIs(kNotFound, "neither vocab.json and merges"));
  dir.Write("tokenizer.json", files.TokenizerJson(R"({"type": "Split"})"));
  EXPECT_THAT(Tokenizer::Load(dir.path()),
              StatusIs(absl::StatusCode::kUnimplemented, "pre_tokenizer \"Split\""));
}

// Whatever the files hold, loading is a status and what loads encodes without a crash.
TEST(Gpt2TokenizerTest, SurvivesMutatedFiles) {
  const OwnFiles files;
  const std::string contents[] = {files.Vocabulary(), files.Merges(), files.TokenizerJson()};
  const char* const names[] = {"vocab.json", "merges.txt", "tokenizer.json"};
  std::mt19937 random(2);
  int loaded = 0, refused = 0;
  for (int trial = 0; trial < 180; ++trial) {
    const TempDir dir;
    const size_t mutated = static_cast<size_t>(trial) % 3;
    for (size_t i = 0; i < 3; ++i) {
      if ((i == 2) != (mutated == 2)) continue;
      std::string content = contents[i];
      for (size_t n = i == mutated ? random() % 4 + 1 : 0; n > 0; --n) {
        const size_t at = random() % content.size();
        switch (random() % 4) {
          case 0:
            content[at] = static_cast<char>(random());
            break;
          case 1:
            content.erase(at, random() % 20 + 1);
            break;
          case 2:
            content.insert(at, content.substr(random() % content.size(), random() % 20));
            break;
          default:
            content.resize(random() % 50 == 0 ? at + 1 : content.size());
        }
        if (content.empty()) content = " ";
      }
      dir.Write(names[i], content);
    }
    if (mutated == 2) dir.Write("tokenizer_config.json", R"({"tokenizer_class":"GPT2Tokenizer"})");
    const auto tokenizer = Tokenizer::Load(dir.path());
    if (!tokenizer.ok()) {
      ++refused;
      EXPECT_FALSE(tokenizer.status().message().empty());
      continue;
    }
    ++loaded;
    const auto ids = (*tokenizer)->EncodeWithSpecial("hell the <|endoftext|> ã's 12 aaa");
    if (ids.ok()) EXPECT_FALSE((*tokenizer)->Decode(*ids).empty());
  }
  EXPECT_GT(loaded, 5);
  EXPECT_GT(refused, 5);
}

// The cache of words that it keeps is shared.
TEST(Gpt2TokenizerTest, SeveralThreadsEncodeAtOnce) {
  const std::unique_ptr<Tokenizer> tokenizer = LoadOwn();
  std::string text;
  for (int i = 0; i < 2000; ++i) absl::StrAppend(&text, " the hell", i % 97, " aa ", i % 89);
  ASSERT_OK_AND_ASSIGN(const std::vector<int32_t> expected, LoadOwn()->Encode(text));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) EXPECT_EQ(*tokenizer->Encode(text), expected);
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace trama
