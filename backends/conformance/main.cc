// trama-conformance: grades a backend plugin op by op.
#include <cstdio>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backends/conformance/grade.h"
#include "runtime/device.h"

ABSL_FLAG(std::string, backend, "reference", "the backend to grade");
ABSL_FLAG(std::string, plugin_path, "", "more folders to look for plugins in, DIR[:DIR]");
ABSL_FLAG(std::vector<std::string>, kernels, {}, "ops to grade, and plan; all where empty");
ABSL_FLAG(int, trials, 4, "trials of each case, each with sizes of its own");
ABSL_FLAG(uint64_t, seed, 0, "where sizes and values are drawn from");

namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return status.code() == absl::StatusCode::kNotFound ? 2 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  absl::FlagsUsageConfig usage;  // --help lists the flags of this file
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::StrContains(file, "conformance/main.cc");
  };
  absl::SetFlagsUsageConfig(usage);
  absl::SetProgramUsageMessage("grades a backend: trama-conformance --backend=cpu");
  absl::ParseCommandLine(argc, argv);
  trama::DeviceOptions device_options;
  device_options.plugin_path = absl::GetFlag(FLAGS_plugin_path);
  auto device = trama::Device::Open(absl::GetFlag(FLAGS_backend), device_options);
  if (!device.ok()) return Fail(device.status());
  trama::conformance::Options options;
  options.kernels = absl::GetFlag(FLAGS_kernels);
  options.trials = absl::GetFlag(FLAGS_trials);
  options.seed = absl::GetFlag(FLAGS_seed);
  const auto grades =
      trama::conformance::Run(*device, options, [](const trama::conformance::Grade& grade) {
        std::printf("%s\n", grade.ToString().c_str());
        std::fflush(stdout);
      });
  if (!grades.ok()) return Fail(grades.status());
  std::printf("%s\n", trama::conformance::Summary(*grades).c_str());
  for (const trama::conformance::Grade& grade : *grades)
    if (!grade.failure.empty()) return 1;
  return 0;
}
