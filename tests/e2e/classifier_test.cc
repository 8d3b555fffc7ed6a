// Heads of classes on any data, and what they read of a text.
#include "base/status_matchers.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"
#include "tests/e2e/run_trama.h"

namespace trama {
namespace {

using testing::Outcome;
using testing::Workplace;

using Arguments = std::vector<std::string>;

const Arguments kTiny = {"--set=n_layer=1", "--set=n_embd=16", "--set=n_head=2",
                         "--set=n_positions=32"};

Arguments With(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

// Six examples of four ids with a class each, the last two ids of the odd ones padding.
TensorMap Examples() {
  HostTensor ids(DType::kI32, {6, 4}), mask(DType::kI32, {6, 4}), labels(DType::kI32, {6});
  for (int64_t i = 0; i < ids.num_elements(); ++i) {
    ids.set(i, static_cast<double>(7 * i % 90));
    mask.set(i, i / 4 % 2 == 0 || i % 4 < 2);
  }
  for (int64_t i = 0; i < 6; ++i) labels.set(i, static_cast<double>(i % 2));
  return {{"input_ids", ids}, {"attention_mask", mask}, {"labels", labels}};
}

class ClassifierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(WriteSafetensors(place_ / "c.safetensors", Examples()));
    TensorMap head{{"score.weight", HostTensor(DType::kF32, {2, 16})},
                   {"score.bias", HostTensor(DType::kF32, {2})}};
    for (int64_t i = 0; i < 32; ++i) head["score.weight"].set(i, 0.1 * static_cast<double>(i % 5));
    head["score.bias"].set(1, 0.25);
    ASSERT_OK(WriteSafetensors(place_ / "head.safetensors", head));
  }
  Outcome Succeed(const Arguments& arguments) {
    Outcome outcome = place_.Trama(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome;
  }
  TensorMap Forward(const std::string& model, const Arguments& more = {}) {
    TensorMap inputs = Examples();
    inputs.erase("labels");
    EXPECT_OK(WriteSafetensors(place_ / "in.safetensors", inputs));
    Succeed(With({"run", model, "--inputs=in.safetensors", "--outputs=out.safetensors"}, more));
    return ReadSafetensors(place_ / "out.safetensors").value_or(TensorMap());
  }

  Workplace place_;
};

TEST_F(ClassifierTest, ATrainedDirectoryGetsAHeadForTensors) {
  Succeed(With({"init", "gpt2", "--tokenizer=bytes", "--set=vocab_size=256", "--out=m"}, kTiny));
  Succeed({"train", "m", "--data=c.safetensors", "--num_labels=2", "--init=head.safetensors",
           "--steps=0", "--out=head"});
  ASSERT_OK_AND_ASSIGN(const TensorMap given, ReadSafetensors(place_ / "head.safetensors"));
  ASSERT_OK_AND_ASSIGN(const TensorMap kept, ReadSafetensors(place_ / "head/model.safetensors"));
  EXPECT_EQ(kept.at("score.weight").bytes, given.at("score.weight").bytes);
  EXPECT_EQ(kept.at("score.bias").bytes, given.at("score.bias").bytes);
  Succeed({"train", "m", "--data=c.safetensors", "--num_labels=2", "--steps=2", "--out=tuned"});
  const Outcome eval = Succeed({"eval", "tuned", "--data=c.safetensors"});
  EXPECT_NE(eval.out.find("\"accuracy\""), std::string::npos) << eval.out;
  // A class that the head has not.
  const Outcome beyond =
      place_.Trama({"train", "m", "--data=c.safetensors", "--num_labels=1", "--steps=1"});
  EXPECT_NE(beyond.status, 0);
}

TEST_F(ClassifierTest, ANewModelGetsAHeadForTensors) {
  const Arguments train = With({"train", "gpt2", "--data=c.safetensors", "--num_labels=2"}, kTiny);
  Succeed(With(train, {"--steps=1", "--out=m"}));
  EXPECT_EQ(Forward("m")["logits"].shape, (Shape{6, 2}));
}

TEST_F(ClassifierTest, InitAndRunGiveAHeadToo) {
  Succeed(With({"init", "gpt2", "--num_labels=3", "--seed=4", "--out=three"}, kTiny));
  TensorMap real = Forward("three");
  EXPECT_EQ(real["logits"].shape, (Shape{6, 3}));
  Succeed(With({"init", "gpt2", "--seed=4", "--out=none"}, kTiny));
  EXPECT_EQ(Forward("none", {"--num_labels=3", "--seed=4"})["logits"].bytes, real["logits"].bytes);
  EXPECT_EQ(Forward("none", {"--num_labels=5"})["logits"].shape, (Shape{6, 5}));

  // The last position instead: the same where there is no padding, another where there is.
  TensorMap last = Forward("three", {"--pool=last"});
  for (int64_t row = 0; row < 6; ++row)
    EXPECT_EQ(last["logits"].at(3 * row) == real["logits"].at(3 * row), row % 2 == 0) << row;

  EXPECT_NE(place_.Trama({"init", "mlp", "--num_labels=3", "--out=x"})
                .err.find("a mlp gets no head of classes"),
            std::string::npos);
  for (const char* pool : {"--pool=first", "--pool=last"}) {
    const Outcome outcome = place_.Trama({"init", "gpt2", pool, "--out=x"});
    EXPECT_EQ(outcome.status, 2) << outcome.err;
  }
}

// The setting of Raschka's book: texts padded to one length, the padding read, its last logits.
TEST_F(ClassifierTest, ReadsPaddingWhereItIsAskedTo) {
  std::string rows;
  for (int i = 0; i < 20; ++i)
    rows += i % 2 ? "ham\thi " + std::string(static_cast<size_t>(i), 'u') + "\n" : "spam\twin it\n";
  place_.Write("sms.tsv", rows);
  Succeed(With({"train", "gpt2", "--data=sms.tsv", "--tokenizer=bytes", "--pool=last", "--steps=2",
                "--batch_size=3", "--out=m"},
               kTiny));
  ASSERT_OK_AND_ASSIGN(const Json config, Json::ParseFile(place_ / "m/config.json"));
  EXPECT_EQ(*config.Get<std::string>("pool"), "last");
  EXPECT_EQ(*config.Get<int64_t>("seq_len"), 22);  // the longest text
  // The short text is judged as it was padded in training, whatever stands beside it.
  place_.Write("one.txt", "win it\n");
  place_.Write("two.txt", "win it\nhi uuuuuuuuuuuuuuuuuu\n");
  const std::string one = Succeed({"predict", "m", "--input=one.txt"}).out;
  const std::string two = Succeed({"predict", "m", "--input=two.txt"}).out;
  EXPECT_EQ(two.find(one.substr(0, one.find('\n'))), 0u) << one << two;
}

// Labels that say nothing are refused before anything is learned.
TEST_F(ClassifierTest, LabelsThatSayNothing) {
  place_.Write("one.tsv", "ham\thello\nham\tyou\n");
  place_.Write("empty.csv", "label,text\nham,hello\n,you\n");
  const Arguments train =
      With({"train", "gpt", "--tokenizer=bytes", "--steps=1", "--quiet", "--out=o"}, kTiny);
  const Outcome one = place_.Trama(With(train, {"--data=one.tsv"}));
  EXPECT_EQ(one.status, 1);
  EXPECT_THAT(one.err, ::testing::HasSubstr("one.tsv: every text is labelled ham"));
  const Outcome empty =
      place_.Trama(With(train, {"--data=empty.csv", "--text_column=text", "--target=label"}));
  EXPECT_EQ(empty.status, 1);
  EXPECT_THAT(empty.err, ::testing::HasSubstr("empty.csv:3:1: label is empty"));
  EXPECT_FALSE(place_.Has("o"));
  Succeed(With(train, {"--data=one.tsv", "--num_labels=2"}));
}

// What learned from a table's column of texts reads a text a line too.
TEST_F(ClassifierTest, ATablesClassifierReadsLines) {
  place_.Write("t.csv", "label,text\nham,hello\nspam,win a prize\n");
  place_.Write("lines.txt", "hello\nwin a prize\n");
  Succeed(With({"train", "gpt", "--data=t.csv", "--text_column=text", "--target=label",
                "--tokenizer=bytes", "--steps=1", "--quiet", "--out=o"},
               kTiny));
  EXPECT_EQ(Succeed({"predict", "o", "--input=lines.txt"}).out,
            Succeed({"predict", "o", "--input=t.csv"}).out);
}

// Editors on Windows put a byte order mark before what they write.
TEST_F(ClassifierTest, RecordsBehindAByteOrderMark) {
  const std::string records = "{\"text\": \"uma frase\"}\r\n{\"text\": \"outra\"}\r\n";
  place_.Write("plain.jsonl", records);
  place_.Write("marked.jsonl", "\xEF\xBB\xBF" + records);
  for (const char* data : {"plain", "marked"})
    Succeed(With({"train", "gpt", std::string("--data=") + data + ".jsonl", "--seq_len=4",
                  "--steps=1", "--quiet", std::string("--out=") + data},
                 kTiny));
  EXPECT_TRUE(place_.Read("plain/model.safetensors") == place_.Read("marked/model.safetensors"));
}

}  // namespace
}  // namespace trama
