#include "runtime/schedule.h"

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/nearest.h"

namespace trama {

absl::StatusOr<ScheduleKind> ScheduleKindFromName(std::string_view name) {
  if (name == "constant") return ScheduleKind::kConstant;
  if (name == "cosine") return ScheduleKind::kCosine;
  if (name == "linear") return ScheduleKind::kLinear;
  return absl::NotFoundError(absl::StrCat("no schedule: ", std::string(name),
                                          DidYouMean(name, {"constant", "cosine", "linear"})));
}

double Schedule::At(int64_t step) const {
  const int64_t t = step - 1;
  if (t < warmup_steps) return lr * static_cast<double>(t + 1) / static_cast<double>(warmup_steps);
  if (kind == ScheduleKind::kConstant) return lr;
  if (t >= total_steps) return min_lr;
  const double r =
      static_cast<double>(t - warmup_steps) / static_cast<double>(total_steps - warmup_steps);
  if (kind == ScheduleKind::kLinear) return lr - (lr - min_lr) * r;
  return min_lr + (lr - min_lr) / 2 * (1 + std::cos(std::numbers::pi * r));
}

}  // namespace trama
