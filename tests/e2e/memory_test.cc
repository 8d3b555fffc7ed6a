// The bytes that a plan announces are the memory that a run takes.
#include <cstdlib>

#include "base/status_matchers.h"
#include "tests/e2e/run_trama.h"

namespace trama {
namespace {

using testing::Outcome;
using testing::Workplace;

constexpr double kMiB = 1 << 20;
// What a process of ours takes beside its plan: the libraries of LLVM and MLIR, the compiler's own
// memory, the text. docs/architecture.md states it.
constexpr double kConstant = 192 * kMiB;

// Trains a gpt of this width for two steps with a checkpoint after each: the bytes planned and the
// peak of what was resident.
void Train(const Workplace& place, int width, double* planned, double* peak) {
  const std::string name = "m" + std::to_string(width);
  const Outcome outcome =
      place.Trama({"train", "gpt", "--data=t.txt", "--tokenizer=bytes", "--set=n_layer=6",
                   "--set=n_head=4", "--set=n_embd=" + std::to_string(width), "--seq_len=128",
                   "--batch_size=8", "--steps=2", "--checkpoint_every=1", "--out=" + name});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string marker = " steps, ";
  const size_t at = outcome.err.find(marker);
  ASSERT_NE(at, std::string::npos) << outcome.err;
  *planned = std::strtod(outcome.err.c_str() + at + marker.size(), nullptr) * kMiB;
  *peak = static_cast<double>(outcome.peak_bytes);
}

TEST(Memory, TheBytesPlannedAreTheBytesUsed) {
  Workplace place;
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "fio " + std::to_string(i) + " sobre fio; ";
  place.Write("t.txt", text);
  double small_plan = 0, small_peak = 0, plan = 0, peak = 0;
  Train(place, 32, &small_plan, &small_peak);
  Train(place, 320, &plan, &peak);
  ASSERT_GT(plan, 150 * kMiB);
  EXPECT_LE(peak, 1.05 * plan + kConstant);
  // Of two runs with the same kernels the larger takes what its plan is larger by.
  EXPECT_LE(peak - small_peak, 1.05 * (plan - small_plan) + 16 * kMiB);
  EXPECT_GE(peak - small_peak, 0.9 * (plan - small_plan));
}

}  // namespace
}  // namespace trama
