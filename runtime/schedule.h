// Learning rate schedules.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace trama {

enum class ScheduleKind { kConstant, kCosine, kLinear };
// "constant", "cosine", "linear". NotFound suggests the nearest.
absl::StatusOr<ScheduleKind> ScheduleKindFromName(std::string_view name);

struct Schedule {
  ScheduleKind kind = ScheduleKind::kConstant;
  double lr = 1e-3, min_lr = 0;
  int64_t warmup_steps = 0;
  int64_t total_steps = 0;  // where min_lr is reached; it stays there after

  // The rate of update `step`, counted from 1. With t = step - 1, W warm-up steps and T in all:
  // lr (t + 1) / W while t < W; then, with r = (t - W) / (T - W), constant: lr; cosine:
  // min + (lr - min) / 2 (1 + cos(pi r)); linear: lr - (lr - min) r.
  double At(int64_t step) const;
};

}  // namespace trama
