// trama eval DIR --data=...: loss, perplexity, accuracy and the confusion matrix, as JSON.
#include <cmath>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/classifier.h"
#include "runtime/fine_tune.h"
#include "runtime/trainer.h"
#include "tools/trama/common.h"
#include "tools/trama/data_flags.h"

namespace trama::cli {
namespace {

absl::StatusOr<int> Run(const Flags& flags) {
  TRAMA_ASSIGN_OR_RETURN(SessionOptions options, SessionOptionsOf(flags));
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, LoadModelDirectory(flags.positional()[0]));
  TRAMA_ASSIGN_OR_RETURN(LoadedData data,
                         LoadDataFor(flags, &model, model.entry->name, Purpose::kEvaluate));
  Json result = Json::MakeObject();
  {
    std::vector<Program> programs;
    Evaluator evaluator(*data.validation, kEvaluationBatch, &programs);
    TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                           Session::Create(*model.model, programs, options));
    TRAMA_RETURN_IF_ERROR(session->LoadState(model.parameters));
    TRAMA_ASSIGN_OR_RETURN(Evaluation evaluation, evaluator.Run(*session));
    result.Set("loss", evaluation.loss);
    result.Set("targets", evaluation.targets);
    if (model.entry->task == "language-modeling" && !Classifies(model))
      result.Set("perplexity", std::exp(evaluation.loss));
  }
  if (Classifies(model)) {
    TRAMA_ASSIGN_OR_RETURN(Classifications all, Classify(model, *data.validation, options));
    result.Set("accuracy", all.Accuracy());
    Json matrix = Json::EmptyArray();
    for (const std::vector<int64_t>& row : all.Confusion()) matrix.Append(Json::ArrayOf(row));
    result.Set("confusion_matrix", std::move(matrix));
    if (const auto names = ClassNames(model); !names.empty())
      result.Set("classes", Json::ArrayOf(names));
  }
  std::cout << result.Dump() << "\n";
  return 0;
}

TRAMA_COMMAND((Command{"eval", "DIR", "loss, perplexity, accuracy over data, as JSON",
                       "trama eval my-gpt --data=other.txt",
                       WithRuntimeFlags(WithDataFlags({{"part", FlagKind::kString, "",
                                                        "of --splits: train, validation or "
                                                        "test; default: all"}})),
                       Run}));

}  // namespace
}  // namespace trama::cli
