// Bad input as it was listed when the command line was asked for, a row a case, on every command
// where it can occur; and what is promised of every error.
#include <signal.h>
#include <sys/resource.h>

#include <limits>

#include "base/status_matchers.h"
#include "runtime/formats/safetensors.h"
#include "tests/e2e/bad_input.h"

namespace trama {
namespace {

using testing::BadCase;
using testing::BadInputTable;
using testing::kTable;
using testing::kTrainTable;
using testing::kTrainText;
using testing::Outcome;
using testing::With;
using Arguments = testing::Arguments;

TEST_F(BadInputTable, Data) {
  const Arguments predict{"predict", "t", "--input=d.csv"}, evaluate{"eval", "t", "--data=d.csv"};
  const Arguments table = With(kTrainTable, {"--data=d.csv"});
  const Arguments text = With(kTrainText, {"--data=d.txt"}), lm{"eval", "m", "--data=d.txt"};
  const Arguments vocabulary{"tokenizer", "train", "--kind=bpe", "--data=d.txt", "--out=o"};
  ExpectEach({
      {"missing data", {}, With(kTrainTable, {"--data=t.cvs"}), "t.cvs; did you mean t.csv?"},
      {"missing data", {}, With(kTrainText, {"--data=none.txt"}), "none.txt"},
      {"missing data", {}, With(kTrainTable, {"--data=t.csv", "--val_data=n.csv"}), "n.csv"},
      {"missing data", {}, {"eval", "m", "--data=t.tx"}, "t.tx; did you mean t.txt?"},
      {"missing data", {}, {"predict", "t", "--input=none.csv"}, "none.csv"},
      {"missing data",
       {},
       {"tokenize", "m", "--file=t.tx"},
       "t.tx (No such file or directory); did"},
      {"missing data", {}, {"tokenizer", "train", "--kind=bpe", "--data=none", "--out=o"}, "none"},
      {"missing data", {}, {"plot", "none.jsonl"}, "none.jsonl"},
      {"missing data", {}, {"replay", "none.plan"}, "none.plan"},
      {"missing data", {}, {"run", "m", "--inputs=none", "--outputs=o"}, "none"},
      {"no data named", {}, kTrainTable, "--data is missing", 2},
      {"no data named", {}, {"eval", "m"}, "--data is missing", 2},
      {"no data named", {}, {"predict", "t"}, "--input is missing", 2},
      {"empty data", {{"d.csv", ""}}, table, "d.csv: no header, the data is empty"},
      {"empty data", {{"d.csv", "a,b,kind\n"}}, table, "d.csv: no rows below the header"},
      {"empty data", {{"d.csv", ""}}, evaluate, "d.csv: no header"},
      {"empty data", {{"d.csv", "a,b\n"}}, predict, "d.csv: no rows"},
      {"empty data", {{"d.txt", ""}}, text, "d.txt: no text, the data is empty"},
      {"empty data", {{"d.txt", ""}}, lm, "d.txt: no text, the data is empty"},
      {"empty data", {{"d.txt", ""}}, vocabulary, "d.txt: no text, the data is empty"},
      {"empty data", {{"d.bin", ""}}, {"eval", "m", "--data=d.bin"}, "d.bin: no ids"},
      {"empty data", {{"d.json", "[]"}}, {"eval", "m", "--data=d.json"}, "d.json: no record"},
      {"empty data", {{"d.jsonl", ""}}, {"plot", "d.jsonl"}, "d.jsonl: no loss in it"},
      {"wrong column",
       {{"d.csv", kTable}},
       {"train", "mlp", "--data=d.csv", "--target=kinds", "--steps=1", "--out=o"},
       "d.csv: no column kinds; did you mean kind?"},
      {"wrong column", {{"d.csv", kTable}}, With(table, {"--features=a,z"}), "d.csv: no column z"},
      {"wrong column", {{"d.csv", kTable}}, With(table, {"--features=a,a"}), "named twice"},
      {"wrong column",
       {{"d.csv", kTable}},
       With(table, {"--features=a,kind"}),
       "kind is the target"},
      {"wrong column", {{"d.csv", kTable}}, With(table, {"--positive=z"}), "has no value z"},
      {"wrong column",
       {{"d.csv", kTable}},
       With(table, {"--positive=x", "--negative=x"}),
       "both x"},
      {"wrong column", {{"d.csv", kTable}}, With(evaluate, {"--target=zz"}), "d.csv: no column zz"},
      {"wrong column", {{"d.csv", "a,c\n1,2\n"}}, predict, "d.csv: no column b"},
      {"wrong column", {{"d.csv", kTable}}, With(predict, {"--features=a"}), "the model takes 2"},
      {"wrong column",
       {{"d.csv", kTable}},
       {"eval", "m", "--data=d.csv"},
       "no text_column is named"},
      {"NaN in the data",
       {{"d.csv", "a,b,kind\n1,nan,x\n2,3,y\n"}},
       table,
       "d.csv:2:3: b is 'nan'"},
      {"NaN in the data", {{"d.csv", "a,b,kind\n1,nan,x\n2,3,y\n"}}, evaluate, "d.csv:2:3: b is"},
      {"NaN in the data", {{"d.csv", "a,b\n1,-inf\n"}}, predict, "d.csv:2:3: b is '-inf'"},
      {"no number", {{"d.csv", "a,b\n1,two\n"}}, predict, "d.csv:2:3: b is 'two'"},
      {"beyond a number", {{"d.csv", "a,b\n1,1e400\n"}}, predict, "d.csv:2:3: b is '1e400'"},
      {"ragged rows", {{"d.csv", "a,b,kind\n1,2\n"}}, table, "d.csv:2:1: 2 cells"},
      {"an open quote", {{"d.csv", "a,b,kind\n1,\"2,x\n"}}, table, "d.csv:2:3: the quote"},
      {"not UTF-8", {{"d.csv", "a,b,kind\n1,\xff,x\n"}}, table, "d.csv:2:3: invalid UTF-8"},
      {"not UTF-8", {{"d.txt", "abcdefg\xff hijkl"}}, text, "d.txt: byte 7: invalid UTF-8"},
      {"not UTF-8", {{"d.txt", "abcdefg\xff hijkl"}}, vocabulary, "d.txt: byte 7: invalid UTF-8"},
      {"too short", {{"d.txt", "abc"}}, text, "d.txt: 3 tokens are too few for a window"},
      {"text for a table's model",
       {},
       With(kTrainTable, {"--data=t.txt"}),
       "takes tables or tensors"},
      {"half an id", {{"d.bin", "abc"}}, {"eval", "m", "--data=d.bin"}, "d.bin: byte 2: half a"},
      {"records without fields",
       {{"d.jsonl", "{\"instruction\": \"a\", \"output\": \"b\"}\n{}\n"}},
       {"train", "m", "--data=d.jsonl", "--steps=1", "--out=o"},
       "d.jsonl:2: missing"},
      {"records without fields",
       {{"d.json", "[{\"instruction\": \"a\"}]"}},
       {"train", "m", "--data=d.json", "--steps=1", "--out=o"},
       "d.json:1: record 1: missing"},
      {"records without fields",
       {{"d.json", "[{\"instruction\": 1, \"output\": \"b\"}]"}},
       {"eval", "m", "--data=d.json"},
       "record 1: \"instruction\": expected a string"},
      {"records without fields",
       {{"d.jsonl", "{\"text\": \"ab\"}\n{\"txt\": 1}\n"}},
       {"eval", "m", "--data=d.jsonl"},
       "d.jsonl:2: missing \"text\""},
      {"records without fields",
       {{"d.jsonl", "{\"text\": \"ab\"}\n{\"text\": \n"}},
       {"eval", "m", "--data=d.jsonl"},
       "d.jsonl:2: byte 9: the text ends too early"},
      {"records without fields",
       {{"d.jsonl", "{\"step\": \"a\", \"loss\": 1}\n"}},
       {"plot", "d.jsonl"},
       "d.jsonl:1: \"step\": expected a number"},
      {"records without fields",
       {{"d.tsv", "no tab\n"}},
       {"eval", "m", "--data=d.tsv"},
       "d.tsv:1:"},
      {"ids out of range",
       {{"d.bin", std::string("\1\0\2\0\x60\xea\3\0\1\0", 10)}},
       {"train", "gpt", "--data=d.bin", "--seq_len=2", "--steps=1", "--out=o"},
       "d.bin: byte 4: id 60000 is outside the model's vocabulary of 256"},
      {"ids out of range",
       {{"d.bin", std::string("\1\0\2\0\3\0\2\0", 8)}},
       {"train", "gpt", "--data=d.bin", "--seq_len=2", "--steps=1", "--set=vocab_size=3",
        "--out=o"},
       "d.bin: byte 4: id 3 is outside the model's vocabulary of 3"},
      {"an unknown kind", {{"d.xyz", "a"}}, {"eval", "m", "--data=d.xyz"}, "unknown kind of data"},
  });
}

TEST_F(BadInputTable, NamesAndFlags) {
  std::vector<BadCase> cases{
      {"no command", {}, {}, "trama --help", 2},
      {"unknown command", {}, {"trian"}, "did you mean train?", 2},
      {"unknown command", {}, {"tokenizer", "trian"}, "did you mean tokenizer train?", 2},
      {"unknown model", {}, {"init", "gtp", "--out=o"}, "did you mean gpt?", 2},
      {"unknown model", {}, {"explain", "gtp"}, "did you mean gpt?", 2},
      {"unknown model", {}, {"bench", "gtp"}, "did you mean gpt?", 2},
      {"unknown model",
       {},
       {"train", "gtp", "--data=t.txt", "--steps=1", "--out=o"},
       "mean gpt?",
       2},
      {"unknown model", {}, {"download", "gpt3"}, "did you mean gpt2?"},
      {"unknown model",
       {},
       {"generate", "tt", "--prompt=x"},
       "tt: no such model directory; did you"},
      {"unknown model", {}, {"export", "none", "--out=o"}, "none: no such model directory"},
      {"a file as a model",
       {},
       {"generate", "t.txt", "--prompt=x"},
       "t.txt: is a file, not a model directory"},
      {"a file as a model", {}, {"import", "t.txt", "--out=o"}, "t.txt: neither a model directory"},
      {"a config key", {}, {"init", "mlp", "--set=hiden=3", "--out=o"}, "no config key 'hiden'", 2},
      {"a flag's name", {}, {"train", "gpt", "--dta=x"}, "did you mean --data?", 2},
      {"a flag's kind", {}, {"train", "gpt", "--steps=many"}, "'many' is not an integer", 2},
      {"a flag's kind", {}, {"train", "gpt", "--lr=nan"}, "--lr: 'nan' is not a number", 2},
      {"a flag's kind", {}, {"train", "gpt", "--shuffle=maybe"}, "is not true or false", 2},
      {"a flag without value", {}, {"train", "gpt", "--steps"}, "--steps needs a value", 2},
      {"a device",
       {},
       {"generate", "m", "--prompt=x", "--device=7"},
       "no device 7: backend cpu has 1"},
      {"threads",
       {},
       {"generate", "m", "--prompt=x", "--threads=1000000"},
       "--threads: 1000000 is not at most 1024",
       2},
      {"a regular expression",
       {},
       With(kTrainText, {"--data=t.txt", "--freeze=("}),
       "--freeze: '('",
       2},
      {"a parameter", {}, With(kTrainText, {"--data=t.txt", "--freeze=none"}), "of no parameter"},
      {"nothing to train", {}, With(kTrainText, {"--data=t.txt", "--freeze=.*"}), "no parameter"},
      {"an option beside another", {}, {"generate", "m", "--prompt=x", "--input=y"}, "--input", 2},
      {"an empty stop", {}, {"generate", "m", "--prompt=x", "--stop="}, "--stop", 2},
      {"a classifier that continues", {}, {"generate", "t", "--prompt=x"}, "t: classifies"},
      {"a program", {}, {"bench", "mlp", "--program=decode"}, "mlp has no decode", 2},
      {"a stage", {}, {"explain", "mlp", "--stage=zz"}, "'zz' is none of", 2},
      {"a field of --config",
       {{"c.textproto", "steps: 1\nfoo: 2\n"}},
       With(kTrainText, {"--data=t.txt", "--config=c.textproto"}),
       "c.textproto:2: unknown field"},
      {"a field of --config",
       {{"c.textproto", "steps: \"x\"\n"}},
       With(kTrainText, {"--data=t.txt", "--config=c.textproto"}),
       "c.textproto:1: Expected integer"},
      {"--out that exists", {}, {"init", "gpt", "--out=m"}, "--overwrite"},
      {"--out that is a file",
       {},
       {"init", "gpt", "--out=t.txt", "--overwrite"},
       "t.txt: is a file"},
      {"--out that is a file",
       {},
       {"tokenizer", "train", "--kind=bpe", "--data=t.txt", "--out=t.csv", "--overwrite"},
       "t.csv: is a file"},
      {"--out that is a file",
       {},
       With(kTrainText, {"--data=t.txt", "--out=t.csv", "--resume"}),
       "t.csv: is a file"},
      {"--out that is a directory",
       {},
       {"export", "m", "--out=t", "--overwrite"},
       "t: is a directory"},
      {"--out that cannot be made", {}, {"init", "gpt", "--out=/proc/o"}, "/proc/o"},
      {"a file as a folder", {}, {"explain", "mlp", "--dump_ir=t.txt"}, "t.txt is not a directory"},
      {"a file that cannot be written",
       {},
       With(kTrainText, {"--data=t.txt", "--metrics=no/x"}),
       "no/x"},
  };
  for (const char* flag : {"batch_size", "seq_len", "grad_accumulation", "eps", "momentum",
                           "weight_decay", "min_lr", "clip_norm", "limit", "stride", "num_labels",
                           "lora_rank", "eval_every", "checkpoint_every", "threads", "device"})
    cases.push_back({"a number that is too small",
                     {},
                     With(kTrainText, {"--data=t.txt", std::string("--") + flag + "=-1"}),
                     std::string("--") + flag + ": -1 is not at least",
                     2});
  // An unknown backend, wherever a program runs.
  for (const Arguments& arguments :
       {With(kTrainText, {"--data=t.txt"}), Arguments{"generate", "m", "--prompt=x"},
        Arguments{"eval", "m", "--data=t.txt"}, Arguments{"predict", "t", "--input=t.csv"},
        Arguments{"explain", "mlp"}, Arguments{"bench", "mlp"}}) {
    cases.push_back(
        {"unknown backend", {}, With(arguments, {"--backend=cpi"}), "; did you mean cpu?", 2});
    cases.push_back({"unknown backend", {}, With(arguments, {"--backend=check:cpu"}), "check", 2});
  }
  cases.push_back({"a plugin that is none",
                   {{"p/trama_backend_bad.so", "not a plugin"}},
                   {"generate", "m", "--prompt=x", "--plugin_path=p", "--backend=bad"},
                   "p/trama_backend_bad.so: does not load"});
  ExpectEach(cases);
}

TEST_F(BadInputTable, Tensors) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto write = [&](const std::string& name, const TensorMap& tensors) {
    ASSERT_OK(WriteSafetensors(place_ / name, tensors));
  };
  write("nan.safetensors",
        {{"x", HostTensor::F32({2, 2}, {1, 2, 3, nan})}, {"labels", HostTensor::I32({2}, {0, 1})}});
  write("long.safetensors", {{"input_ids", HostTensor(DType::kI32, {1, 9})}});
  write("range.safetensors", {{"input_ids", HostTensor::I32({1, 2}, {1, 256})}});
  const auto run = [](const char* model, const std::string& inputs) {
    return Arguments{"run", model, "--inputs=" + inputs, "--outputs=o.safetensors"};
  };
  ExpectEach({
      {"NaN in the data",
       {},
       {"train", "t", "--data=nan.safetensors", "--steps=1", "--out=o", "--quiet"},
       "nan.safetensors: byte 164: tensor x has nan"},
      {"NaN in the data",
       {},
       {"eval", "t", "--data=nan.safetensors"},
       "nan.safetensors: byte 164: tensor x has nan"},
      {"a sequence longer than the context", {}, run("m", "long.safetensors"), "n_positions: 8"},
      {"ids out of range", {}, run("m", "range.safetensors"), "input_ids has the id 256 at [0,1]"},
      {"other inputs", {}, run("m", "nan.safetensors"), "input"},
  });
}

TEST_F(BadInputTable, Checkpoints) {
  const Arguments train = With(kTrainText, {"--data=t.txt", "--batch_size=2"});
  ASSERT_EQ(place_.Trama(train).status, 0);
  const Arguments resume =
      With(kTrainText, {"--data=t.txt", "--batch_size=2", "--steps=2", "--resume"});
  std::vector<BadCase> cases;
  for (const char* name :
       {"manifest.json", "model.safetensors", "optimizer.safetensors", "trainer_state.json"}) {
    const std::string path = std::string("o/trama_checkpoint/") + name, bytes = place_.Read(path);
    std::string flipped = bytes;
    flipped[bytes.size() / 2] = static_cast<char>(flipped[bytes.size() / 2] ^ 1);
    for (const std::string& damaged : {bytes.substr(0, bytes.size() / 2), std::string(), flipped})
      cases.push_back(
          {"an unreadable checkpoint", {{path, damaged}}, resume, "damaged checkpoint: " + path});
  }
  cases.push_back(
      {"an unreadable checkpoint", {{"o/config.json", "{"}}, resume, "o/config.json: byte"});
  cases.push_back(
      {"another run", {}, With(resume, {"--batch_size=3"}), "had batch_size 2, this one has 3"});
  for (const auto& [flag, message] :
       {std::pair("--dropout=0.2", "had dropout 0, this one has 0.2"),
        std::pair("--lora_rank=2", "had lora_rank 0, this one has 2"),
        std::pair("--num_labels=2", "had num_labels 0, this one has 2")})
    cases.push_back({"another run", {}, With(resume, {flag}), message});
  cases.push_back({"another run", {}, With(resume, {"--seed=3"}), "had seed 0, this one has 3"});
  cases.push_back(
      {"another run", {}, With(resume, {"--optimizer=adam"}), "had optimizer adamw, this one"});
  cases.push_back(
      {"another model",
       {},
       {"train", "mlp", "--data=t.csv", "--target=kind", "--steps=2", "--out=o", "--resume"},
       "o: the run that is resumed trains a gpt2, not a mlp"});
  ExpectEach(cases);
}

// Files may grow to 2 kB, and /dev/full takes nothing: no command leaves a part of what it writes.
TEST_F(BadInputTable, DiskFull) {
  ASSERT_OK(WriteSafetensors(place_ / "in.safetensors",
                             {{"input_ids", HostTensor(DType::kI32, {1, 8})}}));
  std::string lines;
  for (int step = 1; step < 200; ++step)
    lines += "{\"step\": " + std::to_string(step) + ", \"loss\": 1}\n";
  place_.Write("m.jsonl", lines);
  std::string words;
  for (char a = 'a'; a <= 'z'; ++a)
    for (char b = 'a'; b <= 'z'; ++b) words += std::string{a, b, ' '};
  place_.Write("words.txt", words);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_IGN);  // then a write fails as on a full disk; the child inherits both
  const rlimit small = {2000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  ExpectEach({
      {"disk full", {}, {"init", "gpt", "--out=o"}, "cannot write: "},
      {"disk full", {}, With(kTrainText, {"--data=t.txt"}), "cannot write: "},
      {"disk full", {}, With(kTrainText, {"--data=t.txt", "--metrics=/dev/full"}), "/dev/full"},
      {"disk full", {}, {"run", "m", "--inputs=in.safetensors", "--outputs=o"}, "cannot write: o"},
      {"disk full", {}, {"export", "m", "--format=llmc", "--out=o"}, "cannot write: o"},
      {"disk full", {}, {"export", "m", "--out=o"}, "cannot write: o"},
      {"disk full", {}, {"import", "m", "--out=o"}, "cannot write: "},
      {"disk full",
       {},
       {"tokenizer", "train", "--kind=word", "--data=words.txt", "--out=o", "--quiet"},
       "cannot write: "},
      {"disk full", {}, {"plot", "m.jsonl", "--out=o.svg"}, "cannot write: o.svg"},
  });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
}

// What --quiet, which every command has, leaves: results on standard output, nothing on standard
// error.
TEST_F(BadInputTable, QuietSaysNothing) {
  for (const Arguments& arguments :
       {With(kTrainText, {"--data=t.txt"}),
        Arguments{"generate", "m", "--prompt=x", "--max_tokens=2", "--quiet"},
        Arguments{"eval", "m", "--data=t.txt", "--quiet"},
        Arguments{"import", "m", "--out=i", "--quiet"},
        Arguments{"init", "gpt", "--out=n", "--quiet"}, Arguments{"models", "--quiet"},
        Arguments{"tokenize", "m", "--text=x", "--quiet"},
        Arguments{"tokenizer", "train", "--kind=bpe", "--data=t.txt", "--out=k", "--quiet"}}) {
    const Outcome outcome = place_.Trama(arguments);
    EXPECT_EQ(outcome.status, 0) << arguments[0] << ": " << outcome.err;
    EXPECT_EQ(outcome.err, "") << arguments[0];
  }
}

}  // namespace
}  // namespace trama
