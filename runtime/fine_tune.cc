#include "runtime/fine_tune.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "frontend/init.h"

namespace trama {

absl::Status Reconfigure(const Config& changes, uint64_t seed, LoadedModel* model) {
  Config config = model->config;
  for (const auto& [key, value] : changes.values()) {
    if (!model->entry->defaults.Has(key))
      return absl::InvalidArgumentError(
          absl::StrCat(model->entry->name, " has no config key '", key, "'"));
    config.Set(key, value);
  }
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Model> made, model->entry->make(config));
  TensorMap parameters;
  for (const nn::Parameter* parameter : made->module().parameters()) {
    if (model->parameters.empty()) break;
    const auto kept = model->parameters.find(parameter->path());
    if (kept != model->parameters.end() && kept->second.shape == parameter->shape())
      parameters.emplace(kept->first, std::move(kept->second));
    else
      parameters.emplace(parameter->path(), InitialParameter(*parameter, seed));
  }
  model->parameters = std::move(parameters);
  model->model = std::move(made);
  model->config = std::move(config);
  return absl::OkStatus();
}

absl::Status EnsureHead(int64_t classes, uint64_t seed, LoadedModel* model) {
  TRAMA_ASSIGN_OR_RETURN(const int64_t present, model->config.Int("num_labels", 0));
  if (present == classes) return absl::OkStatus();
  Config changes;
  changes.Set("num_labels", classes);
  TRAMA_RETURN_IF_ERROR(Reconfigure(changes, seed, model));
  // Those of the head before.
  if (model->config.Has("class_names")) model->config.Set("class_names", std::monostate());
  return absl::OkStatus();
}

bool Classifies(const LoadedModel& model) {
  return model.entry->task == "classification" || model.config.Int("num_labels", 0).value_or(0) > 0;
}

}  // namespace trama
