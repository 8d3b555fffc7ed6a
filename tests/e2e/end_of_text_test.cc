// Where a model's answers end: the same ids whoever asks, and none of them printed.
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/formats/json.h"
#include "tests/e2e/run_trama.h"

namespace trama {
namespace {

using testing::Outcome;
using testing::Workplace;

// A model that answers every instruction with "ok" and the end of the text, by a BPE tokenizer that
// alone says which id that is.
class EndOfText : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string records;
    for (const char* word : {"one", "two", "three", "four"})
      records += std::string("{\"instruction\": \"") + word + "\", \"output\": \"ok\"}\n";
    place_.Write("data.jsonl", records);
    place_.Write("text.txt", records);
    Run({"tokenizer", "train", "--kind=bpe", "--data=text.txt", "--vocab_size=260", "--out=words"});
    Run({"init", "gpt", "--tokenizer=words", "--set=n_layer=1", "--set=n_embd=32", "--set=n_head=2",
         "--set=n_positions=192", "--out=base"});
    Run({"train", "base", "--data=data.jsonl", "--mask_instruction", "--steps=60", "--lr=0.01",
         "--batch_size=4", "--out=tuned"});
  }
  std::string Run(std::vector<std::string> arguments) {
    const Outcome outcome = place_.Trama(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }
  std::string Answer(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"generate", "tuned", "--instruction=two", "--greedy",
                                          "--max_tokens=12"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
  // A file of the tuned model with one member set.
  void Set(const std::string& file, const std::string& key, const Json& value) {
    Json json = place_.Has(file) ? Json::Parse(place_.Read(file)).value_or(Json()) : Json();
    place_.Write(file, json.Set(key, value).Dump());
  }
  Json Config(const std::string& directory) {
    return Json::Parse(place_.Read(directory + "/config.json")).value_or(Json());
  }

  Workplace place_;
};

TEST_F(EndOfText, IsWhatTheTokenizerEndsWith) {
  EXPECT_EQ(Config("base").Get<int64_t>("vocab_size").value_or(-1), 260);
  for (const char* directory : {"base", "tuned"})
    EXPECT_EQ(Config(directory).Get<int64_t>("eos_token_id").value_or(-1), 0) << directory;
  EXPECT_EQ(Answer(), "ok\n");
  // A config that does not say leaves it to the tokenizer.
  Set("tuned/config.json", "eos_token_id", Json());
  EXPECT_EQ(Answer(), "ok\n");
  const std::string more = Answer({"--ignore_eos"}), all = Answer({"--ignore_eos", "--special"});
  EXPECT_EQ(more.find("<|endoftext|>"), std::string::npos) << more;
  EXPECT_EQ(all.rfind("ok<|endoftext|>", 0), 0u) << all;
  EXPECT_EQ(Answer({"--ignore_eos", "--ids"}).find(" 0"), Answer({"--ids"}).size() - 1);
  // eval, which answers too, hears the same.
  const Json result =
      Json::Parse(Run({"eval", "tuned", "--data=data.jsonl", "--respond"})).value_or(Json());
  EXPECT_EQ(result.Get<double>("exact_match").value_or(0), 1);
}

TEST_F(EndOfText, IsAnyOfAList) {
  const std::string ids = Answer({"--ids"});
  const int64_t first = std::stoll(ids);
  Set("tuned/config.json", "eos_token_id", Json(Json::Array{250, first}));
  EXPECT_EQ(Answer(), "\n");
  // It is kept, and generation_config.json wins over it.
  Run({"train", "tuned", "--data=data.jsonl", "--steps=1", "--lr=1e-9", "--out=kept"});
  EXPECT_EQ(Run({"generate", "kept", "--instruction=two", "--greedy", "--max_tokens=12"}), "\n");
  Set("tuned/generation_config.json", "eos_token_id", Json(0));
  EXPECT_EQ(Answer(), "ok\n");
  Set("tuned/generation_config.json", "eos_token_id", Json(Json::Array{0, first}));
  EXPECT_EQ(Answer(), "\n");
  Set("tuned/generation_config.json", "eos_token_id", Json("a"));
  const Outcome wrong = place_.Trama({"generate", "tuned", "--prompt=a"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.err.find("tuned/generation_config.json: \"eos_token_id\": expected an id or a "
                           "list of ids"),
            std::string::npos)
      << wrong.err;
}

TEST_F(EndOfText, InitMakesRoomForTheTokenizer) {
  const Outcome small =
      place_.Trama({"init", "gpt", "--tokenizer=words", "--set=vocab_size=256", "--out=small"});
  EXPECT_EQ(small.status, 1);
  EXPECT_NE(small.err.find("--tokenizer: words: vocab_size: 256 is too small for the 260 ids"),
            std::string::npos)
      << small.err;
  EXPECT_FALSE(place_.Has("small"));
}

}  // namespace
}  // namespace trama
