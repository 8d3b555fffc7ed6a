// Fine-tuning as a user does it: a classifier of texts, instructions, adapters.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/status_matchers.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"
#include "tests/e2e/run_trama.h"

namespace trama {
namespace {

using testing::Outcome;
using testing::Workplace;

const std::vector<std::string> kTiny = {"--set=n_layer=1", "--set=n_embd=16", "--set=n_head=2",
                                        "--tokenizer=bytes", "--quiet"};

std::vector<std::string> With(std::vector<std::string> arguments,
                              const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

// Messages of which those that speak of a prize are spam.
std::string Messages() {
  std::string rows;
  for (int i = 0; i < 60; ++i) {
    const std::string who(static_cast<size_t>(1 + i % 7), static_cast<char>('a' + i % 20));
    rows += "ham\thi " + who + "\n";
    if (i % 3 == 0) rows += "spam\twin a prize " + who + "\n";
  }
  return rows;
}

TEST(FineTune, ClassifiesTexts) {
  const Workplace place;
  place.Write("sms.tsv", Messages());
  const std::vector<std::string> data = {"--data=sms.tsv", "--balance", "--splits=70/10/20"};
  const Outcome trained = place.Trama(
      With(With({"train", "gpt", "--epochs=20", "--lr=0.01", "--batch_size=8", "--out=spam"}, data),
           kTiny));
  ASSERT_EQ(trained.status, 0) << trained.err;
  const Outcome eval = place.Trama(With({"eval", "spam", "--part=test"}, data));
  ASSERT_EQ(eval.status, 0) << eval.err;
  ASSERT_OK_AND_ASSIGN(const Json result, Json::Parse(eval.out));
  EXPECT_EQ(*result.Get<int64_t>("targets"), 8);  // 20 of each class, the last fifth
  EXPECT_EQ(*result.Get<double>("accuracy"), 1) << eval.out;
  EXPECT_FALSE(result.Find("perplexity"));
  EXPECT_TRUE(result.Find("confusion_matrix"));
  place.Write("new.txt", "win a prize now\nhi you\n");
  const Outcome said = place.Trama({"predict", "spam", "--input=new.txt"});
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(said.out.find("{\"label\": \"spam\""), 0u) << said.out;
  EXPECT_NE(said.out.find("{\"label\": \"ham\""), std::string::npos) << said.out;
}

// The same run in one go and in two: padded to several lengths, with a last partial batch.
TEST(FineTune, ResumesWithPadding) {
  const Workplace place;
  place.Write("sms.tsv", Messages());
  const std::vector<std::string> common =
      With({"train", "gpt", "--data=sms.tsv", "--lr=0.01", "--dropout=0.1", "--steps=6"}, kTiny);
  ASSERT_EQ(place.Trama(With(common, {"--batch_size=7", "--out=whole"})).status, 0);
  auto half = common;
  half[5] = "--steps=3";
  ASSERT_EQ(place.Trama(With(half, {"--batch_size=7", "--out=parts"})).status, 0);
  ASSERT_EQ(place.Trama(With(common, {"--batch_size=7", "--out=parts", "--resume"})).status, 0);
  EXPECT_EQ(place.Read("parts/model.safetensors"), place.Read("whole/model.safetensors"));
}

// Eleven records of different lengths: batches of six and a rest of five, and the same in batches
// of two, with a last one of one. Dropout falls on the same elements, padded as they are.
TEST(FineTune, AccumulationEqualsTheLargeBatch) {
  const Workplace place;
  std::string records, text, messages;
  for (int i = 0; i < 11; ++i) {
    records += "{\"instruction\": \"say it\", \"output\": \"" +
               std::string(static_cast<size_t>(1 + i * i % 29), static_cast<char>('a' + i)) +
               "\"}\n";
    messages += std::string(i % 3 ? "ham" : "spam") + "\t" +
                std::string(static_cast<size_t>(1 + i * i % 29), static_cast<char>('a' + i)) + "\n";
    text += "uma linha de texto e o seu número, " + std::to_string(i * 7919) + "; ";
  }
  place.Write("data.jsonl", records);
  place.Write("text.txt", text);
  place.Write("sms.tsv", messages);
  const std::vector<std::string> padded = {"--data=data.jsonl",    "--mask_instruction",
                                           "--set=eos_token_id=0", "--set=n_positions=256",
                                           "--seq_len=256",        "--epochs=3"};
  const std::vector<std::string> both = With(padded, {"--dropout=0.1"});
  const std::vector<std::string> classified = {"--data=sms.tsv", "--dropout=0.1", "--epochs=3"};
  const std::vector<std::string> dropped = {"--data=text.txt", "--dropout=0.2", "--seq_len=32",
                                            "--steps=6"};
  for (const std::vector<std::string>& data : {padded, dropped, both, classified}) {
    std::map<std::string, TensorMap> trained;
    for (const auto& [out, batch, times] : {std::tuple("large", "6", "1"), {"small", "2", "3"}}) {
      const Outcome outcome = place.Trama(With(
          With(With({"train", "gpt", "--optimizer=sgd", "--lr=0.5", "--overwrite"}, kTiny), data),
          {std::string("--batch_size=") + batch, std::string("--grad_accumulation=") + times,
           std::string("--out=") + out, std::string("--metrics=") + out + ".jsonl"}));
      ASSERT_EQ(outcome.status, 0) << outcome.err;
      ASSERT_OK_AND_ASSIGN(trained[out],
                           ReadSafetensors(place / (out + std::string("/model.safetensors"))));
    }
    double apart = 0, moved = 0;
    for (const auto& [name, large] : trained["large"]) {
      const HostTensor& small = trained["small"][name];
      ASSERT_EQ(large.shape, small.shape) << name;
      for (int64_t i = 0; i < large.num_elements(); ++i) {
        apart = std::max(apart, std::abs(large.at(i) - small.at(i)));
        moved = std::max(moved, std::abs(large.at(i)));
      }
    }
    EXPECT_GT(moved, 0.5);
    EXPECT_LT(apart, 2e-6);  // sums in another order
    const auto last = [&](const char* file) {
      const std::string lines = place.Read(file);
      return Json::Parse(lines.substr(lines.rfind('\n', lines.size() - 2) + 1)).value_or(Json());
    };
    const Json large = last("large.jsonl"), small = last("small.jsonl");
    EXPECT_EQ(large.Get<int64_t>("step").value_or(0), 6);
    EXPECT_EQ(small.Get<int64_t>("step").value_or(0), 6);
    EXPECT_NEAR(large.Get<double>("loss").value_or(0), small.Get<double>("loss").value_or(1), 2e-6);
    EXPECT_NEAR(large.Get<double>("grad_norm").value_or(0),
                small.Get<double>("grad_norm").value_or(1), 2e-6);
  }
}

TEST(FineTune, SaysWhatItCuts) {
  const Workplace place;
  place.Write("sms.tsv", "ham\thi\nspam\twin a prize\nham\tgood morning\n");
  std::vector<std::string> train =
      With({"train", "gpt", "--data=sms.tsv", "--seq_len=4", "--steps=1", "--out=m", "--overwrite"},
           kTiny);
  EXPECT_EQ(place.Trama(train).err, "");  // --quiet
  train.pop_back();
  const std::string err = place.Trama(train).err;
  EXPECT_EQ(err.find("sms.tsv: 2 of 3 records are longer than seq_len 4 and were cut\n"), 0u)
      << err;
}

TEST(FineTune, SamplesWhereItEvaluates) {
  const Workplace place;
  place.Write("text.txt", "to and fro\nto and fro\nto and fro\nto and fro\nto and fro\n");
  std::vector<std::string> train =
      With({"train", "gpt", "--data=text.txt", "--seq_len=16", "--steps=60", "--lr=0.01",
            "--eval_every=25", "--sample_prompt=to\nan", "--sample_tokens=9", "--out=m"},
           kTiny);
  train.erase(std::find(train.begin(), train.end(), "--quiet"));
  const Outcome outcome = place.Trama(train);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* step : {"\nstep 25: to an", "\nstep 50: to an", "\nstep 60: to an"})
    EXPECT_NE(outcome.err.find(step), std::string::npos) << outcome.err;
  const Outcome said = place.Trama(
      {"generate", "m", "--prompt=to\nan", "--greedy", "--max_tokens=9", "--ignore_eos"});
  std::string line = said.out.substr(0, said.out.size() - 1);
  std::replace(line.begin(), line.end(), '\n', ' ');
  EXPECT_NE(outcome.err.find("step 60: to an" + line + "\n"), std::string::npos)
      << outcome.err << said.out;
}

TEST(FineTune, LearnsInstructionsWithAdapters) {
  const Workplace place;
  place.Write("data.jsonl",
              "{\"instruction\": \"say a\", \"output\": \"a\"}\n"
              "{\"instruction\": \"say b\", \"input\": \"b\", \"output\": \"b\"}\n");
  place.Write("text.txt", "a plain text to start from, long enough for a window");
  ASSERT_EQ(place
                .Trama(With({"train", "gpt", "--data=text.txt", "--seq_len=32", "--steps=2",
                             "--set=n_positions=256", "--set=eos_token_id=0", "--out=base"},
                            kTiny))
                .status,
            0);
  const Outcome tuned =
      place.Trama({"train", "base", "--data=data.jsonl", "--lora_rank=2", "--mask_instruction",
                   "--steps=3", "--batch_size=2", "--lr=0.01", "--out=tuned"});
  ASSERT_EQ(tuned.status, 0) << tuned.err;
  EXPECT_NE(tuned.err.find("of them trained (h.0.attn.c_attn.lora_A, h.0.attn.c_attn.lora_B"),
            std::string::npos)
      << tuned.err;
  EXPECT_TRUE(place.Has("tuned/adapter_config.json"));
  EXPECT_TRUE(place.Has("tuned/adapter_model.safetensors"));
  const std::vector<std::string> generate = {"generate", "tuned",          "--prompt=x",
                                             "--greedy", "--max_tokens=8", "--ids"};
  const Outcome said = place.Trama(generate);
  ASSERT_EQ(said.status, 0) << said.err;
  // The adapter alone, on the base that it names, says the same.
  for (const char* file : {"model.safetensors", "config.json"})
    ASSERT_TRUE(std::filesystem::remove(place / ("tuned/" + std::string(file))));
  const Outcome again = place.Trama(generate);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out, said.out);

  // Imported, it brings the tokenizer of its base along.
  ASSERT_EQ(place.Trama({"import", "tuned", "--out=merged", "--quiet"}).status, 0);
  EXPECT_EQ(place.Read("merged/tokenizer_config.json"), place.Read("base/tokenizer_config.json"));

  // What replaces it without adapters leaves none behind that would be merged.
  const Outcome plain = place.Trama({"train", "base", "--data=text.txt", "--steps=1",
                                     "--seq_len=32", "--out=tuned", "--overwrite"});
  ASSERT_EQ(plain.status, 0) << plain.err;
  EXPECT_FALSE(place.Has("tuned/adapter_config.json"));
  EXPECT_FALSE(place.Has("tuned/adapter_model.safetensors"));
  EXPECT_EQ(place.Trama(generate).status, 0);
}

}  // namespace
}  // namespace trama
