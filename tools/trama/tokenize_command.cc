// trama tokenize DIR --text="...": the ids of a text, or the text of ids.
#include <unistd.h>

#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tools/trama/common.h"

namespace trama::cli {
namespace {

absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerOf(const Flags& flags) {
  const bool named = flags.Given("tokenizer");
  if (named != flags.positional().empty())
    return UsageError("one of DIR and --tokenizer=DIR says where the tokenizer is");
  if (named && flags.String("tokenizer") == "chars")
    return UsageError("--tokenizer: chars are those of a training text; name a directory");
  TRAMA_RETURN_IF_ERROR(CheckTokenizerFlag(flags));
  if (named) return MakeTokenizer(flags.String("tokenizer"), {});
  const std::string& directory = flags.positional()[0];
  TRAMA_RETURN_IF_ERROR(CheckModelDirectory(directory));
  return Tokenizer::Load(directory);
}

// The ids that `text` writes, with spaces, commas or line feeds between them.
absl::StatusOr<std::vector<int32_t>> IdsOf(const std::string& text, int64_t vocab_size) {
  std::vector<int32_t> ids;
  for (absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(", \t\r\n[]"), absl::SkipEmpty())) {
    int64_t id;
    if (!absl::SimpleAtoi(word, &id))
      return absl::InvalidArgumentError(absl::StrCat("'", word, "' is not an id"));
    if (id < 0 || id >= vocab_size)
      return absl::InvalidArgumentError(
          absl::StrCat("id ", id, " is not in the vocabulary (0 to ", vocab_size - 1, ")"));
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

absl::StatusOr<int> Run(const Flags& flags) {
  if (flags.Given("text") == flags.Given("file"))
    return UsageError("one of --text and --file says what to tokenize");
  TRAMA_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, TokenizerOf(flags));
  std::string text = flags.String("text"), place = "--text";
  if (flags.Given("file")) {
    place = flags.String("file");
    TRAMA_ASSIGN_OR_RETURN(text, ReadFile(place));
  }
  absl::StatusOr<std::vector<int32_t>> ids =
      flags.Bool("decode")    ? IdsOf(text, tokenizer->vocab_size())
      : flags.Bool("special") ? tokenizer->EncodeWithSpecial(text)
                              : tokenizer->Encode(text);
  if (!ids.ok())
    return absl::Status(ids.status().code(), absl::StrCat(place, ": ", ids.status().message()));
  if (flags.Bool("decode")) {
    // The bytes and nothing else, so that a file comes back as it was.
    std::cout << tokenizer->DecodeText(*ids);
    if (isatty(STDOUT_FILENO)) std::cout << "\n";
    return 0;
  }
  if (flags.Bool("add_special_tokens")) *ids = tokenizer->ForModel(*ids).ids;
  std::cout << absl::StrJoin(*ids, " ") << "\n";
  return 0;
}

TRAMA_COMMAND((Command{
    "tokenize",
    "[DIR]",
    "prints the ids of a text, or the text of ids",
    "trama tokenize --tokenizer=gpt2 --text=\"Hello, world\"",
    {{"tokenizer", FlagKind::kString, "", "bytes, or a directory with a tokenizer"},
     {"text", FlagKind::kString, "", "what to tokenize; with --decode, the ids"},
     {"file", FlagKind::kString, "", "or a file with it"},
     {"special", FlagKind::kBool, "false", "special tokens in the text are their ids"},
     {"add_special_tokens", FlagKind::kBool, "true", "the model's own around it: [CLS] ... [SEP]"},
     {"decode", FlagKind::kBool, "false", "from ids to the text's bytes"}},
    Run}));

}  // namespace
}  // namespace trama::cli
