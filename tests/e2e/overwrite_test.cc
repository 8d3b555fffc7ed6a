// Directories that are written again: nothing of another model is left, and runs that are another
// do not go on.
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>

#include "base/status_matchers.h"
#include "tests/e2e/bad_input.h"

namespace trama {
namespace {

using testing::Arguments;
using testing::BadInput;
using testing::kTrainText;
using testing::Outcome;
using testing::With;

class OverwriteTest : public BadInput {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "quem fia, desfia; ";
    place_.Write("t.txt", text);
  }
  void Succeed(const Arguments& arguments) {
    const Outcome outcome = place_.Trama(arguments);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
};

TEST_F(OverwriteTest, NothingOfTheOtherModelIsLeft) {
  Succeed({"tokenizer", "train", "--kind=bpe", "--data=t.txt", "--vocab_size=270", "--out=k",
           "--quiet"});
  Succeed({"init", "gpt", "--set=n_layer=1", "--set=n_embd=16", "--set=n_head=2", "--tokenizer=k",
           "--out=o"});
  place_.Write("o/generation_config.json", R"({"do_sample": false, "eos_token_id": 7})");
  place_.Write("o/added_tokens.json", R"({"<x>": 300})");
  place_.Write("o/model.safetensors.index.json", R"({"weight_map": {}})");
  place_.Write("o/model-00001-of-00002.safetensors", "");
  place_.Write("o/notes.txt", "somebody's");
  const Arguments train = With(kTrainText, {"--data=t.txt", "--tokenizer=bytes"});
  Succeed(With(train, {"--out=fresh"}));
  Succeed(With(train, {"--overwrite"}));
  EXPECT_EQ(place_.Read("o/notes.txt"), "somebody's");
  std::map<std::string, std::string> fresh, replaced;
  for (const auto& [name, bytes] : place_.Contents()) {
    if (name.starts_with("fresh/")) fresh[name.substr(6)] = bytes;
    if (name.starts_with("o/") && name != "o/notes.txt") replaced[name.substr(2)] = bytes;
  }
  EXPECT_TRUE(replaced == fresh);
}

// Where the model cannot be written, nothing is trained.
TEST_F(OverwriteTest, PlacesThatCannotBeWrittenAreKnownBefore) {
  const Arguments train = With(kTrainText, {"--data=t.txt", "--metrics=m.jsonl"});
  for (const std::string out : {"t.txt/o", "/proc/o", "/proc/a/b"}) {
    Expect(With(train, {"--out=" + out}), 1,
           out.starts_with("/proc") ? "/proc" : "directory: t.txt");
    EXPECT_FALSE(place_.Has("m.jsonl"));
  }
  Expect(With(train, {"--out=" + std::string(300, 'o')}), 1, "File name too long");
  EXPECT_FALSE(place_.Has("m.jsonl"));
  // A link to what is not there yet leads there.
  std::filesystem::create_symlink("there", place_ / "link");
  Succeed(With(train, {"--out=link"}));
  EXPECT_TRUE(place_.Has("there/config.json"));
}

// The disk is full once the weights are written and the tokenizer is not: the other model is whole.
TEST_F(OverwriteTest, TheOtherModelIsThereUntilThisOneIs) {
  MakeModel("o");
  const auto before = place_.Contents();
  std::string text;
  for (int i = 0; i < 4000; ++i) text += std::to_string(i * 7919) + " ";
  place_.Write("n.txt", text);
  Succeed({"tokenizer", "train", "--kind=bpe", "--data=n.txt", "--vocab_size=1200", "--out=k",
           "--quiet"});
  signal(SIGXFSZ, SIG_IGN);  // then a write fails as on a full disk; the child inherits both
  rlimit usual = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const rlimit small = {20'000, usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Outcome outcome =
      place_.Trama({"train", "gpt", "--data=n.txt", "--tokenizer=k", "--set=n_layer=1",
                    "--set=n_embd=2", "--set=n_head=1", "--set=n_positions=8", "--seq_len=4",
                    "--steps=1", "--quiet", "--out=o", "--optimizer=sgd", "--overwrite"});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &usual), 0);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("tokenizer.json (File too large)"));
  for (const auto& [name, bytes] : before) EXPECT_TRUE(place_.Read(name) == bytes) << name;
}

// What trains in place keeps what it does not understand.
TEST_F(OverwriteTest, ADirectoryTrainedInPlaceKeepsItsFiles) {
  MakeModel("o");
  place_.Write("o/tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer"})");
  place_.Write("d.bin", std::string("a\0b\0a\0b\0a\0b\0a\0b\0", 16));
  Succeed({"train", "o", "--data=d.bin", "--seq_len=4", "--steps=1", "--out=o", "--overwrite",
           "--quiet"});
  EXPECT_EQ(place_.Read("o/tokenizer_config.json"), R"({"tokenizer_class": "T5Tokenizer"})");
}

TEST_F(OverwriteTest, RunsThatAreAnotherDoNotGoOn) {
  const Arguments train = With(kTrainText, {"--data=t.txt", "--resume"});
  Succeed(train);
  Expect(With(train, {"--steps=2", "--stride=4"}), 1, "read its data in windows that are drawn");
  Expect(With(train, {"--steps=2", "--train_only=.*ln.*"}), 1, "trained other parameters");
  Succeed(With(train, {"--out=p", "--stride=4", "--train_only=.*ln.*"}));
  Expect(With(train, {"--out=p", "--steps=2", "--train_only=.*ln.*"}), 1,
         "read its data in windows --stride apart");
  Expect(With(train, {"--out=p", "--steps=2", "--stride=4"}), 1, "trained other parameters");
  Succeed(With(train, {"--out=p", "--steps=2", "--stride=4", "--train_only=.*ln.*"}));
}

}  // namespace
}  // namespace trama
