// The time of each dispatch of a program, and the JSON in which a plugin's statistics() gives it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "backends/api/plan.pb.h"

namespace trama::codegen {

struct Profile {
  Profile() = default;
  explicit Profile(size_t dispatches) : total_ns(dispatches), best_ns(dispatches) {}
  // One run's nanoseconds, of each dispatch.
  void Add(absl::Span<const double> ns);

  std::vector<double> total_ns, best_ns;  // of each dispatch: all runs together, and the fastest
  int64_t runs = 0;
};

// One profile a program of the plan; those that did not run are left out. A list of
//   {"name": .., "runs": .., "dispatches": [{"label": .., "kind": .., "op": .., "us": .. (mean),
//    "best_us": .., "flops": .., "bytes": ..}]}
std::string ProfileJson(const plan::Plan& plan, absl::Span<const Profile> profiles);

// `text` in quotes.
std::string JsonString(std::string_view text);

}  // namespace trama::codegen
