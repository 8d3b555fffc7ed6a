// Failing plans, kept with all that they ran on, so that `trama replay` reproduces them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/api/plan.pb.h"
#include "runtime/device.h"

namespace trama {

// Writes PATH.plan (the plan) and PATH.safetensors (each block's bytes, and which program) under
// $XDG_CACHE_HOME/trama/failed, and returns `failure` with the file's name in its message. Where
// writing fails, or the blocks are larger than 1 GiB, `failure` comes back as it was.
absl::Status KeepFailure(const absl::Status& failure, const plan::Plan& plan, uint32_t program,
                         absl::Span<const Buffer> blocks);

struct Failure {
  plan::Plan plan;
  uint32_t program = 0;
  std::vector<std::vector<std::byte>> blocks;
};
// What KeepFailure wrote, by the name of its .plan file.
absl::StatusOr<Failure> ReadFailure(const std::string& path);

}  // namespace trama
