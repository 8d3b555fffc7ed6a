#include "frontend/model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/nearest.h"
#include "frontend/call.h"

namespace trama {
namespace {
std::map<std::string, ModelEntry>& Registry() {
  static auto* registry = new std::map<std::string, ModelEntry>();  // used by static initialisers
  return *registry;
}
}  // namespace

bool RegisterModel(ModelEntry entry) {
  const std::string name = entry.name;
  return Registry().emplace(name, std::move(entry)).second;
}

const std::map<std::string, ModelEntry>& Models() { return Registry(); }

absl::StatusOr<const ModelEntry*> FindModel(const std::string& name) {
  if (auto it = Registry().find(name); it != Registry().end()) return &it->second;
  std::vector<std::string> names;
  for (const auto& [key, entry] : Registry()) {
    if (std::find(entry.aliases.begin(), entry.aliases.end(), name) != entry.aliases.end())
      return &entry;
    names.push_back(key);
    names.insert(names.end(), entry.aliases.begin(), entry.aliases.end());
  }
  return absl::NotFoundError(absl::StrCat("no model '", name, "'", DidYouMean(name, names)));
}

Tensor Required(const Tensors& inputs, const std::string& name, Loc loc) {
  if (auto it = inputs.find(name); it != inputs.end()) return it->second;
  return Call("input", loc).Fail(absl::StrCat("'", name, "' is missing"));
}

void Reject(const std::string& message, Loc loc) { Call("model", loc).Fail(message); }

Tensor Given(const Tensors& inputs, const std::string& name) {
  auto it = inputs.find(name);
  return it == inputs.end() ? Tensor() : it->second;
}

}  // namespace trama
