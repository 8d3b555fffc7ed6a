// What several commands do with their flags.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/config.h"
#include "runtime/model_directory.h"
#include "runtime/session.h"
#include "tools/trama/command.h"

namespace trama::cli {

// From the flags of WithRuntimeFlags.
absl::StatusOr<SessionOptions> SessionOptionsOf(const Flags& flags);

// From --set=key=value, repeated.
absl::StatusOr<Config> ConfigOf(const Flags& flags);

// Refuses an --out that exists, unless --overwrite (or --resume, where the command has it) is set;
// and a directory to overwrite that holds something else than a model or a tokenizer.
absl::Status CheckOut(const Flags& flags);
absl::Status CheckOut(const std::string& out, bool overwrite, bool resume = false);
// The same where --out names a file.
absl::Status CheckOutFile(const Flags& flags);

}  // namespace trama::cli
