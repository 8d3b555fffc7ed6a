#include "tools/trama/command.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <new>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/nearest.h"

namespace trama::cli {
namespace {
constexpr char kUsageUrl[] = "trama/usage";  // marks a status as wrong usage

std::map<std::string, Command>& Registry() {
  static auto* commands = new std::map<std::string, Command>;
  return *commands;
}

void PrintHelp() {
  std::cout << "trama: declare, train and run language models\n\n"
               "usage: trama COMMAND [ARGUMENT] [--flag=value ...]\n\ncommands:\n";
  for (const auto& [name, command] : Commands()) {
    std::string left = absl::StrCat(name, " ", command.positional);
    left.resize(std::max<size_t>(left.size() + 1, 28), ' ');
    std::cout << "  " << left << command.summary << "\n";
  }
  std::cout << "\n`trama COMMAND --help` lists a command's flags.\n";
}

void PrintHelp(const Command& command, const std::string& usage) {
  std::cout << command.summary << "\n\nusage: " << usage << (command.positional.empty() ? "" : " ")
            << command.positional << " [--flag=value ...]\n\nflags:\n";
  for (const FlagSpec& flag : command.flags) {
    std::string left = absl::StrCat("--", flag.name);
    left.resize(std::max<size_t>(left.size() + 1, 24), ' ');
    std::cout << "  " << left << flag.help;
    if (!flag.fallback.empty()) std::cout << " (default: " << flag.fallback << ")";
    std::cout << "\n";
  }
  std::cout << "\nexample:\n  " << command.example << "\n";
}

int Fail(const absl::Status& status) {
  // One line, whatever the message holds.
  std::cerr << "error: "
            << absl::StrReplaceAll(std::string(status.message()), {{"\n", " "}, {"\r", " "}})
            << std::endl;
  return status.GetPayload(kUsageUrl) ? 2 : 1;
}

// The exit status once what was printed has left, or the error that it has not.
int Printed(int status) {
  if (std::cout.flush()) return status;
  return Fail(absl::DataLossError("standard output: cannot be written"));
}

// A standard descriptor that is closed would be given to the first file that is opened, and what is
// printed would go into it. Taken the wrong way round it still cannot be printed to, or read from.
void TakeClosedDescriptors() {
  for (const int standard : {0, 1, 2})
    if (fcntl(standard, F_GETFD) < 0 && errno == EBADF)
      (void)open("/dev/null", standard == 0 ? O_WRONLY : O_RDONLY);  // the lowest that is free
}

// In place of an exception that nobody catches.
[[noreturn]] void OutOfMemory() {
  constexpr std::string_view kError = "error: out of memory: what was asked for needs more\n";
  (void)!write(STDERR_FILENO, kError.data(), kError.size());
  _exit(1);
}
}  // namespace

absl::Status UsageError(const std::string& what) {
  absl::Status status = absl::InvalidArgumentError(what);
  status.SetPayload(kUsageUrl, absl::Cord());
  return status;
}

bool RegisterCommand(Command command) {
  command.flags.push_back(
      {"quiet", FlagKind::kBool, "false", "no progress and no notes on standard error"});
  std::string name = command.name;
  return Registry().emplace(std::move(name), std::move(command)).second;
}

const std::map<std::string, Command>& Commands() { return Registry(); }

std::vector<FlagSpec> WithRuntimeFlags(std::vector<FlagSpec> flags) {
  const char* backend = getenv("TRAMA_BACKEND");
  const std::vector<FlagSpec> shared = {
      {"backend", FlagKind::kString, backend && *backend ? backend : "cpu",
       "cpu, reference, vulkan, check:A,B, or a plugin found"},
      {"device", FlagKind::kInt, "0", "which device of the backend", 0, INT32_MAX},
      {"threads", FlagKind::kInt, "0", "threads; 0: all cores", 0, 1024},
      {"precision", FlagKind::kString, "f32",
       "f32; bf16: of what is multiplied; f64: on reference"},
      {"plugin_path", FlagKind::kString, "", "folders to look for plugins in, separated by :"},
      {"seed", FlagKind::kInt, "0", "makes a run repeatable"},
  };
  flags.insert(flags.end(), shared.begin(), shared.end());
  return flags;
}

int Main(absl::Span<const std::string> arguments) {
  if (arguments.empty()) return Fail(UsageError("no command; trama --help lists them"));
  if (arguments[0] == "help" && arguments.size() > 1) {  // help COMMAND
    std::vector<std::string> command(arguments.begin() + 1, arguments.end());
    command.push_back("--help");
    return Main(command);
  }
  if (arguments[0] == "--help" || arguments[0] == "help") {
    PrintHelp();
    return Printed(0);
  }
  // A name of two words, "tokenizer train", is tried first.
  size_t words = 1;
  auto it = Commands().end();
  if (arguments.size() > 1) {
    it = Commands().find(absl::StrCat(arguments[0], " ", arguments[1]));
    words = it == Commands().end() ? 1 : 2;
  }
  if (it == Commands().end()) it = Commands().find(arguments[0]);
  if (it == Commands().end()) {
    std::vector<std::string> names;
    for (const auto& [name, command] : Commands()) names.push_back(name);
    std::string nearest =
        arguments.size() > 1 ? Nearest(absl::StrCat(arguments[0], " ", arguments[1]), names) : "";
    if (!absl::StrContains(nearest, ' ')) nearest = Nearest(arguments[0], names);
    return Fail(
        UsageError(absl::StrCat("unknown command: ", arguments[0],
                                nearest.empty() ? "; trama --help lists them"
                                                : absl::StrCat("; did you mean ", nearest, "?"))));
  }
  return Main(it->second, absl::StrCat("trama ", it->first), arguments.subspan(words));
}

int Main(const Command& command, const std::string& usage,
         absl::Span<const std::string> arguments) {
  TakeClosedDescriptors();
  std::set_new_handler(OutOfMemory);
  if (std::find(arguments.begin(), arguments.end(), "--help") != arguments.end()) {
    PrintHelp(command, usage);
    return Printed(0);
  }
  absl::StatusOr<Flags> flags = Flags::Parse(command.flags, arguments);
  if (!flags.ok()) return Fail(UsageError(std::string(flags.status().message())));
  const size_t expected = command.positional.empty() ? 0 : 1;
  const size_t needed = absl::StartsWith(command.positional, "[") ? 0 : expected;
  if (flags->positional().size() < needed || flags->positional().size() > expected)
    return Fail(UsageError(
        flags->positional().size() < needed
            ? absl::StrCat(usage, ": ", command.positional, " is missing")
            : absl::StrCat(usage, ": unexpected argument ", flags->positional()[expected])));
  absl::StatusOr<int> status = command.run(*flags);
  if (!status.ok()) return Fail(status.status());
  return Printed(*status);
}

}  // namespace trama::cli
