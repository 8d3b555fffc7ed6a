// One command of `trama`: a file of its own that registers itself.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/trama/flags.h"

namespace trama::cli {

// What a command ends with when it is no error: Ctrl-C during training gives 130.
inline constexpr int kInterrupted = 130;

struct Command {
  std::string name;        // "train", or "tokenizer train"
  std::string positional;  // "MODEL|DIR"; "[DIR]" may be left out; "" where there is none
  std::string summary;     // one line
  std::string example;     // one line
  std::vector<FlagSpec> flags;
  // The exit status, or an error: InvalidArgument of the command line itself is made by
  // UsageError() and exits with 2, everything else with 1.
  std::function<absl::StatusOr<int>(const Flags&)> run;
};

absl::Status UsageError(const std::string& what);

// Every command also has --quiet.
bool RegisterCommand(Command command);
const std::map<std::string, Command>& Commands();

#define TRAMA_COMMAND(command)                                   \
  static const bool trama_command_registered_ [[maybe_unused]] = \
      ::trama::cli::RegisterCommand(command)

// Flags that many commands share: --backend, --device, --threads, --precision, --plugin_path,
// --seed.
std::vector<FlagSpec> WithRuntimeFlags(std::vector<FlagSpec> flags);

// Runs `arguments` (without the program's name) and returns the exit status; errors go to standard
// error as one line.
int Main(absl::Span<const std::string> arguments);
// The same for a program that is one command; `usage` is how it is called, "trama-text".
int Main(const Command& command, const std::string& usage, absl::Span<const std::string> arguments);

}  // namespace trama::cli
