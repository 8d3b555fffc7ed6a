#include "tools/trama/common.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"

namespace trama::cli {

absl::StatusOr<SessionOptions> SessionOptionsOf(const Flags& flags) {
  SessionOptions options;
  options.backend = flags.String("backend");
  options.device.device = static_cast<int>(flags.Int("device"));
  options.device.threads = static_cast<int>(flags.Int("threads"));
  options.device.plugin_path = flags.String("plugin_path");
  const std::string& precision = flags.String("precision");
  if (precision == "f64") {
    if (options.backend != "reference")
      return UsageError(
          absl::StrCat("--precision=f64: only on --backend=reference, not ", options.backend));
    options.precision = DType::kF64;
  } else if (precision == "bf16") {
    options.precision = DType::kBF16;
  } else if (precision != "f32") {
    return UsageError(absl::StrCat("--precision: '", precision, "' is none of f32, bf16, f64"));
  }
  return options;
}

absl::StatusOr<Config> ConfigOf(const Flags& flags) {
  Config config;
  for (const std::string& assignment : flags.Repeated("set"))
    if (absl::Status status = config.SetFromText(assignment); !status.ok())
      return UsageError(absl::StrCat("--set: ", status.message()));
  return config;
}

absl::Status CheckOut(const Flags& flags) {
  const std::string& out = flags.String("out");
  if (out.empty()) return UsageError("--out is missing: where to write");
  return CheckOut(out, flags.Bool("overwrite"), flags.Bool("resume"));
}

absl::Status CheckOut(const std::string& out, bool overwrite, bool resume) {
  if (FileExists(out) && !overwrite && !resume)
    return absl::AlreadyExistsError(absl::StrCat(out, ": exists already; --overwrite replaces it"));
  if (FileExists(out) && !IsDirectory(out))
    return absl::FailedPreconditionError(
        absl::StrCat(out, ": is a file, not a model directory; give --out another name"));
  if (!overwrite || !FileExists(out)) return absl::OkStatus();
  // All that is in it goes. What somebody mistyped stays.
  TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(out));
  for (const char* ours : {"config.json", "adapter_config.json", "tokenizer_config.json"})
    if (FileExists(JoinPath(out, ours))) return absl::OkStatus();
  if (names.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(out, ": holds no model; --overwrite does not replace such a directory"));
}

absl::Status CheckOutFile(const Flags& flags) {
  const std::string& out = flags.String("out");
  if (out.empty()) return UsageError("--out is missing: where to write");
  if (IsDirectory(out))
    return absl::FailedPreconditionError(
        absl::StrCat(out, ": is a directory; give --out the name of a file"));
  if (FileExists(out) && !flags.Bool("overwrite"))
    return absl::AlreadyExistsError(absl::StrCat(out, ": exists already; --overwrite replaces it"));
  return absl::OkStatus();
}

}  // namespace trama::cli
