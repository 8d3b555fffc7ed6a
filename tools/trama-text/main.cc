// Writes sentences of a grammar, says how many bits a character of them carries, and tells which
// lines of a text the grammar writes.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "tools/trama-text/grammar.h"

ABSL_FLAG(std::string, grammar, "", "grammar files, separated by commas: each sentence is of one");
ABSL_FLAG(int64_t, bytes, 0, "write sentences, one a line, until there are this many bytes");
ABSL_FLAG(uint64_t, seed, 0, "of the sentences");
ABSL_FLAG(std::string, check, "", "a text: which of its lines parse, and which stand in --known");
ABSL_FLAG(std::string, known, "", "a text whose lines count as copies");
ABSL_FLAG(bool, entropy, false, "print the entropy rate");

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

absl::Status Check(const std::vector<Grammar>& grammars) {
  TRAMA_ASSIGN_OR_RETURN(std::string text, ReadText(absl::GetFlag(FLAGS_check)));
  std::set<std::string> known;
  if (const std::string path = absl::GetFlag(FLAGS_known); !path.empty()) {
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

absl::Status Run() {
  std::vector<Grammar> grammars;
  for (const std::string& path :
       std::vector<std::string>(absl::StrSplit(absl::GetFlag(FLAGS_grammar), ','))) {
    TRAMA_ASSIGN_OR_RETURN(std::string text, ReadText(path));
    absl::StatusOr<Grammar> grammar = Grammar::Parse(text);
    if (!grammar.ok())
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", grammar.status().message()));
    grammars.push_back(*std::move(grammar));
  }
  if (absl::GetFlag(FLAGS_entropy)) PrintEntropy(grammars);
  if (!absl::GetFlag(FLAGS_check).empty()) return Check(grammars);
  Random random(absl::GetFlag(FLAGS_seed));
  for (int64_t written = 0; written < absl::GetFlag(FLAGS_bytes);) {
    const size_t which = static_cast<size_t>(random.Next() * static_cast<double>(grammars.size()));
    const std::string sentence = grammars[which].Sample(random) + "\n";
    std::cout << sentence;
    written += static_cast<int64_t>(sentence.size());
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace trama::text

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("sentences of a grammar, and how many bits they carry");
  absl::ParseCommandLine(argc, argv);
  if (absl::Status status = trama::text::Run(); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
  return 0;
}
