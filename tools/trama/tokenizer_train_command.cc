// trama tokenizer train --kind=bpe --data=text.txt --vocab_size=8000 --out=DIR
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/data/text.h"
#include "runtime/formats/directory_transaction.h"
#include "runtime/formats/utf8.h"
#include "runtime/tokenizer/splitter.h"
#include "runtime/tokenizer/train_tokenizer.h"
#include "tools/trama/common.h"

namespace trama::cli {
namespace {

using Clock = std::chrono::steady_clock;

// A line that is written over on a terminal, a line every few seconds elsewhere.
class Progress {
 public:
  explicit Progress(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (drawn_) std::cerr << std::endl;
  }
  void operator()(std::string_view stage, int64_t done, int64_t total) {
    const Clock::time_point now = Clock::now();
    const auto interval = terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(3);
    if (quiet_ || now - last_ < interval) return;
    last_ = now;
    const int64_t percent = total > 0 ? 100 * done / total : 100;
    std::cerr << (terminal_ ? "\r\x1b[K" : "") << stage << ": " << percent << " % (" << done
              << " of " << total << (stage == "reading" ? " bytes)" : " tokens)")
              << (terminal_ ? "" : "\n") << std::flush;
    drawn_ = terminal_;
  }

 private:
  bool quiet_, terminal_, drawn_ = false;
  Clock::time_point last_ = Clock::now();
};

absl::StatusOr<TokenizerTraining::Kind> KindOf(const std::string& name) {
  if (name == "bpe") return TokenizerTraining::Kind::kBpe;
  if (name == "wordpiece") return TokenizerTraining::Kind::kWordPiece;
  if (name == "word") return TokenizerTraining::Kind::kWord;
  if (name.empty()) return UsageError("--kind is missing: bpe, wordpiece or word");
  return UsageError(absl::StrCat("--kind: '", name, "' is none of bpe, wordpiece, word",
                                 DidYouMean(name, {"bpe", "wordpiece", "word"})));
}

absl::StatusOr<int> Run(const Flags& flags) {
  TokenizerTraining training;
  TRAMA_ASSIGN_OR_RETURN(training.kind, KindOf(flags.String("kind")));
  training.vocab_size = flags.Int("vocab_size");
  training.min_frequency = flags.Int("min_frequency");
  training.lowercase = flags.Bool("lowercase");
  training.isolate = flags.String("isolate");
  training.sorted = flags.Bool("sorted");
  training.special_last = flags.Bool("special_last");
  training.special_tokens = absl::StrSplit(flags.String("special_tokens"), ',', absl::SkipEmpty());
  for (const char* flag : {"isolate", "sorted", "special_last", "special_tokens"})
    if (flags.Given(flag) && training.kind != TokenizerTraining::Kind::kWord)
      return UsageError(absl::StrCat("--", flag, ": only with --kind=word"));
  for (auto token = training.special_tokens.begin(); token != training.special_tokens.end();
       ++token)
    if (std::find(training.special_tokens.begin(), token, *token) != token)
      return UsageError(absl::StrCat("--special_tokens: ", *token, " is named twice"));
  if (const absl::Status isolates = Splitter::Compile(training.isolate).status(); !isolates.ok())
    return UsageError(absl::StrCat("--isolate: ", isolates.message()));
  constexpr int64_t kMost = int64_t{1} << 24;
  if (training.vocab_size < 1 || training.vocab_size > kMost)
    return UsageError(absl::StrCat("--vocab_size: not in 1 to ", kMost));
  if (flags.String("data").empty()) return UsageError("--data is missing: what to read");
  TRAMA_RETURN_IF_ERROR(CheckOut(flags));
  TRAMA_ASSIGN_OR_RETURN(
      const std::vector<Document> documents,
      ReadDocuments(flags.String("data"), flags.Int("limit"), flags.Bool("strip_gutenberg")));
  std::vector<std::string_view> texts;
  for (const Document& document : documents) {
    TRAMA_RETURN_IF_ERROR(CheckUtf8(document.text, document.place));
    texts.push_back(document.text);
  }
  const Clock::time_point start = Clock::now();
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer;
  {
    Progress progress(flags.Bool("quiet"));
    training.progress = std::ref(progress);
    tokenizer = TrainTokenizer(texts, training);
  }
  if (!tokenizer.ok())
    return absl::Status(tokenizer.status().code(),
                        absl::StrCat(flags.String("data"), ": ", tokenizer.status().message()));
  TRAMA_ASSIGN_OR_RETURN(DirectoryTransaction transaction,
                         DirectoryTransaction::Begin(flags.String("out")));
  TRAMA_RETURN_IF_ERROR((*tokenizer)->Save(transaction.path()));
  TRAMA_RETURN_IF_ERROR(transaction.Commit());
  if (!flags.Bool("quiet")) {
    const std::chrono::duration<double> seconds = Clock::now() - start;
    std::cerr << flags.String("out") << ": " << (*tokenizer)->vocab_size() << " tokens";
    if ((*tokenizer)->vocab_size() < training.vocab_size) std::cerr << ", the data has no more";
    std::cerr << " (" << absl::StrFormat("%.1f", seconds.count()) << " s)\n";
  }
  return 0;
}

TRAMA_COMMAND((Command{
    "tokenizer train",
    "",
    "trains a tokenizer on text and writes Hugging Face's files",
    "trama tokenizer train --kind=bpe --data=book.txt --vocab_size=8000 --out=my-tokenizer",
    {{"kind", FlagKind::kString, "", "bpe (byte-level, as GPT-2's), wordpiece (BERT's) or word"},
     {"data", FlagKind::kString, "", "text: .txt, a folder of them, or .jsonl"},
     {"vocab_size", FlagKind::kInt, "8000", "how many tokens, special ones included", 1},
     {"out", FlagKind::kString, "", "the directory to write"},
     {"overwrite", FlagKind::kBool, "false", "replace --out where it exists"},
     {"min_frequency", FlagKind::kInt, "1", "how often a pair that is merged, or a word, is there",
      0},
     {"lowercase", FlagKind::kBool, "true", "wordpiece: lower case, without accents"},
     {"isolate", FlagKind::kString, "",
      "word: cut at spaces, what matches this regular expression by itself"},
     {"sorted", FlagKind::kBool, "false", "word: ids in the words' order instead of by count"},
     {"special_tokens", FlagKind::kString, "", "word: A,B instead of [PAD],[UNK],[BOS],[EOS]"},
     {"special_last", FlagKind::kBool, "false", "word: special tokens after the words"},
     {"limit", FlagKind::kInt, "0", "the first so many documents of a .jsonl file; 0: all", 0},
     {"strip_gutenberg", FlagKind::kBool, "false",
      "leaves out what Project Gutenberg puts around a book"}},
    Run}));

}  // namespace
}  // namespace trama::cli
