// trama train MODEL|DIR --data=...: trains, and writes a model directory.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/checkpoint.h"
#include "runtime/fine_tune.h"
#include "runtime/formats/directory_transaction.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"
#include "runtime/generator.h"
#include "runtime/lora.h"
#include "runtime/regex.h"
#include "runtime/trainer.h"
#include "tools/trama/common.h"
#include "tools/trama/config_file.h"
#include "tools/trama/data_flags.h"
#include "tools/trama/head_flags.h"
#include "tools/trama/train_options.h"

namespace trama::cli {
namespace {

std::atomic<bool> interrupted{false};
extern "C" void Interrupt(int) {
  // A second Ctrl-C ends the process at once.
  if (interrupted.exchange(true)) _exit(kInterrupted);
}

// Whether the regular expression that `flag` gives matches the whole of `path`.
absl::StatusOr<bool> Matches(const Flags& flags, const char* flag, const std::string& path) {
  absl::StatusOr<bool> matches = MatchesWhole(flags.String(flag), path);
  if (!matches.ok()) return UsageError(absl::StrCat("--", flag, ": ", matches.status().message()));
  return matches;
}

// The names of the parameters that are trained; empty where all are. Beside adapters only what
// --train_only names is trained.
absl::StatusOr<std::vector<std::string>> Trainable(const Flags& flags, const LoadedModel& model) {
  const std::string &freeze = flags.String("freeze"), &only = flags.String("train_only");
  const bool adapts = HasLora(model);
  if (freeze.empty() && only.empty() && !adapts) return std::vector<std::string>();
  std::vector<std::string> trainable;
  bool freezes = false;
  for (const nn::Parameter* parameter : model.model->module().parameters()) {
    const std::string path = parameter->path();
    TRAMA_ASSIGN_OR_RETURN(const bool frozen, Matches(flags, "freeze", path));
    TRAMA_ASSIGN_OR_RETURN(const bool named, Matches(flags, "train_only", path));
    freezes |= frozen;
    const bool chosen = named || (adapts ? IsAdapterParameter(path) : only.empty());
    if (!frozen && chosen) trainable.push_back(path);
  }
  if (!freeze.empty() && !freezes)
    return absl::InvalidArgumentError(
        absl::StrCat("--freeze: '", freeze, "' is the name of no parameter"));
  if (trainable.empty())
    return absl::InvalidArgumentError("--freeze and --train_only leave no parameter to train");
  return trainable;
}

// The keys of a model's config that --lora_rank and the others set.
void SetLora(const Flags& flags, Config* config) {
  if (flags.Int("lora_rank") == 0) return;
  config->Set("lora_rank", flags.Int("lora_rank"));
  if (flags.Given("lora_alpha")) config->Set("lora_alpha", flags.Double("lora_alpha"));
  if (flags.Given("lora_targets")) config->Set("lora_targets", flags.String("lora_targets"));
}

// ", 1234 of them trained (NAMES)", where others are frozen.
std::string TrainedText(const std::vector<std::string>& trainable, const Model& model) {
  if (trainable.empty()) return "";
  int64_t elements = 0;
  for (const nn::Parameter* parameter : model.module().parameters())
    if (std::find(trainable.begin(), trainable.end(), parameter->path()) != trainable.end())
      elements += NumElements(parameter->shape()).value_or(0);
  constexpr size_t kListed = 40;
  const std::vector<std::string> listed(trainable.begin(),
                                        trainable.begin() + std::min(kListed, trainable.size()));
  return absl::StrCat(", ", elements, " of them trained (", absl::StrJoin(listed, ", "),
                      trainable.size() > kListed ? ", ..." : "", ")");
}

absl::Status Initialize(const Flags& flags, LoadedModel& model) {
  const std::string& init = flags.String("init");
  if (init == "random") return absl::OkStatus();
  if (init == "zeros") {
    for (auto& [name, tensor] : model.parameters) tensor = HostTensor(tensor.dtype, tensor.shape);
    return absl::OkStatus();
  }
  if (!FileExists(init))
    if (const std::string hint = DidYouMean(init, {"random", "zeros"}); !hint.empty())
      return UsageError(absl::StrCat("--init: '", init, "' is no file", hint));
  TRAMA_ASSIGN_OR_RETURN(TensorMap given, ReadParameters(*model.model, init, /*partial=*/true));
  for (auto& [name, tensor] : given) model.parameters[name] = std::move(tensor);
  return absl::OkStatus();
}

// Whether the data are texts with a class each.
bool ClassifiesText(const LoadedData& data) {
  return data.tokenizer && !data.class_names.empty() && data.features.empty();
}

// The classes of the head that the model gets; 0: of none.
int64_t NumLabels(const Flags& flags, const LoadedData& data) {
  const auto named = static_cast<int64_t>(ClassifiesText(data) ? data.class_names.size() : 0);
  return std::max(flags.Int("num_labels"), named);
}

constexpr const char* kDropoutKeys[] = {"attn_pdrop", "embd_pdrop", "resid_pdrop", "dropout"};

// Wrong usage where --dropout means nothing to the family.
absl::Status CheckDropout(const Flags& flags, const ModelEntry& entry) {
  const double dropout = flags.Double("dropout");
  if (dropout >= 1) return UsageError("--dropout: not in [0, 1)");
  const bool has = std::any_of(std::begin(kDropoutKeys), std::end(kDropoutKeys),
                               [&](const char* key) { return entry.defaults.Has(key); });
  if (dropout == 0 || has) return absl::OkStatus();
  return UsageError(absl::StrCat("--dropout: a ", entry.name, " has none"));
}

// What a loaded model is changed to: a head for the data's classes, adapters, other dropout.
absl::Status Adapt(const Flags& flags, const LoadedData& data, LoadedModel* model) {
  const auto seed = static_cast<uint64_t>(flags.Int("seed"));
  if (const int64_t classes = NumLabels(flags, data); classes > 0)
    TRAMA_RETURN_IF_ERROR(EnsureHead(classes, seed, model));
  TRAMA_RETURN_IF_ERROR(AddHead(flags, model));
  Config changes;
  SetLora(flags, &changes);
  for (const char* key : kDropoutKeys)
    if (flags.Given("dropout") && model->entry->defaults.Has(key))
      changes.Set(key, flags.Double("dropout"));
  if (changes.values().empty()) return absl::OkStatus();
  return Reconfigure(changes, seed, model);
}

// A new model that is fitted to the data.
absl::StatusOr<LoadedModel> ModelFor(const Flags& flags, const std::string& name,
                                     LoadedData& data) {
  const uint64_t seed = static_cast<uint64_t>(flags.Int("seed"));
  TRAMA_ASSIGN_OR_RETURN(Config config, ConfigOf(flags));
  TRAMA_ASSIGN_OR_RETURN(const ModelEntry* entry, FindModel(name));
  auto fit = [&](const char* key, ConfigValue value) {
    if (entry->defaults.Has(key) && !config.Has(key)) config.Set(key, std::move(value));
  };
  if (data.tokenizer) TRAMA_RETURN_IF_ERROR(FitToTokenizer(*entry, *data.tokenizer, &config));
  if (flags.Given("seq_len")) {
    fit("seq_len", flags.Int("seq_len"));
    if (entry->defaults.Has("n_positions")) {
      TRAMA_ASSIGN_OR_RETURN(const int64_t positions, entry->defaults.Int("n_positions", 0));
      fit("n_positions", std::max(positions, flags.Int("seq_len")));
    }
  }
  if (!data.features.empty()) fit("features", static_cast<int64_t>(data.features.size()));
  if (const int64_t classes = NumLabels(flags, data); classes > 0) fit("num_labels", classes);
  if (data.class_names.size() > 2) fit("classes", static_cast<int64_t>(data.class_names.size()));
  if (flags.Given("dropout"))
    for (const char* key : kDropoutKeys) fit(key, flags.Double("dropout"));
  SetLora(flags, &config);
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, NewModelOf(name, config, seed));
  TRAMA_RETURN_IF_ERROR(AddHead(flags, &model));
  return model;
}

// A run of one model is not resumed as one of another: of `name`, where that is a name of the zoo.
absl::Status CheckResumed(const std::string& name, const std::string& out,
                          const LoadedModel& model) {
  if (IsDirectory(name)) return absl::OkStatus();
  TRAMA_ASSIGN_OR_RETURN(const ModelEntry* entry, FindModel(name));
  const auto type = [](const ModelEntry& of) {
    return of.model_type.empty() ? of.name : of.model_type;
  };
  if (type(*entry) == type(*model.entry)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(out, ": the run that is resumed trains a ",
                                                    model.entry->name, ", not a ", entry->name));
}

// It also goes on as the model that it was: flags that would make another are refused.
absl::Status CheckSameModel(const Flags& flags, const LoadedModel& model) {
  const Config& config = model.config;
  const auto differs = [](const char* what, const auto& then, const auto& now) {
    return absl::FailedPreconditionError(
        absl::StrCat("the run that is resumed had ", what, " ", then, ", this one has ", now));
  };
  TRAMA_ASSIGN_OR_RETURN(const int64_t rank, config.Int("lora_rank", 0));
  if (flags.Given("lora_rank") && flags.Int("lora_rank") != rank)
    return differs("lora_rank", rank, flags.Int("lora_rank"));
  TRAMA_ASSIGN_OR_RETURN(const int64_t classes, config.Int("num_labels", 0));
  if (flags.Int("num_labels") > 0 && flags.Int("num_labels") != classes)
    return differs("num_labels", classes, flags.Int("num_labels"));
  for (const char* key : {"lora_targets", "pool"}) {
    TRAMA_ASSIGN_OR_RETURN(const std::string then, config.String(key, ""));
    if (flags.Given(key) && flags.String(key) != then) return differs(key, then, flags.String(key));
  }
  TRAMA_ASSIGN_OR_RETURN(const double alpha,
                         config.Double("lora_alpha", 2 * static_cast<double>(rank)));
  if (flags.Given("lora_alpha") && flags.Double("lora_alpha") != alpha)
    return differs("lora_alpha", alpha, flags.Double("lora_alpha"));
  TRAMA_ASSIGN_OR_RETURN(const Config set, ConfigOf(flags));  // which wins over --dropout
  for (const char* key : kDropoutKeys) {
    TRAMA_ASSIGN_OR_RETURN(const double then, config.Double(key, 0));
    if (flags.Given("dropout") && config.Has(key) && !set.Has(key) &&
        flags.Double("dropout") != then)
      return differs("dropout", then, flags.Double("dropout"));
  }
  return absl::OkStatus();
}

// --sample_prompt's greedy continuation as one line.
absl::StatusOr<SampleFunction> SampleOf(const Flags& flags, const LoadedModel& model,
                                        const SessionOptions& session_options) {
  const std::string& prompt = flags.String("sample_prompt");
  if (model.entry->task != "language-modeling" || Classifies(model))
    return UsageError("--sample_prompt: the model continues no text");
  TRAMA_RETURN_IF_ERROR(CheckTokenizer(model));
  absl::StatusOr<std::vector<int32_t>> ids = model.tokenizer->Encode(prompt);
  if (!ids.ok())
    return absl::InvalidArgumentError(absl::StrCat("--sample_prompt: ", ids.status().message()));
  if (ids->empty()) return UsageError("--sample_prompt: a prompt is not empty");
  GenerateOptions options;
  options.max_tokens = flags.Int("sample_tokens");
  options.sampling.greedy = true;
  return [=, ids = *std::move(ids), &model](TensorMap parameters) -> absl::StatusOr<std::string> {
    TRAMA_ASSIGN_OR_RETURN(
        std::unique_ptr<Generator> generator,
        Generator::Create(model, std::move(parameters), session_options, /*batch=*/1,
                          /*use_cache=*/true, options.sampling.Candidates()));
    TRAMA_ASSIGN_OR_RETURN(const std::vector<GeneratedSample> samples,
                           generator->Generate({ids}, options));
    return absl::StrReplaceAll(absl::StrCat(prompt, samples[0].text), {{"\n", " "}, {"\r", " "}});
  };
}

// While it lives, Ctrl-C asks for an end after the step that runs, or the first.
class InterruptHandler {
 public:
  InterruptHandler() {
    struct sigaction action = {};
    action.sa_handler = Interrupt;
    sigaction(SIGINT, &action, &before_);
  }
  ~InterruptHandler() { sigaction(SIGINT, &before_, nullptr); }

 private:
  struct sigaction before_ = {};
};

struct ModelAndData {
  LoadedModel model;
  LoadedData data;
};

// Of a model directory. A run that goes on takes its model, tokenizer and all, from where it
// stopped, in --out.
absl::StatusOr<ModelAndData> LoadTrained(const Flags& flags, bool goes_on) {
  const std::string &name = flags.positional()[0], &out = flags.String("out");
  const std::string& directory = goes_on ? out : name;
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, LoadModelDirectory(directory, !goes_on));
  TRAMA_RETURN_IF_ERROR(CheckSet(flags, model, directory));
  TRAMA_RETURN_IF_ERROR(CheckDropout(flags, *model.entry));
  if (goes_on) {
    TRAMA_RETURN_IF_ERROR(CheckResumed(name, out, model));
    TRAMA_RETURN_IF_ERROR(CheckSameModel(flags, model));
    TRAMA_ASSIGN_OR_RETURN(Checkpoint checkpoint, LoadCheckpoint(out));
    model.parameters = std::move(checkpoint.parameters);
  }
  TRAMA_ASSIGN_OR_RETURN(LoadedData data,
                         LoadDataFor(flags, &model, model.entry->name, Purpose::kTrain));
  if (!goes_on) {
    TRAMA_RETURN_IF_ERROR(Adapt(flags, data, &model));
    TRAMA_RETURN_IF_ERROR(Initialize(flags, model));
  }
  return ModelAndData{std::move(model), std::move(data)};
}

absl::StatusOr<ModelAndData> MakeNew(const Flags& flags) {
  const std::string& name = flags.positional()[0];
  TRAMA_ASSIGN_OR_RETURN(const ModelEntry* entry, EntryOf(name));
  TRAMA_RETURN_IF_ERROR(CheckDropout(flags, *entry));
  TRAMA_ASSIGN_OR_RETURN(LoadedData data, LoadDataFor(flags, nullptr, name, Purpose::kTrain));
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, ModelFor(flags, name, data));
  TRAMA_RETURN_IF_ERROR(Initialize(flags, model));
  return ModelAndData{std::move(model), std::move(data)};
}

// What standard output gets of a run: one line of JSON.
Json Summary(const TrainResult& result, bool keeps_best) {
  Json summary = Json::MakeObject();
  summary.Set("steps", result.step);
  if (std::isfinite(result.loss)) summary.Set("loss", result.loss);
  if (std::isfinite(result.val_loss)) summary.Set("val_loss", result.val_loss);
  if (keeps_best && std::isfinite(result.best_val_loss)) {
    summary.Set("best_val_loss", result.best_val_loss);
    summary.Set("best_step", result.best_step);
  }
  return summary;
}

absl::StatusOr<int> Run(const Flags& given) {
  interrupted = false;
  InterruptHandler handler;
  Flags flags = given;
  if (const std::string& path = flags.String("config"); !path.empty())
    TRAMA_RETURN_IF_ERROR(ReadConfigFile(path, Commands().at("train").flags, &flags));
  TRAMA_RETURN_IF_ERROR(CheckOut(flags));
  TRAMA_ASSIGN_OR_RETURN(SessionOptions session_options, SessionOptionsOf(flags));
  session_options.recompute = flags.Bool("recompute");
  TRAMA_ASSIGN_OR_RETURN(TrainOptions options, TrainOptionsOf(flags));

  TRAMA_RETURN_IF_ERROR(RecoverModelDirectory(options.out));
  const bool goes_on = options.resume && HasCheckpoint(options.out);
  const bool trained = goes_on || IsDirectory(flags.positional()[0]);
  TRAMA_ASSIGN_OR_RETURN(ModelAndData loaded,
                         trained ? LoadTrained(flags, goes_on) : MakeNew(flags));
  auto& [model, data] = loaded;
  if (!model.tokenizer && data.tokenizer) model.tokenizer = data.tokenizer;
  if (options.eval_every > 0 && !data.validation &&
      (options.early_stopping > 0 || !flags.Given("sample_prompt")))
    return UsageError("--eval_every: --splits leaves no validation data");
  if (model.tokenizer) SetEndOfText(*model.entry, *model.tokenizer, &model.config);
  RememberTable(flags, data, &model);
  TRAMA_ASSIGN_OR_RETURN(options.trainable, Trainable(flags, model));
  if (flags.Given("sample_prompt")) {
    TRAMA_ASSIGN_OR_RETURN(options.sample, SampleOf(flags, model, session_options));
  }

  TRAMA_RETURN_IF_ERROR(CheckWritable(options.out));  // not after hours of training
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Trainer> trainer,
                         Trainer::Create(model, data, options, session_options));
  if (!options.quiet) {
    for (const std::string& note : data.notes) std::cerr << note << "\n";
    std::cerr << absl::StrFormat(
        "%s: %d parameters%s, %d steps, %.1f MiB planned\n", model.entry->name,
        model.model->module().num_parameters(), TrainedText(options.trainable, *model.model),
        trainer->total_steps(), static_cast<double>(trainer->session().plan_bytes()) / (1 << 20));
  }
  TRAMA_ASSIGN_OR_RETURN(const TrainResult result, trainer->Run(&interrupted));
  std::cout << Summary(result, /*keeps_best=*/options.eval_every > 0).Dump() << "\n";
  return result.interrupted ? kInterrupted : 0;
}

TRAMA_COMMAND((Command{
    "train", "MODEL|DIR", "trains on data; --out gets the model directory",
    "trama train gpt --data=book.txt --tokenizer=chars --steps=2000 --lr=1e-3 --out=my-gpt",
    WithRuntimeFlags(WithDataFlags(
        Purpose::kTrain,
        WithHeadFlags(
            {{"out", FlagKind::kString, "", "the model directory to write"},
             {"overwrite", FlagKind::kBool, "false", "replace --out where it exists"},
             {"resume", FlagKind::kBool, "false", "go on from the last checkpoint in --out"},
             {"config", FlagKind::kString, "",
              "a textproto with these fields; a flag wins over it"},
             {"set", FlagKind::kRepeated, "", "key=value of a new model's config, repeatable"},
             {"steps", FlagKind::kInt, "0", "updates; 0 given: none, the model as it starts", 0},
             {"epochs", FlagKind::kInt, "0", "or passes over the data", 0},
             {"batch_size", FlagKind::kInt, "12", "examples a batch; 0: all", 0},
             {"grad_accumulation", FlagKind::kInt, "1", "batches an update", 1},
             {"recompute", FlagKind::kBool, "false",
              "computes activations again in the backward pass, for less memory"},
             {"shuffle", FlagKind::kBool, "true", "a new order each epoch"},
             {"optimizer", FlagKind::kString, "adamw", "sgd, momentum, adam or adamw"},
             {"lr", FlagKind::kDouble, "0.001", "learning rate"},
             {"min_lr", FlagKind::kDouble, "0", "where the schedule ends", 0},
             {"schedule", FlagKind::kString, "constant", "constant, cosine or linear"},
             {"warmup_steps", FlagKind::kInt, "0", "updates before the schedule starts", 0},
             {"beta1", FlagKind::kDouble, "0.9", "Adam's first moment"},
             {"beta2", FlagKind::kDouble, "0.999", "Adam's second moment"},
             {"eps", FlagKind::kDouble, "1e-8", "Adam's epsilon", 0},
             {"momentum", FlagKind::kDouble, "0.9", "of --optimizer=momentum", 0},
             {"weight_decay", FlagKind::kDouble, "0", "decoupled in AdamW, L2 elsewhere", 0},
             {"clip_norm", FlagKind::kDouble, "0", "of all gradients together; 0: none", 0},
             {"dropout", FlagKind::kDouble, "", "default: the model's, 0 of a new one", 0},
             {"label_smoothing", FlagKind::kDouble, "0", "of the training loss", 0},
             {"init", FlagKind::kString, "random", "random, zeros, or a safetensors file"},
             {"freeze", FlagKind::kString, "", "a regular expression: parameters that stay"},
             {"train_only", FlagKind::kString, "", "a regular expression: all others stay"},
             {"lora_rank", FlagKind::kInt, "0", "learns adapters of this rank; 0: the weights", 0},
             {"lora_alpha", FlagKind::kDouble, "", "adapters count alpha / rank; default: 2 rank"},
             {"lora_targets", FlagKind::kString, "", "ends of layers' names; attn.c_attn,mlp.c_fc"},
             {"eval_every", FlagKind::kInt, "0", "updates between evaluations; 0: at the end", 0},
             {"early_stopping", FlagKind::kInt, "0", "evaluations without a better one; 0: never",
              0},
             {"sample_prompt", FlagKind::kString, "",
              "continues this text at each evaluation and at the end, on standard error"},
             {"sample_tokens", FlagKind::kInt, "50", "of that, at most", 1},
             {"checkpoint_every", FlagKind::kInt, "0", "updates; 0: at the end", 0},
             {"metrics", FlagKind::kString, "", "a JSONL file: one object a step"}}))),
    Run}));

}  // namespace
}  // namespace trama::cli
