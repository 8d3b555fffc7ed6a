// --precision=bf16 as a user gives it.
#include <cmath>

#include "base/status_matchers.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"
#include "tests/e2e/run_trama.h"

namespace trama {
namespace {
using ::testing::HasSubstr;
using testing::Outcome;
using testing::Workplace;

// A small GPT on a text that it can learn.
class Bf16 : public ::testing::Test {
 protected:
  Bf16() {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "the cat sat on the mat, and the dog saw it. ";
    place_.Write("t.txt", text);
  }
  Outcome Train(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"train",           "gpt",
                                          "--data=t.txt",    "--batch_size=4",
                                          "--seq_len=24",    "--lr=0.003",
                                          "--clip_norm=1",   "--dropout=0.1",
                                          "--seed=5",        "--quiet",
                                          "--set=n_layer=2", "--set=n_embd=48",
                                          "--set=n_head=3",  "--optimizer=adamw"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return place_.Trama(arguments);
  }
  double Number(const Outcome& outcome, const char* key) {
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    absl::StatusOr<Json> json = Json::Parse(outcome.out);
    return json.ok() ? json->Get<double>(key).value_or(NAN) : NAN;
  }
  const Workplace place_;
};

TEST_F(Bf16, TrainsNearlyToTheLossOfF32) {
  const double wide = Number(Train({"--steps=80", "--out=wide"}), "loss");
  const double narrow = Number(Train({"--steps=80", "--out=narrow", "--precision=bf16"}), "loss");
  EXPECT_LT(wide, 1.5);
  EXPECT_NEAR(narrow, wide, 0.05);
  EXPECT_NE(narrow, wide);
  // What is saved is of full precision, and runs in either.
  ASSERT_OK_AND_ASSIGN(const TensorMap saved, ReadSafetensors(place_ / "narrow/model.safetensors"));
  int64_t beyond = 0;
  for (const auto& [name, tensor] : saved) {
    EXPECT_EQ(tensor.dtype, DType::kF32) << name;
    beyond += tensor.Cast(DType::kBF16).Cast(DType::kF32).bytes != tensor.bytes;
  }
  EXPECT_GT(beyond, 10);  // tensors that bf16 would not hold
  const double of_wide =
      Number(place_.Trama({"eval", "narrow", "--data=t.txt", "--seq_len=24"}), "loss");
  const double of_narrow = Number(
      place_.Trama({"eval", "narrow", "--data=t.txt", "--seq_len=24", "--precision=bf16"}), "loss");
  EXPECT_NEAR(of_narrow, of_wide, 0.02 * of_wide);
  EXPECT_NE(of_narrow, of_wide);
}

TEST_F(Bf16, ResumesBitForBit) {
  ASSERT_EQ(Train({"--steps=8", "--out=whole", "--precision=bf16"}).status, 0);
  ASSERT_EQ(Train({"--steps=5", "--out=cut", "--precision=bf16"}).status, 0);
  const Outcome resumed = Train({"--steps=8", "--out=cut", "--resume", "--precision=bf16"});
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(place_.Read("cut/model.safetensors"), place_.Read("whole/model.safetensors"));
}

TEST_F(Bf16, AccumulatesRecomputesAndReadsItFromAFile) {
  place_.Write("run.textproto", "precision: \"bf16\"\nsteps: 4\n");
  ASSERT_EQ(Train({"--steps=4", "--out=flag", "--precision=bf16"}).status, 0);
  const Outcome file = Train({"--config=run.textproto", "--out=file", "--recompute"});
  ASSERT_EQ(file.status, 0) << file.err;
  EXPECT_EQ(place_.Read("file/model.safetensors"), place_.Read("flag/model.safetensors"));
  const Outcome accumulated =
      Train({"--steps=2", "--out=sum", "--precision=bf16", "--grad_accumulation=2"});
  EXPECT_EQ(accumulated.status, 0) << accumulated.err;
}

TEST_F(Bf16, GeneratesTheSameWithAndWithoutTheCache) {
  ASSERT_EQ(Train({"--steps=60", "--out=m"}).status, 0);
  std::vector<std::string> said;
  for (const char* more : {"--no_cache=false", "--no_cache", "--threads=1"}) {
    const Outcome outcome = place_.Trama({"generate", "m", "--prompt=the cat", "--greedy",
                                          "--max_tokens=40", "--ids", "--precision=bf16", more});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    said.push_back(outcome.out);
  }
  EXPECT_EQ(said[0], said[1]);
  EXPECT_EQ(said[0], said[2]);
}

TEST_F(Bf16, WritesResultsOfFullPrecision) {
  ASSERT_EQ(Train({"--steps=1", "--out=m"}).status, 0);
  TensorMap inputs;
  inputs["input_ids"] = HostTensor::I32({1, 4}, {1, 2, 3, 4});
  inputs["labels"] = HostTensor::I32({1, 4}, {2, 3, 4, 5});
  ASSERT_OK(WriteSafetensors(place_ / "in.safetensors", inputs));
  for (const char* function : {"loss", "gradients"}) {
    const Outcome run =
        place_.Trama({"run", "m", std::string("--function=") + function, "--inputs=in.safetensors",
                      "--outputs=out.safetensors", "--precision=bf16"});
    ASSERT_EQ(run.status, 0) << run.err;
    ASSERT_OK_AND_ASSIGN(const TensorMap outputs, ReadSafetensors(place_ / "out.safetensors"));
    EXPECT_TRUE(outputs.contains("loss"));
    for (const auto& [name, tensor] : outputs) EXPECT_EQ(tensor.dtype, DType::kF32) << name;
  }
}

TEST_F(Bf16, IsExplainedMeasuredAndNamed) {
  const Outcome explained = place_.Trama({"explain", "gpt", "--precision=bf16", "--stage=plan"});
  EXPECT_EQ(explained.status, 0) << explained.err;
  EXPECT_THAT(explained.out, HasSubstr("bf16["));
  const Outcome measured =
      place_.Trama({"bench", "gpt", "--precision=bf16", "--program=decode,train_step",
                    "--seconds=0.05", "--set=n_layer=1", "--seq_len=16", "--json"});
  ASSERT_EQ(measured.status, 0) << measured.err;
  EXPECT_THAT(measured.out, HasSubstr("\"precision\": \"bf16\""));
  const Outcome wrong = place_.Trama({"bench", "gpt", "--precision=bf61"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--precision: 'bf61' is none of f32, bf16, f64"));
}

}  // namespace
}  // namespace trama
