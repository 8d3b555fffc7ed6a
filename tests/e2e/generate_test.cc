// `trama generate` as a user types it.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/run_trama.h"

namespace trama {
namespace {

using testing::Outcome;
using testing::Workplace;

class Generate : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 100; ++i) text += "a maçã é boa; o pão também, ";
    place_.Write("text.txt", text);
    ASSERT_EQ(
        place_
            .Trama({"train", "gpt", "--data=text.txt", "--tokenizer=bytes", "--steps=150",
                    "--set=n_layer=1", "--set=n_embd=32", "--set=n_head=2", "--set=n_positions=32",
                    "--seq_len=32", "--lr=0.01", "--quiet", "--out=m"})
            .status,
        0);
  }
  std::string Say(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"generate", "m"});
    const Outcome outcome = place_.Trama(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }

  Workplace place_;
};

TEST_F(Generate, ContinuesSeveralPromptsTogether) {
  const std::vector<std::string> options = {"--max_tokens=50", "--seed=4", "--top_k=5"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), options.begin(), options.end());
    return more;
  };
  const std::string first = Say(with({"--prompt=a", "--num_samples=2"})),
                    second = Say(with({"--prompt=o pão", "--num_samples=2"})),
                    both = Say(with({"--prompt=a", "--prompt=o pão", "--num_samples=2"}));
  EXPECT_EQ(both, first + second);
  EXPECT_EQ(
      Say(with({"--prompt_ids=97", "--prompt_ids=111,32,112", "--ids"})),
      Say(with({"--prompt_ids=97", "--ids"})) + Say(with({"--prompt_ids=111,32,112", "--ids"})));
}

TEST_F(Generate, BeyondTheContextWithAndWithoutTheCache) {
  const std::string cached = Say({"--prompt=a ma", "--greedy", "--max_tokens=120"});
  EXPECT_GT(cached.size(), 110u);  // one a token, but for those of an unfinished character
  EXPECT_EQ(Say({"--prompt=a ma", "--greedy", "--max_tokens=120", "--no_cache"}), cached);
}

TEST_F(Generate, StopsAndPenalizes) {
  const std::string whole = Say({"--prompt=a ma", "--greedy", "--max_tokens=60"});
  // Two words on, of the text as it is: from a space to the next but one.
  const size_t begin = whole.find(' ', 4), end = whole.find(' ', whole.find(' ', begin + 1) + 1);
  ASSERT_NE(end, std::string::npos) << whole;
  const std::string stop = whole.substr(begin, end - begin),
                    before = whole.substr(0, whole.find(stop));
  const std::vector<std::string> greedy = {"--prompt=a ma", "--greedy", "--max_tokens=60"};
  auto stopped = greedy;
  stopped.insert(stopped.end(), {"--stop=not in it at all", "--stop=" + stop});
  EXPECT_EQ(Say(stopped), before + "\n");
  const std::string plain = Say({"--prompt=a ma", "--greedy", "--ids", "--max_tokens=20"}),
                    penalized = Say({"--prompt=a ma", "--greedy", "--ids", "--max_tokens=20",
                                     "--repetition_penalty=50"});
  EXPECT_NE(plain, penalized);
}

}  // namespace
}  // namespace trama
