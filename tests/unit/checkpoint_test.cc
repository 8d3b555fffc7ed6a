#include "runtime/checkpoint.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using absl::StatusCode::kDataLoss;

Checkpoint AtStep(int64_t step, int64_t size = 1000) {
  Checkpoint checkpoint;
  const std::vector<float> values(size, static_cast<float>(step));
  checkpoint.parameters["w"] = HostTensor::F32({size}, values);
  checkpoint.optimizer["w.m"] = HostTensor::F32({size}, values);
  checkpoint.optimizer["accumulated:grad.w"] = HostTensor::F32({size}, values);
  checkpoint.trainer_state.Set("step", step).Set("lr", 0.1);
  return checkpoint;
}

// Everything in it is of one step.
void ExpectWhole(const Checkpoint& checkpoint, int64_t step) {
  for (const TensorMap* tensors : {&checkpoint.parameters, &checkpoint.optimizer})
    for (const auto& [name, tensor] : *tensors)
      for (int64_t i = 0; i < tensor.num_elements(); ++i)
        ASSERT_EQ(tensor.at(i), static_cast<double>(step)) << name;
}

TEST(CheckpointTest, SavesLoadsAndReplaces) {
  const TempDir dir;
  EXPECT_FALSE(HasCheckpoint(dir / "m"));
  EXPECT_THAT(LoadCheckpoint(dir / "m"), StatusIs(absl::StatusCode::kNotFound, "no checkpoint"));
  for (int64_t step = 1; step <= 3; ++step) {
    ASSERT_OK(SaveCheckpoint(dir / "m", AtStep(step)));
    EXPECT_TRUE(HasCheckpoint(dir / "m"));
    ASSERT_OK_AND_ASSIGN(const Checkpoint loaded, LoadCheckpoint(dir / "m"));
    ExpectWhole(loaded, step);
    EXPECT_EQ(loaded.trainer_state, AtStep(step).trainer_state);
    EXPECT_EQ(loaded.optimizer.size(), 2u);
    ASSERT_OK_AND_ASSIGN(const TensorMap model, ReadSafetensors(dir / "m"));
    EXPECT_EQ(model.at("w").at(0), static_cast<double>(step));
  }
  EXPECT_EQ(*ListDirectory(dir / "m"),
            (std::vector<std::string>{"model.safetensors", "trama_checkpoint"}));
}

TEST(CheckpointTest, NamesTheDamagedFile) {
  const TempDir dir;
  std::mt19937 random(5);
  for (const char* name :
       {"model.safetensors", "optimizer.safetensors", "trainer_state.json", "manifest.json"}) {
    ASSERT_OK(SaveCheckpoint(dir.path(), AtStep(1)));
    const std::string path = dir / "trama_checkpoint/" + name;
    ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(path));
    for (int trial = 0; trial < 60; ++trial) {
      std::string bad = good;
      const size_t at = random() % bad.size();
      if (trial % 4 == 0)
        bad.resize(at);
      else
        bad[at] ^= static_cast<char>(1 << (random() % 8));
      // The manifest alone may differ in its white space.
      const absl::StatusOr<Json> json = Json::Parse(bad);
      if (json.ok() && json->Dump() == Json::Parse(good)->Dump()) continue;
      std::ofstream(path, std::ios::binary) << bad;
      const absl::Status status = LoadCheckpoint(dir.path()).status();
      ASSERT_FALSE(status.ok()) << name << " byte " << at;
      EXPECT_THAT(status.ToString(), testing::HasSubstr(std::string(name).substr(0, 8)));
      EXPECT_EQ(status.message().find('\n'), std::string::npos);
    }
    ASSERT_OK(RemoveAll(path));
    EXPECT_THAT(LoadCheckpoint(dir.path()), StatusIs(kDataLoss, name));
  }
}

TEST(CheckpointTest, AFullDiskKeepsTheLastOne) {
  const TempDir dir;
  ASSERT_OK(SaveCheckpoint(dir.path(), AtStep(1)));
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit = {6000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  const absl::Status status = SaveCheckpoint(dir.path(), AtStep(2));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(status.ToString(), testing::HasSubstr("File too large"));
  ASSERT_OK_AND_ASSIGN(const Checkpoint loaded, LoadCheckpoint(dir.path()));
  ExpectWhole(loaded, 1);
  EXPECT_EQ(ListDirectory(dir.path())->size(), 2u);
}

// A writer that is killed at random moments, again and again: the checkpoint is always whole and
// never older than one that was seen before.
TEST(CheckpointTest, SurvivesKills) {
  using Clock = std::chrono::steady_clock;
  const TempDir dir;
  const Clock::time_point start = Clock::now();
  ASSERT_OK(SaveCheckpoint(dir.path(), AtStep(1, 20'000)));
  const auto one_save = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
  std::mt19937 random(6);
  int64_t last = 1, moved = 0, interrupted = 0;
  // On a busy machine the first save says little about the others: go on until both have been seen.
  for (int round = 0; round < 40 || ((moved <= 5 || interrupted <= 5) && round < 1000); ++round) {
    const pid_t child = fork();
    if (child == 0) {
      for (int64_t step = last + 1;; ++step)
        if (!SaveCheckpoint(dir.path(), AtStep(step, 20'000)).ok()) _exit(1);
    }
    std::this_thread::sleep_for(one_save * static_cast<int>(random() % 300) / 100);
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed";
    interrupted += ListDirectory(dir.path())->size() > 2;
    ASSERT_OK(RecoverModelDirectory(dir.path()));
    EXPECT_EQ(*ListDirectory(dir.path()),
              (std::vector<std::string>{"model.safetensors", "trama_checkpoint"}));
    ASSERT_OK_AND_ASSIGN(const Checkpoint loaded, LoadCheckpoint(dir.path()));
    ASSERT_OK_AND_ASSIGN(const int64_t step, loaded.trainer_state.Get<int64_t>("step"));
    ExpectWhole(loaded, step);
    ASSERT_GE(step, last);
    moved += step > last;
    last = step;
    ASSERT_OK(ReadSafetensors(dir / "model.safetensors"));
  }
  EXPECT_GT(moved, 5);        // the writer got somewhere,
  EXPECT_GT(interrupted, 5);  // and was caught in the act
}

}  // namespace
}  // namespace trama
