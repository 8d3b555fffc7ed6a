// trama eval DIR --data=...: loss, perplexity, accuracy and the confusion matrix, and what a model
// that was tuned on instructions answers, as JSON.
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/classifier.h"
#include "runtime/fine_tune.h"
#include "runtime/formats/file.h"
#include "runtime/judge.h"
#include "runtime/metrics.h"
#include "runtime/responses.h"
#include "runtime/trainer.h"
#include "tools/trama/common.h"
#include "tools/trama/data_flags.h"

namespace trama::cli {
namespace {

Progress ProgressOf(const Flags& flags, const char* unit, size_t total) {
  Progress::Options options = Progress::ForStandardError(flags.Bool("quiet"));
  options.unit = unit;
  return Progress(static_cast<int64_t>(total), std::move(options));
}

absl::Status EvaluateLoss(const LoadedModel& model, const LoadedData& data,
                          const SessionOptions& options, Json* result) {
  std::vector<Program> programs;
  Evaluator evaluator(*data.validation, kEvaluationBatch, &programs);
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                         Session::Create(*model.model, programs, options));
  TRAMA_RETURN_IF_ERROR(session->LoadState(model.parameters));
  TRAMA_ASSIGN_OR_RETURN(const Evaluation evaluation, evaluator.Run(*session));
  result->Set("loss", evaluation.loss);
  result->Set("targets", evaluation.targets);
  // The loss is a cross entropy over a vocabulary, or over a few classes.
  if (!model.entry->defaults.Has("vocab_size") || Classifies(model)) return absl::OkStatus();
  result->Set("perplexity", std::exp(evaluation.loss));
  if (data.target_bytes > 0) {
    const double nats = evaluation.loss * static_cast<double>(evaluation.targets);
    const double per_byte = nats / static_cast<double>(data.target_bytes);
    result->Set("bytes", data.target_bytes);
    result->Set("loss_per_byte", per_byte);
    result->Set("perplexity_per_byte", std::exp(per_byte));
  }
  return absl::OkStatus();
}

absl::Status EvaluateClasses(const LoadedModel& model, const LoadedData& data,
                             const SessionOptions& options, Json* result) {
  TRAMA_ASSIGN_OR_RETURN(const Classifications all, Classify(model, *data.validation, options));
  result->Set("accuracy", all.Accuracy());
  Json matrix = Json::EmptyArray();
  for (const std::vector<int64_t>& row : all.Confusion()) matrix.Append(Json::ArrayOf(row));
  result->Set("confusion_matrix", std::move(matrix));
  if (const auto names = ClassNames(model); !names.empty())
    result->Set("classes", Json::ArrayOf(names));
  return absl::OkStatus();
}

using Scores = std::vector<std::optional<int>>;

// --responses=FILE: a line a record, with the judge's score where there is one.
absl::Status WriteResponses(const std::string& path, const std::vector<Instruction>& records,
                            const std::vector<std::string>& responses, const Scores& scores) {
  if (path.empty()) return absl::OkStatus();
  std::string lines;
  for (size_t i = 0; i < records.size(); ++i) {
    Json line = Json::MakeObject({{"instruction", records[i].instruction},
                                  {"input", records[i].input},
                                  {"output", records[i].output},
                                  {"model_response", responses[i]}});
    if (i < scores.size() && scores[i]) line.Set("score", *scores[i]);
    absl::StrAppend(&lines, line.Dump(), "\n");
  }
  return AtomicWriteFile(path, lines);
}

absl::StatusOr<Scores> JudgeResponses(const Flags& flags, const std::vector<Instruction>& records,
                                      const std::vector<std::string>& responses, Json* result) {
  const char* key = getenv("TRAMA_JUDGE_KEY");
  const JudgeOptions judge{flags.String("judge"), flags.String("judge_model"), key ? key : ""};
  absl::StatusOr<Judgements> judged;
  {
    Progress progress = ProgressOf(flags, "judged", records.size());
    judged = JudgeAll(judge, records, responses, [&](int64_t done) { progress.Update(done, ""); });
  }
  if (!judged.ok()) return judged.status();
  int64_t sum = 0, scored = 0;
  for (const std::optional<int>& score : judged->scores) {
    sum += score.value_or(0);
    scored += score.has_value();
  }
  if (scored > 0)
    result->Set("judge_score", static_cast<double>(sum) / static_cast<double>(scored));
  result->Set("judged", scored);  // other replies had no score
  if (judged->failed > 0) {
    result->Set("judge_failed", judged->failed);
    if (!flags.Bool("quiet"))
      std::cerr << "judge: " << judged->failed << " of " << records.size()
                << " answers are not scored (" << judged->failure.message() << ")\n";
  }
  return std::move(judged->scores);
}

// Takes the model's parameters: nothing else is evaluated after it.
absl::Status EvaluateResponses(const Flags& flags, LoadedModel& model, const LoadedData& data,
                               const SessionOptions& options, Json* result) {
  const std::vector<Instruction>& records = data.records;
  if (records.empty())
    return absl::FailedPreconditionError(
        absl::StrCat(flags.String("data"),
                     ": has no instructions to respond to (--respond, --responses and --judge take "
                     "records with instruction and output)"));
  std::vector<std::string> responses;
  {
    Progress progress = ProgressOf(flags, "response", records.size());
    TRAMA_ASSIGN_OR_RETURN(responses, Respond(model, std::move(model.parameters), records, options,
                                              flags.Int("max_tokens"),
                                              [&](int64_t done) { progress.Update(done, ""); }));
  }
  TextMatch match;
  for (size_t i = 0; i < records.size(); ++i) match.Add(responses[i], records[i].output);
  result->Set("responses", static_cast<int64_t>(responses.size()));
  result->Set("exact_match", match.exact());
  result->Set("letter_match", match.letters());
  // Written before they are judged, which may fail.
  const std::string& path = flags.String("responses");
  TRAMA_RETURN_IF_ERROR(WriteResponses(path, records, responses, {}));
  if (!flags.Given("judge")) return absl::OkStatus();
  TRAMA_ASSIGN_OR_RETURN(const Scores scores, JudgeResponses(flags, records, responses, result));
  return WriteResponses(path, records, responses, scores);
}

absl::StatusOr<int> Run(const Flags& flags) {
  if (const std::string& judge = flags.String("judge");
      flags.Given("judge") && !judge.starts_with("http://") && !judge.starts_with("https://"))
    return UsageError(absl::StrCat("--judge: '", judge, "' is no address of http:// or https://"));
  TRAMA_ASSIGN_OR_RETURN(SessionOptions options, SessionOptionsOf(flags));
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, LoadModelDirectory(flags.positional()[0]));
  TRAMA_ASSIGN_OR_RETURN(LoadedData data,
                         LoadDataFor(flags, &model, model.entry->name, Purpose::kEvaluate));
  // A name that cannot be written would waste the work.
  if (const std::string& path = flags.String("responses"); !path.empty())
    TRAMA_RETURN_IF_ERROR(AtomicFile::Create(path).status());
  if (data.tokenizer && !data.class_names.empty() && data.features.empty() && !Classifies(model))
    return absl::FailedPreconditionError(
        absl::StrCat(flags.String("data"), ": has texts with labels, and ", flags.positional()[0],
                     " is no classifier; trama train makes it one"));
  Json result = Json::MakeObject();
  TRAMA_RETURN_IF_ERROR(EvaluateLoss(model, data, options, &result));
  if (Classifies(model)) TRAMA_RETURN_IF_ERROR(EvaluateClasses(model, data, options, &result));
  if (flags.Bool("respond") || flags.Given("responses") || flags.Given("judge"))
    TRAMA_RETURN_IF_ERROR(EvaluateResponses(flags, model, data, options, &result));
  std::cout << result.Dump() << "\n";
  return 0;
}

TRAMA_COMMAND((Command{
    "eval", "DIR", "loss, perplexity, accuracy over data, as JSON",
    "trama eval my-gpt --data=other.txt --stride=32",
    WithRuntimeFlags(WithDataFlags(
        Purpose::kEvaluate,
        {{"part", FlagKind::kString, "", "of --splits: train, validation or test; default: all"},
         {"respond", FlagKind::kBool, "false",
          "also answers every instruction, greedily: exact and per-letter match"},
         {"responses", FlagKind::kString, "", "the same, and a JSON Lines file for the answers"},
         {"max_tokens", FlagKind::kInt, "256", "of an answer at most", 1},
         {"judge", FlagKind::kString, "",
          "the same, each answer scored 0 to 100 by the chat endpoint at this address, as "
          "http://localhost:11434/v1; its key from TRAMA_JUDGE_KEY"},
         {"judge_model", FlagKind::kString, "llama3", "as that endpoint names it"}})),
    Run}));

}  // namespace
}  // namespace trama::cli
