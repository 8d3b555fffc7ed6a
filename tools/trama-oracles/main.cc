// trama-oracles DIR [--backend=a,b] [--family=f] [--precision=bf16] [--verbose]: compares the
// models with independent expected results on every backend named, each at its own tolerance; in
// bf16 by max error / max |want|, which is to be 2e-2 at most.
#include <algorithm>
#include <iostream>
#include <map>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "runtime/formats/file.h"
#include "tools/trama-oracles/oracle.h"

ABSL_FLAG(std::string, backend, "cpu,reference", "backends, separated by semicolons or commas");
ABSL_FLAG(std::vector<std::string>, family, {}, "only these folders of DIR, separated by commas");
ABSL_FLAG(std::string, precision, "f32", "f32 or bf16");
ABSL_FLAG(bool, verbose, false, "a line for what passes too");

namespace trama::oracles {
namespace {
std::map<std::string, Runner>& Runners() {
  static auto* runners = new std::map<std::string, Runner>;
  return *runners;
}

int Main(const std::string& root) {
  Report report;
  report.verbose = absl::GetFlag(FLAGS_verbose);
  const std::string precision = absl::GetFlag(FLAGS_precision);
  if (precision != "f32" && precision != "bf16") {
    std::cerr << "error: --precision: '" << precision << "' is neither f32 nor bf16\n";
    return 2;
  }
  constexpr double kBf16 = 2e-2;
  if (precision == "bf16") report.relative = kBf16;
  // "check:A,B" holds a comma itself: with a semicolon anywhere, that is the separator.
  const std::string names = absl::GetFlag(FLAGS_backend);
  const char separator =
      names.find(';') != std::string::npos || names.find(':') != std::string::npos ? ';' : ',';
  const std::vector<std::string> wanted = absl::GetFlag(FLAGS_family);
  for (const auto& [family, runner] : Runners()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), family) == wanted.end())
      continue;
    const std::string folder = JoinPath(root, family);
    absl::StatusOr<std::vector<std::string>> cases = ListDirectory(folder);
    if (!cases.ok()) continue;
    for (const std::string& name : *cases) {
      const std::string directory = JoinPath(folder, name);
      if (!IsDirectory(directory)) continue;
      for (const std::string& backend :
           std::vector<std::string>(absl::StrSplit(names, separator, absl::SkipEmpty()))) {
        SessionOptions options;
        options.backend = backend;
        options.precision = report.relative > 0 ? DType::kBF16 : DType::kF32;
        const int before = report.failed + report.passed;
        if (absl::Status status = runner(directory, options, &report); !status.ok())
          report.Fail(LabelOf(directory, options), std::string(status.message()));
        if (report.failed + report.passed > before)
          std::cerr << LabelOf(directory, options) << ": " << report.passed << " passed, "
                    << report.failed << " failed so far\n";
      }
    }
  }
  if (report.passed == 0 && report.failed == 0) {
    std::cerr << "error: no case under " << root << "\n";
    return 1;
  }
  std::cout << report.passed << " passed, " << report.failed << " failed" << std::endl;
  return report.failed == 0 ? 0 : 1;
}
}  // namespace

bool RegisterRunner(const std::string& family, Runner runner) {
  return Runners().emplace(family, runner).second;
}
}  // namespace trama::oracles

int main(int argc, char** argv) {
  absl::FlagsUsageConfig usage;  // --help lists the flags of this file
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::StrContains(file, "trama-oracles/main.cc");
  };
  absl::SetFlagsUsageConfig(usage);
  absl::SetProgramUsageMessage("trama-oracles DIR: compares with independent expected results");
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() != 2) {
    std::cerr << "error: trama-oracles DIR\n";
    return 2;
  }
  return trama::oracles::Main(rest[1]);
}
