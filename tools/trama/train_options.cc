#include "tools/trama/train_options.h"

#include "absl/strings/str_cat.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/schedule.h"
#include "tools/trama/command.h"

namespace trama::cli {
namespace {

absl::StatusOr<OptimizerConfig> OptimizerOf(const Flags& flags) {
  OptimizerConfig config;
  const std::string& name = flags.String("optimizer");
  if (name == "sgd")
    config.kind = OptimizerKind::kSgd;
  else if (name == "momentum")
    config.kind = OptimizerKind::kMomentum;
  else if (name == "adam")
    config.kind = OptimizerKind::kAdam;
  else if (name == "adamw")
    config.kind = OptimizerKind::kAdamW;
  else
    return UsageError(absl::StrCat("--optimizer: '", name,
                                   "' is none of sgd, momentum, adam, adamw",
                                   DidYouMean(name, {"sgd", "momentum", "adam", "adamw"})));
  config.beta1 = flags.Double("beta1");
  config.beta2 = flags.Double("beta2");
  config.eps = flags.Double("eps");
  config.momentum = flags.Double("momentum");
  config.weight_decay = flags.Double("weight_decay");
  config.clip_norm = flags.Double("clip_norm");
  if (config.beta1 < 0 || config.beta1 >= 1) return UsageError("--beta1: not in [0, 1)");
  if (config.beta2 < 0 || config.beta2 >= 1) return UsageError("--beta2: not in [0, 1)");
  if (config.momentum >= 1) return UsageError("--momentum: not in [0, 1)");
  return config;
}

absl::StatusOr<Schedule> ScheduleOf(const Flags& flags) {
  Schedule schedule;
  absl::StatusOr<ScheduleKind> kind = ScheduleKindFromName(flags.String("schedule"));
  if (!kind.ok()) return UsageError(absl::StrCat("--schedule: ", kind.status().message()));
  schedule.kind = *kind;
  schedule.lr = flags.Double("lr");
  schedule.min_lr = flags.Double("min_lr");
  schedule.warmup_steps = flags.Int("warmup_steps");
  if (schedule.lr <= 0) return UsageError("--lr: a learning rate is positive");
  return schedule;
}

// Flags that would change nothing.
absl::Status CheckEffects(const Flags& flags) {
  for (const char* flag : {"lora_alpha", "lora_targets"})
    if (flags.Given(flag) && flags.Int("lora_rank") == 0)
      return UsageError(absl::StrCat("--", flag, ": needs --lora_rank"));
  const bool evaluates = flags.Int("eval_every") > 0;
  const bool validates = !flags.String("val_data").empty() || flags.Double("val_fraction") > 0 ||
                         !flags.String("splits").empty();
  const auto needs_data = [](const char* flag) {
    return UsageError(absl::StrCat("--", flag, ": needs --val_data, --val_fraction or --splits"));
  };
  if (flags.Int("early_stopping") > 0 && !validates) return needs_data("early_stopping");
  if (flags.Int("early_stopping") > 0 && !evaluates)
    return UsageError("--early_stopping: needs --eval_every, which says when to evaluate");
  if (evaluates && !validates && !flags.Given("sample_prompt")) return needs_data("eval_every");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TrainOptions> TrainOptionsOf(const Flags& flags) {
  TrainOptions options;
  TRAMA_ASSIGN_OR_RETURN(options.optimizer, OptimizerOf(flags));
  TRAMA_ASSIGN_OR_RETURN(options.schedule, ScheduleOf(flags));
  options.steps = flags.Int("steps");
  options.epochs = flags.Int("epochs");
  const bool untrained = flags.Given("steps") && options.steps == 0 && options.epochs == 0;
  if (!untrained && (options.steps == 0) == (options.epochs == 0))
    return UsageError("one of --steps and --epochs says how long to train");
  options.batch.batch_size = flags.Int("batch_size");
  options.batch.grad_accumulation = flags.Int("grad_accumulation");
  options.batch.shuffle = flags.Bool("shuffle");
  options.seed = options.batch.seed = static_cast<uint64_t>(flags.Int("seed"));
  options.label_smoothing = flags.Double("label_smoothing");
  if (options.label_smoothing < 0 || options.label_smoothing > 1)
    return UsageError("--label_smoothing: not in [0, 1]");
  options.eval_every = flags.Int("eval_every");
  options.early_stopping = flags.Int("early_stopping");
  options.checkpoint_every = flags.Int("checkpoint_every");
  TRAMA_RETURN_IF_ERROR(CheckEffects(flags));
  options.out = flags.String("out");
  if (IsDirectory(flags.positional()[0])) options.base_model = flags.positional()[0];
  options.resume = flags.Bool("resume");
  options.metrics = flags.String("metrics");
  options.quiet = flags.Bool("quiet");
  return options;
}

}  // namespace trama::cli
