#include "backends/codegen/profile.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace trama::codegen {

void Profile::Add(absl::Span<const double> ns) {
  for (size_t d = 0; d < total_ns.size(); ++d) {
    total_ns[d] += ns[d];
    best_ns[d] = runs == 0 ? ns[d] : std::min(best_ns[d], ns[d]);
  }
  ++runs;
}

std::string JsonString(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) quoted += c;
  }
  return quoted + "\"";
}

std::string ProfileJson(const plan::Plan& plan, absl::Span<const Profile> profiles) {
  std::vector<std::string> programs;
  for (size_t p = 0; p < profiles.size(); ++p) {
    const Profile& profile = profiles[p];
    if (profile.runs == 0) continue;
    const plan::Program& program = plan.programs(static_cast<int>(p));
    std::vector<std::string> dispatches;
    for (int d = 0; d < program.dispatches_size(); ++d) {
      const plan::Dispatch& dispatch = program.dispatches(d);
      const plan::Kernel& kernel = plan.kernels(static_cast<int>(dispatch.kernel()));
      dispatches.push_back(
          absl::StrCat(R"({"label": )", JsonString(dispatch.label()), R"(, "kind": )",
                       JsonString(kernel.kind()), R"(, "op": )", JsonString(kernel.op()),
                       R"(, "us": )", profile.total_ns[d] / 1e3 / static_cast<double>(profile.runs),
                       R"(, "best_us": )", profile.best_ns[d] / 1e3, R"(, "flops": )",
                       kernel.flops(), R"(, "bytes": )", kernel.bytes_moved(), "}"));
    }
    programs.push_back(absl::StrCat(R"({"name": )", JsonString(program.name()), R"(, "runs": )",
                                    profile.runs, R"(, "dispatches": [)",
                                    absl::StrJoin(dispatches, ", "), "]}"));
  }
  return absl::StrCat("[", absl::StrJoin(programs, ", "), "]");
}

}  // namespace trama::codegen
