// trama predict DIR --input=...: one JSON object a row.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/classifier.h"
#include "runtime/fine_tune.h"
#include "runtime/formats/json.h"
#include "tools/trama/common.h"
#include "tools/trama/data_flags.h"

namespace trama::cli {
namespace {

absl::StatusOr<int> Run(const Flags& flags) {
  if (flags.String("input").empty()) return UsageError("--input is missing: what to classify");
  TRAMA_ASSIGN_OR_RETURN(SessionOptions options, SessionOptionsOf(flags));
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, LoadModelDirectory(flags.positional()[0]));
  if (!Classifies(model))
    return absl::FailedPreconditionError(
        absl::StrCat(flags.positional()[0], ": a ", model.entry->name, " is no classifier"));
  TRAMA_ASSIGN_OR_RETURN(LoadedData data,
                         LoadDataFor(flags, &model, model.entry->name, Purpose::kPredict));
  TRAMA_ASSIGN_OR_RETURN(Classifications all, Classify(model, *data.validation, options));
  const std::vector<std::string> names = ClassNames(model);
  for (size_t i = 0; i < all.labels.size(); ++i) {
    Json row = Json::MakeObject();
    const auto label = static_cast<size_t>(all.labels[i]);
    if (label < names.size())
      row.Set("label", names[label]);
    else
      row.Set("label", all.labels[i]);
    row.Set("probabilities", Json::ArrayOf(all.probabilities[i]));
    std::cout << row.Dump() << "\n";
  }
  return 0;
}

TRAMA_COMMAND((Command{
    "predict", "DIR", "classifies rows, one JSON object a line",
    "trama predict my-classifier --input=rows.csv",
    WithRuntimeFlags(WithDataFlags(
        Purpose::kPredict, {{"input", FlagKind::kString, "",
                             "rows of a table, lines of text, or tensors (.safetensors)"}})),
    Run}));

}  // namespace
}  // namespace trama::cli
