// What several commands do with their flags.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/config.h"
#include "frontend/program.h"
#include "runtime/model_directory.h"
#include "runtime/session.h"
#include "tools/trama/command.h"

namespace trama::cli {

// From the flags of WithRuntimeFlags. Wrong usage: a backend that no plugin has.
absl::StatusOr<SessionOptions> SessionOptionsOf(const Flags& flags);

// From --set=key=value, repeated.
absl::StatusOr<Config> ConfigOf(const Flags& flags);

// A family of the zoo. Wrong usage: its name.
absl::StatusOr<const ModelEntry*> EntryOf(const std::string& name);
// A new model of the zoo. Wrong usage: its name, a key or a value of the config.
absl::StatusOr<LoadedModel> NewModelOf(const std::string& name, const Config& config,
                                       uint64_t seed);
// MODEL|DIR, the first argument: a new model with --set's config and --seed's weights, or what the
// directory has, of which --set may say nothing else.
absl::StatusOr<LoadedModel> ModelOf(const Flags& flags);
// Wrong usage where --set differs from the config that `model` of `directory` has.
absl::Status CheckSet(const Flags& flags, const LoadedModel& model, const std::string& directory);

// The names that --program gives between commas, at least one.
absl::StatusOr<std::vector<std::string>> ProgramNames(const Flags& flags);
// The program of that name, as `forward` or `train_step`; `prefill` takes one prompt of `length`
// tokens, `decode` a token in each of `batch` rows. Wrong usage: a name that the model has not.
absl::StatusOr<Program> ProgramNamed(const LoadedModel& model, const std::string& name,
                                     int64_t batch, int64_t length);

// Wrong usage where --tokenizer is no tokenizer's name and no directory.
absl::Status CheckTokenizerFlag(const Flags& flags);

// Refuses an --out that exists, unless --overwrite (or --resume, where the command has it) is set;
// and a directory to overwrite that holds something else than a model or a tokenizer.
absl::Status CheckOut(const Flags& flags);
absl::Status CheckOut(const std::string& out, bool overwrite, bool resume = false);
// The same where --out names a file.
absl::Status CheckOutFile(const Flags& flags);

}  // namespace trama::cli
