// trama export DIR --format=FORMAT --out=FILE: a model's weights as another program reads them.
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/import.h"
#include "tools/trama/common.h"

namespace trama::cli {
namespace {

absl::StatusOr<int> Run(const Flags& flags) {
  TRAMA_RETURN_IF_ERROR(CheckOutFile(flags));
  const absl::StatusOr<ModelFormat> format = ModelFormatFromName(flags.String("format"));
  if (!format.ok() || *format == ModelFormat::kOpenAI)
    return UsageError(
        absl::StrCat("--format: '", flags.String("format"), "' is none of safetensors, llmc"));
  std::optional<DType> dtype;
  if (const std::string& name = flags.String("dtype"); !name.empty()) {
    dtype = DTypeFromName(name);
    const bool possible = dtype == DType::kF32 || dtype == DType::kBF16 ||
                          (dtype == DType::kF16 && *format == ModelFormat::kSafetensors);
    if (!possible)
      return UsageError(absl::StrCat(
          "--dtype: '", name, "' is none of f32, bf16",
          *format == ModelFormat::kSafetensors ? ", f16" : "; llm.c's format has no other"));
  }
  TRAMA_RETURN_IF_ERROR(ExportModel(flags.positional()[0], *format, dtype, flags.String("out")));
  return 0;
}

TRAMA_COMMAND((Command{"export",
                       "DIR",
                       "writes a model's weights for another program",
                       "trama export my-gpt --format=llmc --out=my-gpt.bin",
                       {{"format", FlagKind::kString, "safetensors", "safetensors or llmc"},
                        {"out", FlagKind::kString, "", "the file to write"},
                        {"dtype", FlagKind::kString, "",
                         "f32, bf16 or (safetensors) f16; else the type that the weights have"},
                        {"overwrite", FlagKind::kBool, "false", "replace --out where it exists"}},
                       Run}));

}  // namespace
}  // namespace trama::cli
