// trama init MODEL --out=DIR: a model directory with fresh weights.
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/directory_transaction.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tools/trama/common.h"
#include "tools/trama/head_flags.h"

namespace trama::cli {
namespace {

absl::StatusOr<int> Run(const Flags& flags) {
  TRAMA_RETURN_IF_ERROR(CheckOut(flags));
  TRAMA_ASSIGN_OR_RETURN(Config config, ConfigOf(flags));
  TRAMA_RETURN_IF_ERROR(CheckTokenizerFlag(flags));
  std::shared_ptr<const Tokenizer> tokenizer;
  if (const std::string& spec = flags.String("tokenizer"); !spec.empty()) {
    TRAMA_ASSIGN_OR_RETURN(const ModelEntry* entry, EntryOf(flags.positional()[0]));
    TRAMA_ASSIGN_OR_RETURN(tokenizer, MakeTokenizer(spec, {}));
    const absl::Status fits = FitToTokenizer(*entry, *tokenizer, &config);
    if (!fits.ok())
      return absl::Status(fits.code(), absl::StrCat("--tokenizer: ", spec, ": ", fits.message()));
  }
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, NewModelOf(flags.positional()[0], config,
                                                       static_cast<uint64_t>(flags.Int("seed"))));
  TRAMA_RETURN_IF_ERROR(AddHead(flags, &model));
  model.tokenizer = std::move(tokenizer);
  TRAMA_ASSIGN_OR_RETURN(DirectoryTransaction transaction,
                         DirectoryTransaction::Begin(flags.String("out")));
  TRAMA_RETURN_IF_ERROR(WriteModelFiles(model, transaction.path()));
  TRAMA_RETURN_IF_ERROR(transaction.Commit());
  return 0;
}

TRAMA_COMMAND((Command{
    "init", "MODEL", "writes a model directory with fresh weights",
    "trama init gpt --set=n_layer=2 --set=vocab_size=256 --tokenizer=bytes --out=my-gpt",
    WithHeadFlags({{"out", FlagKind::kString, "", "the directory to write"},
                   {"overwrite", FlagKind::kBool, "false", "replace --out where it exists"},
                   {"set", FlagKind::kRepeated, "", "key=value of the config, repeatable"},
                   {"tokenizer", FlagKind::kString, "", "bytes, or a directory with a tokenizer"},
                   {"seed", FlagKind::kInt, "0", "of the weights"}}),
    Run}));

}  // namespace
}  // namespace trama::cli
