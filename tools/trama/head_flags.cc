#include "tools/trama/head_flags.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/fine_tune.h"

namespace trama::cli {

std::vector<FlagSpec> WithHeadFlags(std::vector<FlagSpec> flags) {
  flags.push_back({"num_labels", FlagKind::kInt, "0",
                   "a head of so many classes; 0: the model's, or as many as texts have", 0});
  flags.push_back({"pool", FlagKind::kString, "last_real",
                   "what the head reads: the last_real token, or the last with padding read too"});
  return flags;
}

absl::Status AddHead(const Flags& flags, LoadedModel* model) {
  const auto seed = static_cast<uint64_t>(flags.Int("seed"));
  const int64_t classes = flags.Int("num_labels");
  if (classes > 0 && !model->entry->defaults.Has("num_labels"))
    return UsageError(
        absl::StrCat("--num_labels: a ", model->entry->name, " gets no head of classes"));
  if (classes > 0) TRAMA_RETURN_IF_ERROR(EnsureHead(classes, seed, model));
  if (!flags.Given("pool")) return absl::OkStatus();
  const std::string& pool = flags.String("pool");
  if (pool != "last" && pool != "last_real")
    return UsageError(absl::StrCat("--pool: '", pool, "' is neither last nor last_real"));
  if (!model->entry->defaults.Has("pool") || !Classifies(*model))
    return UsageError("--pool: needs --num_labels, a head of classes");
  Config changes;
  changes.Set("pool", pool);
  return Reconfigure(changes, seed, model);
}

}  // namespace trama::cli
