// trama import PATH --from=FORMAT --out=DIR: a model of another program as a model directory.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/import.h"
#include "tools/trama/common.h"

namespace trama::cli {
namespace {

absl::StatusOr<int> Run(const Flags& flags) {
  TRAMA_RETURN_IF_ERROR(CheckOut(flags));
  const absl::StatusOr<ModelFormat> format = ModelFormatFromName(flags.String("from"));
  if (!format.ok()) return UsageError(absl::StrCat("--from: ", format.status().message()));
  TRAMA_ASSIGN_OR_RETURN(const LoadedModel model,
                         ImportModel(*format, flags.positional()[0], flags.String("out")));
  if (!flags.Bool("quiet"))
    std::cerr << flags.String("out") << ": " << model.parameters.size() << " tensors, "
              << model.model->module().num_parameters() << " parameters\n";
  return 0;
}

TRAMA_COMMAND((Command{
    "import",
    "PATH",
    "makes a model directory of another program's model",
    "trama import models/124M --from=openai --out=gpt2",
    {{"from", FlagKind::kString, "safetensors",
      "openai (a directory with hparams.json and model.ckpt.*), llmc (a .bin file) or safetensors "
      "(a directory in Hugging Face's layout)"},
     {"out", FlagKind::kString, "", "the directory to write"},
     {"overwrite", FlagKind::kBool, "false", "replace --out where it exists"}},
    Run}));

}  // namespace
}  // namespace trama::cli
