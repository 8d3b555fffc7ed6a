// Tokenizers as a user has them: trained, used, and models trained with them.
#include "base/status_matchers.h"
#include "tests/e2e/run_trama.h"

namespace trama {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::Workplace;

constexpr char kText[] =
    "O rato roeu a roupa do rei de Roma. A rainha, com raiva, resolveu remendar; 100 vezes!\n";

class TokenizerCli : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 40; ++i) text += kText;
    place_.Write("text.txt", text);
    const Outcome trained = place_.Trama({"tokenizer", "train", std::string("--kind=") + GetParam(),
                                          "--data=text.txt", "--vocab_size=300", "--out=tokens"});
    ASSERT_EQ(trained.status, 0) << trained.err;
    EXPECT_THAT(trained.err, HasSubstr("tokens: "));
    EXPECT_EQ(trained.out, "");
  }
  Workplace place_;
};

TEST_P(TokenizerCli, TokenizesAndComesBack) {
  place_.Write("line.txt", kText);
  const Outcome ids = place_.Trama({"tokenize", "tokens", "--file=line.txt"});
  ASSERT_EQ(ids.status, 0) << ids.err;
  place_.Write("ids.txt", ids.out);
  const Outcome back =
      place_.Trama({"tokenize", "--tokenizer=tokens", "--decode", "--file=ids.txt"});
  ASSERT_EQ(back.status, 0) << back.err;
  const std::string kind = GetParam();
  if (kind == "bpe") EXPECT_EQ(back.out, kText);
  if (kind == "wordpiece") EXPECT_THAT(back.out, HasSubstr("[CLS] o rato roeu a roupa do rei de"));
  if (kind == "word") EXPECT_THAT(back.out, HasSubstr("O rato roeu a roupa do rei de Roma ."));
}

TEST_P(TokenizerCli, TrainsTheSameFilesAgain) {
  const Outcome again =
      place_.Trama({"tokenizer", "train", std::string("--kind=") + GetParam(), "--data=text.txt",
                    "--vocab_size=300", "--out=again", "--quiet"});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.err, "");
  for (const char* name : {"/tokenizer.json", "/tokenizer_config.json"})
    EXPECT_EQ(place_.Read(std::string("again") + name), place_.Read(std::string("tokens") + name));
}

TEST_P(TokenizerCli, TrainsAModel) {
  const Outcome trained = place_.Trama(
      {"train", "gpt", "--data=text.txt", "--tokenizer=tokens", "--steps=2", "--seq_len=16",
       "--batch_size=2", "--set=n_layer=1", "--set=n_embd=16", "--set=n_head=2", "--out=model"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_EQ(place_.Read("model/tokenizer.json"), place_.Read("tokens/tokenizer.json"));
  const Outcome generated = place_.Trama(
      {"generate", "model", "--prompt=O rato", "--max_tokens=5", "--ignore_eos", "--greedy"});
  EXPECT_EQ(generated.status, 0) << generated.err;
  EXPECT_NE(generated.out, "");
}

TEST_P(TokenizerCli, NamesWhatIsWrong) {
  auto expect = [&](const std::vector<std::string>& arguments, int status, const char* message) {
    const Outcome outcome = place_.Trama(arguments);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ(outcome.out, "");
  };
  expect({"tokenize", "tokens"}, 2, "one of --text and --file");
  expect({"tokenize", "--text=a"}, 2, "one of DIR and --tokenizer=DIR");
  expect({"tokenize", "tokens", "--text=a\xFF"}, 1, "--text: byte 1: invalid UTF-8");
  expect({"tokenize", "tokens", "--decode", "--text=5000"}, 1, "id 5000 is not in the vocabulary");
  expect({"tokenize", "tokens", "--decode", "--text=1 x"}, 1, "'x' is not an id");
  expect({"tokenizer", "train", "--kind=bpe", "--data=text.txt", "--out=tokens"}, 1, "exists");
  expect({"tokenizer", "train", "--kind=bp", "--data=text.txt", "--out=new"}, 2, "did you mean");
  expect({"tokenizer", "train", "--kind=bpe", "--data=text.txt", "--vocab_size=9", "--out=new"}, 1,
         "does not hold");
  EXPECT_FALSE(place_.Has("new"));
}

INSTANTIATE_TEST_SUITE_P(Kinds, TokenizerCli, ::testing::Values("bpe", "wordpiece", "word"));

TEST(TokenizerTrain, SaysWhatIsWrongWithARegularExpression) {
  const Workplace place;
  place.Write("text.txt", kText);
  const Outcome wrong = place.Trama(
      {"tokenizer", "train", "--kind=word", "--data=text.txt", "--isolate=(", "--out=tokens"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--isolate: '(': missing closing parenthesis"));
}

// What Project Gutenberg puts around a book is neither learned nor counted.
TEST(Gutenberg, TrainsOnTheBooks) {
  const Workplace place;
  std::string plain, around;
  for (int i = 0; i < 20; ++i) plain += kText;
  around =
      "\xEF\xBB\xBFThe Project Gutenberg eBook ZZZ\n*** START OF THE PROJECT GUTENBERG EBOOK Z "
      "***\n\n" +
      plain + "\n*** END OF THE PROJECT GUTENBERG EBOOK Z ***\nZZZ\n";
  place.Write("plain.txt", plain);
  place.Write("book.txt", around);
  std::vector<std::string> losses;
  for (const std::vector<std::string>& data :
       {std::vector<std::string>{"--data=plain.txt", "--out=a"},
        {"--data=book.txt", "--strip_gutenberg", "--out=b"}}) {
    std::vector<std::string> arguments = {"train",           "gpt",
                                          "--steps=2",       "--seq_len=16",
                                          "--batch_size=2",  "--set=n_layer=1",
                                          "--set=n_embd=16", "--set=n_head=2"};
    arguments.insert(arguments.end(), data.begin(), data.end());
    const Outcome trained = place.Trama(arguments);
    ASSERT_EQ(trained.status, 0) << trained.err;
    const Outcome evaluated =
        place.Trama({"eval", arguments.back().substr(6), data[0],
                     arguments.back() == "--out=b" ? "--strip_gutenberg" : "--quiet"});
    ASSERT_EQ(evaluated.status, 0) << evaluated.err;
    losses.push_back(trained.out + evaluated.out);
    std::vector<std::string> words = {"tokenizer", "train", "--kind=word", "--quiet"};
    words.insert(words.end(), data.begin(), data.end() - 1);
    words.push_back(arguments.back() + "-words");
    ASSERT_EQ(place.Trama(words).status, 0);
  }
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_EQ(place.Read("a-words/tokenizer.json"), place.Read("b-words/tokenizer.json"));
  place.Write("t.csv", "a,b\n1,2\n");
  const Outcome table = place.Trama({"train", "logreg", "--data=t.csv", "--target=b",
                                     "--strip_gutenberg", "--steps=1", "--out=c"});
  EXPECT_EQ(table.status, 1);
  EXPECT_THAT(table.err, HasSubstr("strip_gutenberg means nothing for this kind of data"));
}

}  // namespace
}  // namespace trama
