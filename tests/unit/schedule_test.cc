#include "runtime/schedule.h"

#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace trama {
namespace {

TEST(ScheduleTest, WarmsUpThenHoldsFallsOrCurves) {
  Schedule schedule{.kind = ScheduleKind::kConstant,
                    .lr = 1,
                    .min_lr = 0.2,
                    .warmup_steps = 4,
                    .total_steps = 12};
  const double warm[] = {0.25, 0.5, 0.75, 1};
  for (const auto kind : {ScheduleKind::kConstant, ScheduleKind::kCosine, ScheduleKind::kLinear}) {
    schedule.kind = kind;
    for (int step = 1; step <= 4; ++step) EXPECT_DOUBLE_EQ(schedule.At(step), warm[step - 1]);
    EXPECT_DOUBLE_EQ(schedule.At(5), 1);  // t = W
  }
  schedule.kind = ScheduleKind::kConstant;
  EXPECT_DOUBLE_EQ(schedule.At(100), 1);
  schedule.kind = ScheduleKind::kLinear;
  EXPECT_DOUBLE_EQ(schedule.At(7), 0.8);  // a quarter of the way from 1 to 0.2
  EXPECT_DOUBLE_EQ(schedule.At(9), 0.6);
  EXPECT_DOUBLE_EQ(schedule.At(13), 0.2);
  schedule.kind = ScheduleKind::kCosine;
  EXPECT_NEAR(schedule.At(7), 0.2 + 0.4 * (1 + 0.70710678118654752), 1e-15);
  EXPECT_NEAR(schedule.At(9), 0.6, 1e-15);
  EXPECT_DOUBLE_EQ(schedule.At(13), 0.2);
  EXPECT_DOUBLE_EQ(schedule.At(1000), 0.2);
}

TEST(ScheduleTest, MatchesTheRatesOfAPyTorchRun) {
  // 20 steps, peak 3e-3, minimum 3e-4, 5 of warm-up.
  const Schedule schedule{.kind = ScheduleKind::kCosine,
                          .lr = 3e-3,
                          .min_lr = 3e-4,
                          .warmup_steps = 5,
                          .total_steps = 20};
  EXPECT_DOUBLE_EQ(schedule.At(1), 0.0006);
  EXPECT_DOUBLE_EQ(schedule.At(6), 0.003);
  EXPECT_NEAR(schedule.At(20), 0.0003295007390093623, 1e-12);
}

TEST(ScheduleTest, WithoutStepsNothingDivides) {
  const Schedule none{
      .kind = ScheduleKind::kCosine, .lr = 1, .min_lr = 0.5, .warmup_steps = 3, .total_steps = 3};
  EXPECT_DOUBLE_EQ(none.At(3), 1);
  EXPECT_DOUBLE_EQ(none.At(4), 0.5);
  EXPECT_DOUBLE_EQ((Schedule{.lr = 0.1}).At(1), 0.1);
}

TEST(ScheduleTest, NamesItself) {
  EXPECT_EQ(*ScheduleKindFromName("cosine"), ScheduleKind::kCosine);
  EXPECT_THAT(ScheduleKindFromName("cosin"),
              StatusIs(absl::StatusCode::kNotFound, "did you mean cosine?"));
}

}  // namespace
}  // namespace trama
