#include "frontend/model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "frontend/call.h"

namespace trama {
namespace {
std::map<std::string, ModelEntry>& Registry() {
  static auto* registry = new std::map<std::string, ModelEntry>();  // used by static initialisers
  return *registry;
}

// Levenshtein's distance.
size_t Distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t up = row[j];
      row[j] = std::min({up + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = up;
    }
  }
  return row[b.size()];
}
}  // namespace

bool RegisterModel(ModelEntry entry) {
  const std::string name = entry.name;
  return Registry().emplace(name, std::move(entry)).second;
}

const std::map<std::string, ModelEntry>& Models() { return Registry(); }

absl::StatusOr<const ModelEntry*> FindModel(const std::string& name) {
  if (auto it = Registry().find(name); it != Registry().end()) return &it->second;
  std::string nearest;
  size_t best = SIZE_MAX;
  for (const auto& [key, entry] : Registry()) {
    std::vector<std::string> names = entry.aliases;
    names.push_back(key);
    for (const std::string& candidate : names) {
      if (candidate == name) return &entry;
      if (const size_t distance = Distance(candidate, name); distance < best)
        best = distance, nearest = candidate;
    }
  }
  return absl::NotFoundError(
      absl::StrCat("no model '", name, "'",
                   nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?")));
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
