#include "runtime/class_labels.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/config_json.h"

namespace trama {
namespace {

constexpr char kClassifier[] = "ForSequenceClassification", kLanguageModel[] = "LMHeadModel";
constexpr char kIdToLabel[] = "id2label";
constexpr int64_t kDefaultClasses = 2;  // of `transformers`, where the file says nothing

std::string DefaultName(size_t id) { return absl::StrCat("LABEL_", id); }

// By "architectures"; a file without them says it by naming classes. (Language models may name
// them too.)
bool Classifies(const Json& json) {
  const Json* architectures = json.Find("architectures");
  if (!architectures || architectures->is_null()) return json.Find(kIdToLabel) != nullptr;
  const Json::Array& names = architectures->array();
  return std::any_of(names.begin(), names.end(), [](const Json& name) {
    return name.if_string() && name.if_string()->ends_with(kClassifier);
  });
}

absl::StatusOr<std::vector<std::string>> Names(const Json& labels) {
  const Json::Object& members = labels.object();
  std::vector<std::string> names(members.size());
  std::vector<bool> named(members.size());
  for (const auto& [key, value] : members) {
    size_t id;
    if (!absl::SimpleAtoi(key, &id) || id >= names.size() || named[id] || !value.if_string())
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", kIdToLabel, "\": expected a name for each of 0 to ", members.size() - 1));
    named[id] = true;
    names[id] = *value.if_string();
  }
  return names;
}

bool SayNothing(const std::vector<std::string>& names) {
  for (size_t id = 0; id < names.size(); ++id)
    if (names[id] != DefaultName(id)) return false;
  return true;
}

}  // namespace

absl::Status ReadClassLabels(const ModelEntry& entry, const Json& json, Config* config) {
  if (entry.transformers_prefix.empty()) return absl::OkStatus();
  const bool counted = config->Has("num_labels");
  TRAMA_ASSIGN_OR_RETURN(const int64_t count, config->Int("num_labels", 0));
  if (counted ? count == 0 : !Classifies(json)) return absl::OkStatus();
  const Json* labels = json.Find(kIdToLabel);
  if (!labels || labels->object().empty()) {
    if (!counted) config->Set("num_labels", kDefaultClasses);
    return absl::OkStatus();
  }
  TRAMA_ASSIGN_OR_RETURN(std::vector<std::string> names, Names(*labels));
  const auto named = static_cast<int64_t>(names.size());
  if (counted && count != named)
    return absl::InvalidArgumentError(
        absl::StrCat("num_labels: ", count, ", but ", kIdToLabel, " names ", named, " classes"));
  config->Set("num_labels", named);
  if (!config->Has("class_names") && !SayNothing(names))
    config->Set("class_names", std::move(names));
  return absl::OkStatus();
}

absl::StatusOr<Json> ConfigWithClassLabels(const ModelEntry& entry, Config config) {
  if (entry.transformers_prefix.empty()) return ConfigToJson(config);
  TRAMA_ASSIGN_OR_RETURN(const int64_t count, config.Int("num_labels", 0));
  const std::string architecture =
      absl::StrCat(entry.transformers_prefix, count > 0 ? kClassifier : kLanguageModel);
  config.Set("architectures", std::vector<std::string>{architecture});
  Json json = ConfigToJson(config);
  if (count == 0) return json;
  const auto known = config.values().find("class_names");
  const auto* names = known == config.values().end()
                          ? nullptr
                          : std::get_if<std::vector<std::string>>(&known->second);
  Json id_to_label = Json::MakeObject(), label_to_id = Json::MakeObject();
  for (size_t id = 0; id < static_cast<size_t>(count); ++id) {
    const std::string name = names && id < names->size() ? (*names)[id] : DefaultName(id);
    id_to_label.Set(absl::StrCat(id), name);
    label_to_id.Set(name, static_cast<int64_t>(id));
  }
  json.Set(kIdToLabel, std::move(id_to_label)).Set("label2id", std::move(label_to_id));
  return json;
}

}  // namespace trama
