// Whatever a user gives, the command line answers with one line and writes nothing.
#include <signal.h>
#include <sys/resource.h>

#include <cstring>

#include "base/status_matchers.h"
#include "runtime/formats/safetensors.h"
#include "tests/e2e/bad_input.h"

namespace trama {
namespace {

using testing::BadInput;
using ::testing::HasSubstr;
using testing::kTable;
using testing::Outcome;
using ::testing::StartsWith;

TEST_F(BadInput, CommandLine) {
  Expect({"trian"}, 2, "did you mean train?");
  Expect({"train"}, 2, "MODEL|DIR is missing");
  Expect({"models", "gpt"}, 2, "unexpected argument gpt");
  Expect({"train", "gpt", "--dta=x"}, 2, "did you mean --data?");
  Expect({"train", "gpt", "--steps=many"}, 2, "'many' is not an integer");
  Expect({"train", "gpt", "--steps"}, 2, "--steps needs a value");
  Expect({"generate", "m", "--temperature=warm", "--prompt=x"}, 2, "'warm' is not a number");
  Expect({"run", "m", "--function=backward"}, 2, "'backward' is none of");
  Expect({"train", "gpt", "--data=x", "--steps=1", "--out=m", "--checkpoint_every=-1"}, 2,
         "--checkpoint_every: -1 is not at least 0");
  Expect({"train", "gpt", "--data=x", "--steps=1", "--out=m", "--early_stopping=2"}, 2,
         "needs --val_data");
  const std::vector<std::string> train = {"train", "gpt", "--data=x", "--steps=1", "--out=m"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = train;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  Expect(with({"--early_stopping=2", "--splits=70/10/20"}), 2, "needs --eval_every");
  Expect(with({"--early_stopping=2", "--eval_every=1", "--splits=70/10/20"}), 1, "no such data: x");
  Expect(with({"--eval_every=1"}), 2, "--eval_every: needs --val_data, --val_fraction or --splits");
  Expect(with({"--lora_alpha=8"}), 2, "--lora_alpha: needs --lora_rank");
  Expect(with({"--lora_targets=c_fc"}), 2, "--lora_targets: needs --lora_rank");
  Expect({"bench", "mlp", "--optimizer=adagrad"}, 2, "'adagrad' is neither adamw nor sgd");
  Expect({"bench", "mlp", "--position=-1"}, 2, "--position: -1 is not at least 0");
}

// Options that the data would otherwise leave without effect.
TEST_F(BadInput, OptionsOfOtherData) {
  place_.Write("t.csv", kTable);
  place_.Write("t.txt", "some text to read, long enough for windows");
  const std::vector<std::string> mlp{"train",         "mlp",       "--data=t.csv",
                                     "--target=kind", "--steps=1", "--out=m"};
  const std::vector<std::string> gpt{"train",       "gpt",       "--data=t.txt",
                                     "--seq_len=4", "--steps=1", "--out=m"};
  for (std::vector<std::string> arguments : {mlp, gpt})
    for (const char* flag : {"--splits=70/10/20", "--balance", "--mask_instruction"}) {
      arguments.push_back(flag);
      Expect(arguments, 1, "means nothing for this kind of data");
      arguments.pop_back();
    }
}

TEST_F(BadInput, OptionsWithoutEffect) {
  place_.Write("i.jsonl", "{\"instruction\": \"say it\", \"output\": \"it\"}\n");
  place_.Write("t.bin", std::string("a\0b\0a\0b\0a\0b\0a\0b\0", 16));
  place_.Write("t.tsv", "ham\thello\nspam\tprize\n");
  const std::vector<std::string> train{"train", "gpt", "--steps=1", "--seq_len=4", "--out=m"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = train;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  Expect(
      with({"--data=i.jsonl", "--tokenizer=bytes", "--set=eos_token_id=0", "--mask_instruction"}),
      1, "i.jsonl: nothing to learn: every record is cut at seq_len 4");
  Expect(with({"--data=t.bin", "--tokenizer=bpe"}), 2, "bpe");
  Expect(with({"--data=t.bin", "--tokenizer=chars"}), 2, "a .bin has ids");
  Expect(with({"--data=t.tsv", "--eval_every=1", "--splits=70/0/30"}), 2,
         "--splits leaves no validation data");
  Expect(with({"--data=t.tsv", "--sample_prompt=x"}), 2, "continues no text");
  Expect(with({"--data=t.tsv", "--pool=first"}), 2, "'first' is neither");
  Expect({"run", "gpt", "--pool=last", "--inputs=i", "--outputs=o"}, 2, "--pool: needs");
}

TEST_F(BadInput, OtherFormats) {
  MakeModel("m");
  place_.Write("x.bin", "not a checkpoint");
  Expect({"import", "x.bin", "--from=tensorflow", "--out=o"}, 2, "is none of openai, llmc");
  Expect({"import", "x.bin", "--from=llmc"}, 2, "--out is missing");
  Expect({"import", "x.bin", "--from=llmc", "--out=m"}, 1, "m: exists already");
  Expect({"import", "x.bin", "--from=llmc", "--out=o"}, 1, "x.bin: byte 16: the file ends before");
  Expect({"import", "m", "--from=openai", "--out=o"}, 1, "hparams.json");
  Expect({"import", "none", "--out=o"}, 1, "none");
  Expect({"export", "m", "--format=openai", "--out=o"}, 2, "is none of safetensors, llmc");
  Expect({"export", "m", "--format=llmc", "--dtype=f16", "--out=o"}, 2, "'f16' is none of f32");
  Expect({"export", "none", "--out=o"}, 1, "none");
}

TEST_F(BadInput, ModelsAndBackends) {
  place_.Write("t.csv", kTable);
  Expect({"init", "gtp", "--out=m"}, 2, "did you mean gpt");
  Expect({"init", "mlp", "--set=hiden=3", "--out=m"}, 2, "no config key 'hiden'");
  Expect({"init", "mlp", "--set=hidden=-3", "--out=m"}, 2, "hidden");
  Expect({"init", "mlp", "--set=hidden", "--out=m"}, 2, "is not key=value");
  Expect({"train", "mlp", "--data=t.csv", "--target=kind", "--steps=1", "--out=m", "--backend=cqu"},
         2, "cpu");
  Expect({"train", "mlp", "--data=t.csv", "--target=kind", "--steps=1", "--out=m",
          "--backend=check:cpu"},
         2, "check");
  Expect({"generate", "nowhere", "--prompt=x"}, 1, "nowhere: no such model directory");
}

TEST_F(BadInput, Data) {
  place_.Write("t.csv", kTable);
  place_.Write("empty.csv", "");
  place_.Write("header.csv", "a,b,kind\n");
  place_.Write("nan.csv", "a,b,kind\n1,2,x\n2,nan,y\n");
  place_.Write("words.csv", "a,b,kind\n1,two,x\n2,1,y\n");
  place_.Write("empty.txt", "");
  place_.Write("short.txt", "abc");
  place_.Write("broken.txt", "ab\xff\xfe cd");
  const std::vector<std::string> table{"train", "mlp", "--target=kind", "--steps=1", "--out=m"};
  auto with = [&](std::vector<std::string> arguments, const std::string& more) {
    arguments.push_back(more);
    return arguments;
  };
  Expect(with(table, "--data=nowhere.csv"), 1, "nowhere.csv");
  Expect(with(table, "--data=empty.csv"), 1, "empty.csv");
  Expect(with(table, "--data=header.csv"), 1, "header.csv");
  Expect(with(table, "--data=nan.csv"), 1, "nan.csv:3");
  Expect({"train", "mlp", "--target=kind", "--steps=1", "--out=m", "--features=a,b",
          "--data=words.csv"},
         1, "words.csv:2");
  Expect({"train", "mlp", "--target=kinds", "--steps=1", "--out=m", "--data=t.csv"}, 1, "kind");
  Expect({"train", "mlp", "--target=kind", "--steps=1", "--out=m"}, 2, "--data is missing");
  const std::vector<std::string> text{"train", "gpt", "--steps=1", "--out=m", "--seq_len=8"};
  Expect(with(text, "--data=empty.txt"), 1, "empty.txt");
  Expect(with(text, "--data=short.txt"), 1, "short.txt");
  Expect(with(text, "--data=broken.txt"), 1, "broken.txt");
}

TEST_F(BadInput, ModelFiles) {
  MakeModel("m");
  const std::string config = place_.Read("m/config.json");
  const std::string weights = place_.Read("m/model.safetensors");
  const std::vector<std::string> generate{"generate", "m", "--prompt=x", "--max_tokens=1"};
  ASSERT_EQ(place_.Trama(generate).status, 0);

  place_.Write("m/config.json", "{\"model_type\": \"gpt2\", \"n_layer\": \"two\"}");
  Expect(generate, 1, "n_layer");
  place_.Write("m/config.json", "{\"model_type\": ");
  Expect(generate, 1, "config.json");
  place_.Write("m/config.json", "{\"model_type\": \"no-such-model\"}");
  Expect(generate, 1, "no-such-model");
  place_.Write("m/config.json", config);

  place_.Write("m/model.safetensors", weights.substr(0, weights.size() - 5));
  Expect(generate, 1, "model.safetensors");
  place_.Write("m/model.safetensors", weights.substr(0, 4));
  Expect(generate, 1, "model.safetensors");
  std::string lying = weights;
  const uint64_t huge = uint64_t{1} << 62;
  std::memcpy(lying.data(), &huge, sizeof(huge));
  place_.Write("m/model.safetensors", lying);
  Expect(generate, 1, "model.safetensors");
  place_.Write("m/model.safetensors", "");
  Expect(generate, 1, "model.safetensors");
  place_.Write("m/model.safetensors", weights);

  // Tensors that are not this model's, all of them named at once.
  std::string other = config;
  other.replace(other.find("\"n_embd\": 16"), 12, "\"n_embd\": 18");
  place_.Write("m/config.json", other);
  Expect(generate, 1, "wpe.weight is [8,16], not [8,18]");
}

TEST_F(BadInput, PromptsAndInputs) {
  MakeModel("m");
  place_.Write("wrong.safetensors", "not a header");
  Expect({"generate", "m", "--max_tokens=1"}, 2, "--prompt");
  Expect({"generate", "m", "--prompt=", "--max_tokens=1"}, 1, "prompt is empty");
  Expect({"generate", "m", "--prompt_ids=1,9999", "--max_tokens=1"}, 1, "9999");
  Expect({"generate", "m", "--prompt_ids=1,x", "--max_tokens=1"}, 2, "'x' is not an integer");
  Expect({"run", "m", "--inputs=wrong.safetensors", "--outputs=o.safetensors"}, 1,
         "wrong.safetensors");
  Expect({"init", "gpt", "--out=m"}, 1, "--overwrite");
}

TEST_F(BadInput, TensorsThatDoNotFitTheModel) {
  MakeModel("m");
  const auto write = [&](const std::string& name, const TensorMap& tensors) {
    ASSERT_OK(WriteSafetensors(place_ / name, tensors));
  };
  const HostTensor ids = HostTensor::I32({1, 3}, {1, 2, 3});
  const auto run = [&](const char* function, const std::string& message) {
    Expect({"run", "m", std::string("--function=") + function, "--inputs=in.safetensors",
            "--outputs=o.safetensors"},
           1, message);
  };
  write("in.safetensors", {{"input_ids", HostTensor::I32({1, 3}, {1, 2, 999})}});
  run("forward", "in.safetensors: input_ids has the id 999 at [0,2], not in [0, 256)");
  write("in.safetensors", {{"input_ids", HostTensor::I32({1, 3}, {1, -5, 2})}});
  run("forward", "input_ids has the id -5 at [0,1]");
  write("in.safetensors", {{"input_ids", ids}, {"labels", HostTensor::I32({1, 3}, {1, -1, 2})}});
  run("loss", "labels has the id -1 at [0,1]");
  write("in.safetensors", {{"input_ids", HostTensor(DType::kI32, {1, 20})}});
  run("forward", "longer than n_positions");
  write("in.safetensors", {{"input_ids", HostTensor::F32({1, 3}, {1, 2, 3})}});
  run("forward", "must be integers");
  write("in.safetensors", {{"input_ids", HostTensor::I32({3}, {1, 2, 3})}});
  run("forward", "input_ids is 3");
  write("in.safetensors", {{"inputs", ids}});
  run("forward", "'input_ids' is missing");
  write("in.safetensors", {{"input_ids", ids}, {"position", ids}});
  run("forward", "has no input 'position'");
  write("in.safetensors", {{"input_ids", ids}});
  run("gradients", "without one, input grad_output is the gradient of the first output, logits");

  const auto train = [&](const std::string& message) {
    Expect({"train", "m", "--data=d.safetensors", "--steps=1", "--out=t", "--quiet"}, 1, message);
    Expect({"eval", "m", "--data=d.safetensors"}, 1, message);
  };
  write("d.safetensors", {{"input_ids", ids}, {"labels", HostTensor::I32({1, 3}, {0, 400, 0})}});
  train("d.safetensors: labels has the id 400 at [0,1]");
  write("d.safetensors", {{"input_ids", HostTensor::I32({1, 3}, {0, 0, 256})}, {"labels", ids}});
  train("d.safetensors: input_ids has the id 256");
  write("d.safetensors", {{"input_ids", ids}, {"labels", ids}, {"extra", ids}});
  train("has no input 'extra'");
  write("d.safetensors", {{"input_ids", ids}});
  train("d.safetensors: no tensor labels, which the model needs; there are input_ids");
  write("d.safetensors", {{"input_ids", ids}, {"labels", ids}});
  write("v.safetensors", {{"labels", ids}});
  Expect({"train", "m", "--data=d.safetensors", "--val_data=v.safetensors", "--steps=1", "--out=t",
          "--quiet"},
         1, "v.safetensors: no tensor input_ids");
}

// A tokenizer with more ids than the model, and a checkpoint that is damaged.
TEST_F(BadInput, TokenizersAndCheckpoints) {
  place_.Write("t.txt", "um texto com umas letras, para treinar um modelo bem pequeno.");
  const std::vector<std::string> train{
      "train",          "gpt",     "--data=t.txt", "--steps=1",      "--set=n_layer=1",
      "--set=n_embd=8", "--quiet", "--seq_len=4",  "--set=n_head=2", "--batch_size=2",
      "--out=c",        "--resume"};
  ASSERT_EQ(place_.Trama(train).status, 0);
  const std::string state = place_.Read("c/trama_checkpoint/optimizer.safetensors");
  std::string damaged = state;
  damaged[damaged.size() / 2] ^= 1;
  place_.Write("c/trama_checkpoint/optimizer.safetensors", damaged);
  Expect(train, 1, "damaged checkpoint");
  EXPECT_EQ(place_.Read("c/trama_checkpoint/optimizer.safetensors"), damaged);
  place_.Write("c/trama_checkpoint/optimizer.safetensors", state);
  ASSERT_EQ(place_.Trama(train).status, 0);

  place_.Write("c/vocab.json", "{\"a\": 0}");
  Expect({"eval", "c", "--data=t.txt"}, 1, "is not in the vocabulary");
  place_.Write("c/tokenizer_config.json", "{\"tokenizer_class\": \"TramaByteTokenizer\"}");
  Expect({"eval", "c", "--data=t.txt"}, 1, "the tokenizer has 256 ids");

  // A tokenizer that cannot be read is no reason to make another from the data.
  place_.Write("c/tokenizer_config.json", "{\"tokenizer_class\": \"T5Tokenizer\"}");
  constexpr char kWhy[] =
      "the model has no tokenizer (c/tokenizer_config.json: no tokenizer of class T5Tokenizer";
  Expect({"eval", "c", "--data=t.txt"}, 1, kWhy);
  Expect({"train", "c", "--data=t.txt", "--steps=1", "--out=d"}, 1, kWhy);
  Expect({"generate", "c", "--prompt=um"}, 1, kWhy);
  Expect({"generate", "c", "--prompt_ids=1"}, 1, "--ids prints the new ids");
  EXPECT_FALSE(place_.Has("d"));
  EXPECT_EQ(place_.Trama({"generate", "c", "--prompt_ids=1", "--max_tokens=2", "--ids"}).status, 0);
}

TEST_F(BadInput, DiskFull) {
  place_.Write("t.csv", kTable);
  const Outcome outcome = place_.Trama({"train", "mlp", "--data=t.csv", "--target=kind",
                                        "--steps=2", "--metrics=/dev/full", "--out=m", "--quiet"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("/dev/full"));
}

// Files may grow to 100 kB: the first step's checkpoint does not fit, nothing of it stays, and the
// model that was to be replaced is as it was.
TEST_F(BadInput, DiskFullWhileCheckpointing) {
  place_.Write("t.txt", std::string(3000, 'a') + "bcd");
  MakeModel("old");
  const std::string config = place_.Read("old/config.json");
  const std::string weights = place_.Read("old/model.safetensors");
  const std::vector<std::string> before_it = place_.List();
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_IGN);  // then a write fails as on a full disk; the child inherits both
  const rlimit small = {100'000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  for (const char* out : {"--out=m", "--out=old"}) {
    const Outcome outcome =
        place_.Trama({"train", "gpt", "--data=t.txt", "--tokenizer=bytes", "--set=n_layer=1",
                      "--set=n_embd=64", "--set=n_head=2", "--seq_len=8", "--batch_size=2",
                      "--steps=1", "--quiet", "--overwrite", out});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, StartsWith("error: cannot write: "));
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(place_.List(), before_it);
  EXPECT_EQ(place_.Read("old/config.json"), config);
  EXPECT_TRUE(place_.Read("old/model.safetensors") == weights);
}

TEST_F(BadInput, OverwriteReplacesModelsOnly) {
  place_.Write("papers/thesis.txt", "years of work");
  Expect({"init", "mlp", "--out=papers", "--overwrite"}, 1, "papers: holds no model");
  Expect({"train", "mlp", "--data=x", "--steps=1", "--out=papers", "--overwrite"}, 1,
         "papers: holds no model");
  EXPECT_EQ(place_.Read("papers/thesis.txt"), "years of work");
  MakeModel("m");
  EXPECT_EQ(place_.Trama({"init", "mlp", "--out=m", "--overwrite"}).status, 0);
}

}  // namespace
}  // namespace trama
