// Writes sentences of a grammar, says how many bits a character of them carries, and tells which
// lines of a text the grammar writes.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "tools/trama-text/grammar.h"
#include "tools/trama/command.h"

namespace trama::text {
namespace {

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(path + ": cannot be read");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The mean over the grammars: each is chosen equally often, which is one more choice a sentence.
void PrintEntropy(const std::vector<Grammar>& grammars) {
  double bits = std::log2(static_cast<double>(grammars.size())), characters = 0;
  int64_t words = 0;
  for (const Grammar& grammar : grammars) {
    bits += grammar.BitsPerSentence() / static_cast<double>(grammars.size());
    characters += grammar.CharactersPerSentence() / static_cast<double>(grammars.size());
    words += grammar.NumWords();
  }
  std::cout << absl::StrFormat(
      "{\"bits_per_sentence\": %.4f, \"characters_per_sentence\": %.4f, \"nats_per_character\": "
      "%.5f, \"words\": %d}\n",
      bits, characters, bits / characters * std::log(2.0), words);
}

absl::Status Check(const cli::Flags& flags, const std::vector<Grammar>& grammars) {
  TRAMA_ASSIGN_OR_RETURN(std::string text, ReadText(flags.String("check")));
  std::set<std::string> known;
  if (const std::string path = flags.String("known"); !path.empty()) {
    TRAMA_ASSIGN_OR_RETURN(std::string lines, ReadText(path));
    for (absl::string_view line : absl::StrSplit(lines, '\n')) known.emplace(line);
  }
  int sentences = 0, parsed = 0, copies = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
    ++sentences;
    bool parses = false;
    for (const Grammar& grammar : grammars)
      parses |= grammar.LogProbability({line.data(), line.size()}).has_value();
    parsed += parses;
    copies += known.contains(std::string(line));
  }
  std::cout << absl::StrFormat("{\"sentences\": %d, \"parsed\": %d, \"copies\": %d}\n", sentences,
                               parsed, copies);
  return absl::OkStatus();
}

absl::StatusOr<int> Run(const cli::Flags& flags) {
  if (flags.String("grammar").empty())
    return cli::UsageError("--grammar is missing: what to write by");
  if (!flags.Given("bytes") && !flags.Given("check") && !flags.Bool("entropy"))
    return cli::UsageError("one of --bytes, --check and --entropy says what to do");
  std::vector<Grammar> grammars;
  for (const std::string& path :
       std::vector<std::string>(absl::StrSplit(flags.String("grammar"), ','))) {
    TRAMA_ASSIGN_OR_RETURN(std::string text, ReadText(path));
    absl::StatusOr<Grammar> grammar = Grammar::Parse(text);
    if (!grammar.ok())
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", grammar.status().message()));
    grammars.push_back(*std::move(grammar));
  }
  if (flags.Bool("entropy")) PrintEntropy(grammars);
  if (flags.Given("check")) {
    TRAMA_RETURN_IF_ERROR(Check(flags, grammars));
    return 0;
  }
  Random random(static_cast<uint64_t>(flags.Int("seed")));
  for (int64_t written = 0; written < flags.Int("bytes");) {
    const size_t which = static_cast<size_t>(random.Next() * static_cast<double>(grammars.size()));
    const std::string sentence = grammars[which].Sample(random) + "\n";
    std::cout << sentence;
    written += static_cast<int64_t>(sentence.size());
  }
  return 0;
}

const cli::Command kCommand{
    "trama-text",
    "",
    "writes sentences of a grammar, and says how many bits they carry",
    "trama-text --grammar=models/gpt2/text/english.grammar --bytes=100000 >text.txt",
    {{"grammar", cli::FlagKind::kString, "",
      "grammar files, separated by commas: each sentence is of one"},
     {"bytes", cli::FlagKind::kInt, "0",
      "write sentences, one a line, until there are this many bytes", 0},
     {"seed", cli::FlagKind::kInt, "0", "of the sentences"},
     {"check", cli::FlagKind::kString, "",
      "a text: which of its lines parse, and which stand in --known"},
     {"known", cli::FlagKind::kString, "", "a text whose lines count as copies"},
     {"entropy", cli::FlagKind::kBool, "false", "print the entropy rate"}},
    Run};

}  // namespace
}  // namespace trama::text

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return trama::cli::Main(trama::text::kCommand, trama::text::kCommand.name, arguments);
}
