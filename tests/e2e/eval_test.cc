// What `trama eval` says of texts and of a model tuned on instructions.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "runtime/formats/json.h"
#include "tests/e2e/run_trama.h"
#include "tests/http_server.h"

namespace trama {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::Workplace;

Json Result(const Outcome& outcome) {
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return Json::Parse(outcome.out).value_or(Json());
}

TEST(Eval, CountsTheSameTargetsInStrides) {
  Workplace place;
  std::string text;
  for (int i = 0; i < 60; ++i) absl::StrAppend(&text, "não é ", i * i, "; ");
  place.Write("text.txt", text);
  ASSERT_EQ(place
                .Trama({"train", "gpt", "--data=text.txt", "--steps=300", "--set=n_layer=1",
                        "--set=n_embd=32", "--set=n_head=2", "--seq_len=32", "--lr=0.01", "--quiet",
                        "--out=m"})
                .status,
            0);
  const Json side_by_side = Result(place.Trama({"eval", "m", "--data=text.txt", "--seq_len=32"}));
  const Json strides =
      Result(place.Trama({"eval", "m", "--data=text.txt", "--seq_len=32", "--stride=16"}));
  for (const Json* json : {&side_by_side, &strides}) {
    const double loss = json->Get<double>("loss").value_or(0),
                 targets = json->Get<double>("targets").value_or(0),
                 bytes = json->Get<double>("bytes").value_or(0),
                 per_byte = json->Get<double>("loss_per_byte").value_or(0);
    EXPECT_EQ(bytes, static_cast<double>(text.size() - 1));
    EXPECT_EQ(targets, static_cast<double>(text.size() - 1 - 2 * 60));  // ã and é are two bytes
    EXPECT_NEAR(json->Get<double>("perplexity").value_or(0), std::exp(loss), 1e-6);
    EXPECT_NEAR(per_byte, loss * targets / bytes, 1e-6);
    EXPECT_NEAR(json->Get<double>("perplexity_per_byte").value_or(0), std::exp(per_byte), 1e-6);
  }
  // More of the text before each target: it is told better.
  EXPECT_LT(strides.Get<double>("loss").value_or(9), side_by_side.Get<double>("loss").value_or(0));
  const Outcome gaps = place.Trama({"eval", "m", "--data=text.txt", "--stride=99"});
  EXPECT_EQ(gaps.status, 1);
  EXPECT_THAT(gaps.err, HasSubstr("beyond the window"));
}

// A model of next characters has a perplexity too; one of classes has none.
TEST(Eval, GivesThePerplexityOfAVocabulary) {
  Workplace place;
  place.Write("text.txt", "ola mundo, como vai voce?");
  place.Write("t.csv", "a,kind\n1,x\n-1,y\n2,x\n");
  ASSERT_EQ(place
                .Trama({"train", "char-transformer", "--data=text.txt", "--steps=3", "--quiet",
                        "--out=chars"})
                .status,
            0);
  ASSERT_EQ(place
                .Trama({"train", "mlp", "--data=t.csv", "--target=kind", "--steps=3", "--quiet",
                        "--out=table"})
                .status,
            0);
  const Json chars = Result(place.Trama({"eval", "chars", "--data=text.txt"}));
  EXPECT_EQ(chars.Get<double>("perplexity").value_or(0),
            std::exp(chars.Get<double>("loss").value_or(9)));
  EXPECT_EQ(chars.Get<int64_t>("bytes").value_or(0), 20);
  EXPECT_EQ(Result(place.Trama({"eval", "table", "--data=t.csv"})).Find("perplexity"), nullptr);
}

TEST(Eval, AnswersInstructionsAndHasThemJudged) {
  Workplace place;
  std::string records;
  for (const char* word : {"sim", "não", "talvez", "ontem"})
    absl::StrAppend(&records, R"({"instruction": "Say it.", "input": ")", word, R"(", "output": ")",
                    word, "\"}\n");
  place.Write("records.jsonl", records);
  ASSERT_EQ(place
                .Trama({"train", "gpt", "--data=records.jsonl", "--tokenizer=bytes", "--steps=150",
                        "--set=eos_token_id=0", "--set=n_positions=256", "--set=n_layer=1",
                        "--set=n_embd=32", "--set=n_head=2", "--seq_len=256", "--batch_size=4",
                        "--lr=0.01", "--mask_instruction", "--quiet", "--out=m"})
                .status,
            0);
  const Json learned = Result(place.Trama(
      {"eval", "m", "--data=records.jsonl", "--responses=said.jsonl", "--max_tokens=20"}));
  EXPECT_EQ(learned.Get<int64_t>("responses").value_or(0), 4);
  const double exact = learned.Get<double>("exact_match").value_or(-1),
               letters = learned.Get<double>("letter_match").value_or(-1);
  EXPECT_GE(letters, exact);
  EXPECT_GT(letters, 0.2);  // each of the words begins another way
  EXPECT_THAT(place.Read("said.jsonl"), HasSubstr("\"output\": \"não\", \"model_response\": \""));

  int asked = 0;
  const HttpServer server([&](const HttpServer::Request&) -> HttpServer::Response {
    const char* replies[] = {"10", "no idea", "50", "Score: 90"};
    return {.body = absl::StrCat(R"({"choices": [{"message": {"content": ")", replies[asked++ % 4],
                                 "\"}}]}")};
  });
  const Json judged =
      Result(place.Trama({"eval", "m", "--data=records.jsonl", "--responses=said.jsonl",
                          "--max_tokens=20", "--judge=" + server.url() + "/v1"}));
  EXPECT_EQ(judged.Get<double>("judge_score").value_or(0), 50);
  EXPECT_EQ(judged.Get<int64_t>("judged").value_or(0), 3);
  EXPECT_EQ(asked, 4);
  EXPECT_THAT(place.Read("said.jsonl"), HasSubstr("\"score\": 90}"));

  const Outcome nobody =
      place.Trama({"eval", "m", "--data=records.jsonl", "--judge=ftp://x", "--max_tokens=2"});
  EXPECT_EQ(nobody.status, 2);
  EXPECT_THAT(nobody.err, HasSubstr("error: --judge: "));
  place.Write("text.txt", "no instructions");
  const Outcome text = place.Trama({"eval", "m", "--data=text.txt", "--respond"});
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.err, HasSubstr("has no instructions to respond to"));
  place.Write("labels.tsv", "spam\tbuy\nham\thello\n");
  const Outcome labels = place.Trama({"eval", "m", "--data=labels.tsv"});
  EXPECT_EQ(labels.status, 1);
  EXPECT_THAT(labels.err, HasSubstr("labels.tsv: has texts with labels, and m is no classifier"));
}

}  // namespace
}  // namespace trama
