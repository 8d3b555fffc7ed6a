// What every command keeps to: where it prints, how it ends, what it suggests.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/e2e/bad_input.h"
#include "tests/paths.h"

namespace trama {
namespace {

using testing::BadInput;
using ::testing::HasSubstr;
using testing::Outcome;
using ::testing::StartsWith;

class CommandLineTest : public BadInput {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 40; ++i) text += "fios que se cruzam, " + std::to_string(i * i) + "; ";
    place_.Write("t.txt", text);
  }
  // The exit status of a line of shell with $trama in it, run in the folder.
  int Shell(const std::string& line) const {
    const std::string script =
        "cd '" + place_.path() + "' && trama='" TRAMA_BINARY_DIR "/bin/trama' && " + line;
    const int status = std::system(script.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

// A limit of this process while it lives, which commands inherit.
class Limit {
 public:
  Limit(int resource, rlim_t most) : resource_(resource) {
    getrlimit(resource_, &before_);
    const rlimit less = {most, before_.rlim_max};
    setrlimit(resource_, &less);
  }
  ~Limit() { setrlimit(resource_, &before_); }

 private:
  int resource_;
  rlimit before_ = {};
};

constexpr char kTrain[] =
    "\"$trama\" train gpt --data=t.txt --set=n_layer=1 --set=n_embd=16 --set=n_head=2 --seq_len=8 "
    "--batch_size=2 --steps=6 --checkpoint_every=2 ";

// What is printed goes nowhere, and not into the files that are open then.
TEST_F(CommandLineTest, ClosedStandardDescriptors) {
  ASSERT_EQ(Shell(std::string(kTrain) + "--out=open --quiet >/dev/null"), 0);
  EXPECT_EQ(Shell(std::string(kTrain) + "--out=a --metrics=a.jsonl 2>&- >/dev/null"), 0);
  EXPECT_EQ(Shell(std::string(kTrain) + "--out=b --metrics=b.jsonl <&- >&- 2>&-"), 1);
  for (const std::string run : {"a", "b"}) {
    EXPECT_TRUE(place_.Read(run + "/model.safetensors") == place_.Read("open/model.safetensors"));
    const Outcome plotted = place_.Trama({"plot", run + ".jsonl"});
    EXPECT_EQ(plotted.status, 0) << plotted.err;
    EXPECT_EQ(plotted.err, "");
  }
  EXPECT_EQ(Shell("\"$trama\" generate a --prompt=fios --max_tokens=3 --probabilities=p.json "
                  ">&- 2>/dev/null"),
            1);
  EXPECT_THAT(place_.Read("p.json"), StartsWith("[[{\"id\": "));
}

TEST_F(CommandLineTest, HelpThatIsNotPrintedIsNoSuccess) {
  for (const char* arguments : {"--help", "train --help", "models"})
    EXPECT_EQ(Shell(std::string("\"$trama\" ") + arguments + " >/dev/full 2>err"), 1) << arguments;
  EXPECT_EQ(place_.Read("err"), "error: standard output: cannot be written\n");
}

TEST_F(CommandLineTest, HelpOfACommand) {
  const Outcome help = place_.Trama({"help", "tokenizer", "train"});
  EXPECT_EQ(help.status, 0) << help.err;
  EXPECT_THAT(help.out, HasSubstr("trama tokenizer train"));
  EXPECT_EQ(help.out, place_.Trama({"tokenizer", "train", "--help"}).out);
  EXPECT_NE(help.out, place_.Trama({"help"}).out);
  Expect({"help", "trian"}, 2, "did you mean train?");
}

TEST_F(CommandLineTest, NumbersBeyondTheirRange) {
  Expect({"explain", "mlp", "--device=4294967296"}, 2, "--device: 4294967296 is not at most");
  Expect({"explain", "mlp", "--threads=4294967297"}, 2,
         "--threads: 4294967297 is not at most 1024");
  Expect({"generate", "m", "--prompt=x", "--num_samples=4294967296"}, 2, "is not at most 65536");
  Expect({"train", "gpt", "--data=t.txt", "--steps=1", "--out=m", "--seq_len=9223372036854775807"},
         1, "t.txt: seq_len and stride are at most");
}

TEST_F(CommandLineTest, FormatsHoldWhatTheyAreFor) {
  ASSERT_EQ(place_.Trama({"init", "mlp", "--out=m"}).status, 0);
  Expect({"export", "m", "--format=llmc", "--out=o.bin"}, 1, "holds gpt2, and no mlp");
}

TEST_F(CommandLineTest, SpecialTokensAreEachAnother) {
  Expect({"tokenizer", "train", "--kind=word", "--data=t.txt", "--out=k", "--special_tokens=A,B,A"},
         2, "--special_tokens: A is named twice");
}

TEST_F(CommandLineTest, SuggestsWhatWasMeant) {
  MakeModel("model");
  Expect({"gen"}, 2, "did you mean generate?");
  for (const char* command : {"explain", "bench", "train", "run"}) {
    std::vector<std::string> arguments{command, "modle"};
    if (arguments[0] == "train") arguments.insert(arguments.end(), {"--steps=1", "--out=o"});
    if (arguments[0] == "run") arguments.insert(arguments.end(), {"--inputs=i", "--outputs=o"});
    Expect(arguments, 2, "no model 'modle'; did you mean model?");
  }
  Expect({"explain", "t.txt"}, 2, "no model 't.txt', and no directory");
  Expect({"tokenize", "--tokenizer=modle", "--text=x"}, 2, "did you mean model?");
  Expect({"train", "gpt", "--data=t.txt", "--steps=1", "--out=o", "--init=zero"}, 2,
         "did you mean zeros?");
  Expect({"explain", "gpt", "--program=prefil"}, 2, "did you mean prefill?");
  Expect({"explain", "gpt", "--program=,"}, 2, "--program: names no program");
  Expect({"bench", "gpt", "--program="}, 2, "--program: names no program");
}

TEST_F(CommandLineTest, QuietSilencesNotes) {
  place_.Write("m.jsonl", "{\"step\": 1, \"loss\": 2}\n{\"step\": 2, \"lo");
  EXPECT_THAT(place_.Trama({"plot", "m.jsonl"}).err, HasSubstr("m.jsonl:2: ends within the line"));
  EXPECT_EQ(place_.Trama({"plot", "m.jsonl", "--quiet"}).err, "");
}

TEST_F(CommandLineTest, DumpsThatDoNotFitAreAnError) {
  signal(SIGXFSZ, SIG_IGN);  // then a write fails as on a full disk
  const Limit files(RLIMIT_FSIZE, 2000);
  const Outcome outcome = place_.Trama({"explain", "gpt", "--dump_ir=d", "--stage=plan"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, StartsWith("error: dump_ir: cannot write d/00-traced.mlir ("));
  EXPECT_EQ(outcome.out, "");
}

#if !defined(__has_feature) || !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
TEST_F(CommandLineTest, MoreMemoryThanThereIs) {
  place_.Write("m.jsonl", "");
  ASSERT_EQ(truncate((place_ / "m.jsonl").c_str(), int64_t{1} << 40), 0);
  const Limit memory(RLIMIT_AS, int64_t{1} << 32);
  const Outcome outcome = place_.Trama({"plot", "m.jsonl"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "error: out of memory: what was asked for needs more\n");
}
#endif

}  // namespace
}  // namespace trama
