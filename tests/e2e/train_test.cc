// Training as a user runs it: repeatable, interruptible, and learning what it should.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>

#include "absl/strings/str_split.h"
#include "base/status_matchers.h"
#include "runtime/formats/json.h"
#include "tests/e2e/run_trama.h"
#include "tests/paths.h"

namespace trama {
namespace {

using testing::Outcome;
using testing::Workplace;

constexpr char kSentence[] = "ola mundo, como vai você?";

std::vector<double> Numbers(const Workplace& place, const std::string& file, const char* key) {
  std::vector<double> numbers;
  const std::string text = place.Read(file);
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    absl::StatusOr<Json> json = Json::Parse({line.data(), line.size()});
    EXPECT_OK(json);
    numbers.push_back(json->Get<double>(key).value_or(-1));
  }
  return numbers;
}

std::vector<double> Losses(const Workplace& place, const std::string& file) {
  return Numbers(place, file, "loss");
}

TEST(Train, LearnsTheSentenceOfTheFirstCourseText) {
  Workplace place;
  place.Write("ola.txt", kSentence);
  int learned = 0;
  for (int seed = 0; seed < 3; ++seed) {
    const std::string out = "m" + std::to_string(seed);
    const Outcome trained =
        place.Trama({"train", "char-transformer", "--data=ola.txt", "--batch_size=0",
                     "--steps=1000", "--optimizer=adam", "--lr=0.01", "--quiet", "--out=" + out,
                     "--seed=" + std::to_string(seed)});
    ASSERT_EQ(trained.status, 0) << trained.err;
    const Outcome said =
        place.Trama({"generate", out, "--prompt=ola m", "--greedy", "--max_tokens=20"});
    ASSERT_EQ(said.status, 0) << said.err;
    learned += "ola m" + said.out == std::string(kSentence) + "\n";
  }
  EXPECT_GE(learned, 2);  // the starting weights decide; 7 of 10 seeds are asked for
}

// The figures of the first course text's model: full batch, Adam, every weight trained from the
// weights that PyTorch started from too (0.00212 at step 100 in float64).
TEST(Train, FollowsPyTorchOnTheFirstCourseText) {
  Workplace place;
  place.Write("ola.txt", kSentence);
  const Outcome trained = place.Trama(
      {"train", "char-transformer", "--data=ola.txt", "--batch_size=0", "--steps=100",
       "--optimizer=adam", "--lr=0.01", "--quiet", "--metrics=m.jsonl", "--out=m",
       "--init=" TRAMA_SOURCE_DIR "/tests/golden/attention/seed000_all_weights/init.safetensors"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  const std::vector<double> losses = Losses(place, "m.jsonl");
  ASSERT_EQ(losses.size(), 100u);
  EXPECT_NEAR(losses.back(), 0.00212, 0.05 * 0.00212);
  const Outcome said =
      place.Trama({"generate", "m", "--prompt=ola m", "--greedy", "--max_tokens=20"});
  EXPECT_EQ("ola m" + said.out, std::string(kSentence) + "\n") << said.err;
}

TEST(Train, SameSeedSameBytesWhateverTheThreads) {
  Workplace place;
  std::string text;
  for (int i = 0; i < 60; ++i) text += "uma frase curta, outra mais longa. ";
  place.Write("text.txt", text);
  const std::vector<std::string> common{"train",           "gpt",
                                        "--data=text.txt", "--steps=5",
                                        "--set=n_layer=2", "--set=n_embd=32",
                                        "--set=n_head=2",  "--seq_len=16",
                                        "--batch_size=4",  "--quiet",
                                        "--seed=3"};
  for (const char* threads : {"1", "2", "3"}) {
    std::vector<std::string> arguments = common;
    arguments.push_back(std::string("--threads=") + threads);
    arguments.push_back(std::string("--out=m") + threads);
    const Outcome outcome = place.Trama(arguments);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
  EXPECT_EQ(place.Read("m1/model.safetensors"), place.Read("m2/model.safetensors"));
  EXPECT_EQ(place.Read("m1/model.safetensors"), place.Read("m3/model.safetensors"));
}

// A run that is killed ten times, in the middle of what it accumulates and while it writes a
// checkpoint or the best parameters, and resumed each time, ends with the bytes of one that was
// not.
TEST(Train, ResumesBitForBitAfterTenKills) {
  Workplace place;
  std::string text;
  for (int i = 0; i < 80; ++i) text += "fios que se cruzam, " + std::to_string(i * i) + "; ";
  place.Write("text.txt", text);
  const std::vector<std::string> common{"train",
                                        "gpt",
                                        "--data=text.txt",
                                        "--val_fraction=0.2",
                                        "--steps=120",
                                        "--set=n_layer=1",
                                        "--set=n_embd=32",
                                        "--set=n_head=2",
                                        "--seq_len=16",
                                        "--batch_size=2",
                                        "--quiet",
                                        "--checkpoint_every=3",
                                        "--eval_every=4",
                                        "--grad_accumulation=5",
                                        "--optimizer=adamw",
                                        "--schedule=cosine",
                                        "--warmup_steps=5",
                                        "--clip_norm=1",
                                        "--dropout=0.1"};
  auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = common;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  const Outcome whole = place.Trama(with({"--out=whole", "--metrics=whole.jsonl"}));
  ASSERT_EQ(whole.status, 0) << whole.err;
  const auto lines = [&] {
    const std::string metrics = place.Read("cut.jsonl");
    return std::count(metrics.begin(), metrics.end(), '\n');
  };
  // What is being written aside, or was when the run was killed: the next one removes it.
  const auto aside = [&] {
    std::set<std::string> names;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(place / "cut", ignored))
      if (const std::string name = entry.path().filename().string();
          name.find("-tmp-") != std::string::npos)
        names.insert(name);
    return names;
  };
  std::minstd_rand random(7);
  int while_writing = 0;
  for (int kill = 0; kill < 10; ++kill) {
    // Every other time while something is written, else at any moment of a step to come.
    const std::set<std::string> before = aside();
    const auto writes = [&] {
      const std::set<std::string> now = aside();
      return !std::includes(before.begin(), before.end(), now.begin(), now.end());
    };
    const int64_t enough = lines() + 1 + static_cast<int64_t>(random() % 4);
    testing::Signal signal{SIGKILL, 0, "", [&] { return kill % 2 ? writes() : lines() >= enough; }};
    if (kill % 2 == 0) signal.after_ms = static_cast<int>(random() % 4);
    const Outcome outcome =
        place.Trama(with({"--out=cut", "--resume", "--metrics=cut.jsonl"}), signal);
    ASSERT_EQ(outcome.status, 128 + SIGKILL) << "kill " << kill << ": " << outcome.err;
    while_writing += writes();
  }
  EXPECT_GE(while_writing, 1);
  const Outcome last = place.Trama(with({"--out=cut", "--resume", "--metrics=cut.jsonl"}));
  ASSERT_EQ(last.status, 0) << last.err;
  EXPECT_EQ(last.out, whole.out);
  for (const char* file :
       {"model.safetensors", "config.json", "trama_checkpoint/optimizer.safetensors",
        "trama_checkpoint/trainer_state.json", "best/model.safetensors", "best/evaluation.json"})
    EXPECT_TRUE(place.Read(std::string("cut/") + file) == place.Read(std::string("whole/") + file))
        << file;
  EXPECT_TRUE(aside().empty());
  for (const char* key : {"loss", "tokens", "val_loss"})
    EXPECT_EQ(Numbers(place, "cut.jsonl", key), Numbers(place, "whole.jsonl", key)) << key;
}

// On other text than it learns the model gets worse after a while: the run stops, and the best
// parameters are kept beside the last.
TEST(Train, StopsEarlyAndKeepsTheBest) {
  Workplace place;
  std::string text, other;
  for (int i = 0; i < 200; ++i) {
    text += "abcabd" + std::string(i % 3 ? "ab" : "cd");
    other += "dcbacb" + std::string(i % 2 ? "da" : "ca");
  }
  place.Write("text.txt", text);
  place.Write("other.txt", other);
  const std::vector<std::string> arguments{"train",
                                           "gpt",
                                           "--data=text.txt",
                                           "--val_data=other.txt",
                                           "--steps=2000",
                                           "--set=n_layer=1",
                                           "--set=n_embd=16",
                                           "--set=n_head=2",
                                           "--seq_len=16",
                                           "--lr=0.01",
                                           "--quiet",
                                           "--eval_every=2",
                                           "--early_stopping=3",
                                           "--checkpoint_every=5",
                                           "--metrics=m.jsonl",
                                           "--out=m",
                                           "--resume"};
  const Outcome trained = place.Trama(arguments);
  ASSERT_EQ(trained.status, 0) << trained.err;
  std::vector<std::pair<double, int64_t>> evaluations;  // loss, step
  const std::string lines = place.Read("m.jsonl");
  for (absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    ASSERT_OK_AND_ASSIGN(const Json json, Json::Parse({line.data(), line.size()}));
    if (json.Find("val_loss"))
      evaluations.emplace_back(*json.Get<double>("val_loss"), *json.Get<int64_t>("step"));
  }
  const auto best = std::min_element(evaluations.begin(), evaluations.end());
  ASSERT_EQ(evaluations.end() - best, 4);  // three without a better one, then the end
  ASSERT_OK_AND_ASSIGN(const Json summary, Json::Parse(trained.out));
  EXPECT_EQ(*summary.Get<int64_t>("steps"), evaluations.back().second);
  EXPECT_EQ(*summary.Get<int64_t>("best_step"), best->second);
  EXPECT_EQ(*summary.Get<double>("best_val_loss"), best->first);
  ASSERT_OK_AND_ASSIGN(const Json kept, Json::Parse(place.Read("m/best/evaluation.json")));
  EXPECT_EQ(*kept.Get<int64_t>("step"), best->second);
  for (const auto& [directory, loss] :
       {std::pair("m/best", best->first), {"m", evaluations.back().first}}) {
    const Outcome eval = place.Trama({"eval", directory, "--data=other.txt", "--seq_len=16"});
    ASSERT_EQ(eval.status, 0) << eval.err;
    EXPECT_EQ(*Json::Parse(eval.out)->Get<double>("loss"), loss) << directory;
  }
  // Resumed, it has nothing left to do.
  const Outcome again = place.Trama(arguments);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out, trained.out);
  EXPECT_EQ(place.Read("m.jsonl"), lines);
}

// The MiB that a run says it will take.
double Planned(const Outcome& outcome) {
  const size_t end = outcome.err.find(" MiB planned"),
               begin = end == std::string::npos ? end : outcome.err.rfind(' ', end - 1);
  return begin == std::string::npos ? 0 : atof(outcome.err.c_str() + begin);
}

TEST(Train, RecomputesTheSameBitsInLessMemory) {
  Workplace place;
  std::string text;
  for (int i = 0; i < 300; ++i) text += "de novo o mesmo, " + std::to_string(i * i) + "; ";
  place.Write("text.txt", text);
  for (const char* accumulation : {"1", "2"}) {
    const std::vector<std::string> common{"train",           "gpt",
                                          "--data=text.txt", "--steps=3",
                                          "--set=n_layer=6", "--set=n_embd=64",
                                          "--set=n_head=2",  "--seq_len=64",
                                          "--batch_size=16", "--dropout=0.1",
                                          "--overwrite",     "--grad_accumulation",
                                          accumulation};
    std::vector<std::string> keeps = common, recomputes = common;
    keeps.push_back("--out=keeps");
    recomputes.insert(recomputes.end(), {"--out=recomputes", "--recompute"});
    const Outcome kept = place.Trama(keeps), again = place.Trama(recomputes);
    ASSERT_EQ(kept.status, 0) << kept.err;
    ASSERT_EQ(again.status, 0) << again.err;
    EXPECT_EQ(kept.out, again.out);
    EXPECT_TRUE(place.Read("keeps/model.safetensors") ==
                place.Read("recomputes/model.safetensors"));
    EXPECT_GT(Planned(again), 0);
    EXPECT_LT(Planned(again), 0.6 * Planned(kept));
  }
}

TEST(Train, ControlCWritesACheckpoint) {
  Workplace place;
  std::string text(4000, 'a');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i * i % 23);
  place.Write("text.txt", text);
  const std::vector<std::string> arguments{"train",           "gpt",
                                           "--data=text.txt", "--steps=1000000",
                                           "--set=n_layer=1", "--set=n_embd=16",
                                           "--set=n_head=2",  "--seq_len=16",
                                           "--batch_size=2",  "--quiet",
                                           "--out=m",         "--metrics=m.jsonl"};
  // The first line of metrics says that it trains.
  const Outcome outcome = place.Trama(arguments, {SIGINT, 50, "m.jsonl"});
  EXPECT_EQ(outcome.status, 130) << outcome.err;
  EXPECT_TRUE(place.Has("m/trama_checkpoint/manifest.json"));
  EXPECT_EQ(place.Trama({"generate", "m", "--prompt=abc", "--max_tokens=3"}).status, 0);
}

// Who goes on does not come by the step again: its evaluation is not left out.
TEST(Train, ControlCLeavesOutNoEvaluation) {
  Workplace place;
  std::string text;
  for (int i = 0; i < 200; ++i) text += "um fio " + std::to_string(i * i) + "; ";
  place.Write("text.txt", text);
  const Outcome outcome =
      place.Trama({"train", "gpt", "--data=text.txt", "--val_fraction=0.1", "--steps=1000000",
                   "--eval_every=1", "--set=n_layer=1", "--set=n_embd=16", "--set=n_head=2",
                   "--seq_len=16", "--batch_size=2", "--quiet", "--out=m", "--metrics=m.jsonl"},
                  {SIGINT, 50, "m.jsonl"});
  EXPECT_EQ(outcome.status, 130) << outcome.err;
  const std::vector<double> losses = Numbers(place, "m.jsonl", "val_loss");
  ASSERT_FALSE(losses.empty());
  for (const double loss : losses) EXPECT_GT(loss, 0);
}

TEST(Train, AccumulationEqualsTheLargeBatch) {
  Workplace place;
  std::string table = "a,b,kind\n";
  for (int i = 0; i < 60; ++i)
    table += std::to_string(i % 7 - 3) + "," + std::to_string(i % 5 - 2) + "," +
             (i % 3 ? "x" : "y") + "\n";
  place.Write("t.csv", table);
  for (const auto& [out, batch, times] :
       {std::tuple("large", "--batch_size=20", "--grad_accumulation=1"),
        std::tuple("small", "--batch_size=5", "--grad_accumulation=4")}) {
    const Outcome outcome =
        place.Trama({"train", "mlp", "--data=t.csv", "--target=kind", "--positive=x", "--epochs=3",
                     batch, times, "--optimizer=sgd", "--lr=0.1", "--quiet",
                     std::string("--out=") + out, std::string("--metrics=") + out + ".jsonl"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
  const std::vector<double> large = Losses(place, "large.jsonl"),
                            small = Losses(place, "small.jsonl");
  ASSERT_EQ(large.size(), small.size());
  for (size_t i = 0; i < large.size(); ++i) EXPECT_NEAR(large[i], small[i], 1e-6);
  // A table has no tokens: its examples are counted.
  for (const double rate : Numbers(place, "large.jsonl", "tokens_per_second")) EXPECT_GT(rate, 0);
}

// The data's values overflow the loss: the run stops at that step, names the op and keeps the
// parameters that it had.
TEST(Train, NamesTheOpThatIsNotFinite) {
  Workplace place;
  place.Write("t.csv", "a,kind\n1e38,x\n-1e38,y\n1e38,x\n");
  const Outcome outcome =
      place.Trama({"train", "mlp", "--data=t.csv", "--target=kind", "--positive=x", "--steps=3",
                   "--batch_size=0", "--lr=1e10", "--optimizer=sgd", "--quiet", "--out=m"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("is not finite"));
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("first from"));
}

// The same where an update sums the gradients of several batches: the batch is found again.
TEST(Train, NamesTheOpThatIsNotFiniteInAnyBatch) {
  Workplace place;
  place.Write("t.csv", "a,kind\n1,x\n-1,y\n2,x\n1e38,y\n");
  place.Write("text.txt", std::string(200, 'a') + "b");
  const Outcome table =
      place.Trama({"train", "mlp", "--data=t.csv", "--target=kind", "--positive=x", "--steps=3",
                   "--batch_size=2", "--grad_accumulation=2", "--shuffle=false", "--lr=1e10",
                   "--optimizer=sgd", "--quiet", "--out=m"});
  const Outcome text =
      place.Trama({"train", "gpt", "--data=text.txt", "--steps=3", "--lr=1e20",
                   "--grad_accumulation=2", "--batch_size=2", "--seq_len=8", "--set=n_layer=1",
                   "--set=n_embd=16", "--set=n_head=2", "--quiet", "--out=g"});
  for (const Outcome* outcome : {&table, &text}) {
    EXPECT_EQ(outcome->status, 1);
    EXPECT_THAT(outcome->err, ::testing::ContainsRegex("is not finite; first from .*\\.h:[0-9]+"));
  }
}

// Text without shuffling is read from its beginning on, whatever the seed.
TEST(Train, ReadsTextInItsOrder) {
  Workplace place;
  std::string text;
  for (int i = 0; i < 60; ++i) text += "linha " + std::to_string(i * i) + "; ";
  place.Write("text.txt", text);
  for (const char* shuffle : {"true", "false"})
    ASSERT_EQ(place
                  .Trama({"train", "gpt", "--data=text.txt", "--steps=2", "--seq_len=8",
                          "--batch_size=2", "--set=n_layer=1", "--set=n_embd=16", "--set=n_head=2",
                          "--quiet", "--optimizer=sgd", std::string("--shuffle=") + shuffle,
                          std::string("--metrics=") + shuffle + ".jsonl",
                          std::string("--out=") + shuffle})
                  .status,
              0);
  EXPECT_NE(Losses(place, "true.jsonl"), Losses(place, "false.jsonl"));
}

// A later step that is not finite leaves a checkpoint of the last good one.
TEST(Train, KeepsTheLastGoodState) {
  Workplace place;
  place.Write("t.csv", "a,kind\n1,x\n-1,y\n2,x\n");
  const Outcome outcome =
      place.Trama({"train", "mlp", "--data=t.csv", "--target=kind", "--positive=x", "--steps=9",
                   "--batch_size=0", "--lr=1e25", "--optimizer=sgd", "--quiet", "--out=m"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("is not finite"));
  EXPECT_TRUE(place.Has("m/trama_checkpoint/manifest.json"));
  EXPECT_TRUE(place.Has("m/model.safetensors"));
}

// The device is gone at the eleventh step: what is said, and what training goes on from.
TEST(Train, ALostDeviceLeavesTheLastCheckpoint) {
  Workplace place;
  place.Write("t.csv", "a,kind\n1,x\n-1,y\n2,x\n");
  const auto train = [&](std::vector<std::string> more) {
    std::vector<std::string> args = {"train",          "mlp",          "--data=t.csv",
                                     "--target=kind",  "--positive=x", "--steps=20",
                                     "--batch_size=0", "--quiet"};
    args.insert(args.end(), more.begin(), more.end());
    return place.Trama(args);
  };
  const std::string plugins = "--plugin_path=" TRAMA_BINARY_DIR "/tests/plugins";
  Outcome lost = train({"--backend=wrong_lost", plugins, "--out=none"});
  EXPECT_EQ(lost.status, 1);
  EXPECT_THAT(lost.err, ::testing::HasSubstr("the device was lost"));
  EXPECT_THAT(lost.err, ::testing::HasSubstr("no state had reached the host"));
  lost = train({"--backend=wrong_lost", plugins, "--out=m", "--checkpoint_every=4"});
  EXPECT_EQ(lost.status, 1);
  EXPECT_THAT(lost.err, ::testing::HasSubstr("of step 8, is in m"));
  const Outcome resumed = train({"--out=m", "--resume", "--metrics=m.jsonl"});
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(Losses(place, "m.jsonl").size(), 12u);
}

}  // namespace
}  // namespace trama
