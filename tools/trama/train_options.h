// What the flags of `trama train` say of a run.
#pragma once

#include "absl/status/statusor.h"
#include "runtime/trainer.h"
#include "tools/trama/flags.h"

namespace trama::cli {

// All but `trainable` and `sample`, which depend on the model. Wrong usage names the flag that is
// out of range, contradicts another or would change nothing.
absl::StatusOr<TrainOptions> TrainOptionsOf(const Flags& flags);

}  // namespace trama::cli
