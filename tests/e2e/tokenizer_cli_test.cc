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

}  // namespace
}  // namespace trama
