#include "models/mlp/mlp.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "frontend/activations.h"
#include "models/classifier.h"

namespace trama::models {
namespace {
// 16, "16,8", [16, 8] or ["16", "8"].
absl::StatusOr<std::vector<int64_t>> Widths(const Config& config) {
  const auto it = config.values().find("hidden");
  std::vector<std::string> words = {"16"};
  if (it != config.values().end()) {
    if (auto* list = std::get_if<std::vector<std::string>>(&it->second)) {
      words = *list;
    } else if (auto* integers = std::get_if<std::vector<int64_t>>(&it->second)) {
      words.clear();
      for (const int64_t width : *integers) words.push_back(absl::StrCat(width));
    } else if (auto* text = std::get_if<std::string>(&it->second)) {
      words = absl::StrSplit(*text, ',');
    } else {
      TRAMA_ASSIGN_OR_RETURN(const int64_t width, config.Int("hidden", 16));
      words = {absl::StrCat(width)};
    }
  }
  std::vector<int64_t> widths;
  for (const std::string& word : words) {
    int64_t width;
    if (!absl::SimpleAtoi(word, &width) || width < 1 || width > 1 << 20)
      return absl::InvalidArgumentError(
          absl::StrCat("hidden: '", word, "' is not a width in [1, ", 1 << 20, "]"));
    widths.push_back(width);
  }
  return widths;
}

absl::StatusOr<std::unique_ptr<Model>> Make(const Config& config) {
  MLPConfig c;
  TRAMA_ASSIGN_OR_RETURN(c.features, config.Int("features", c.features, 1, 1 << 24));
  TRAMA_ASSIGN_OR_RETURN(c.hidden, Widths(config));
  TRAMA_ASSIGN_OR_RETURN(c.classes, config.Int("classes", c.classes, 1, 1 << 20));
  TRAMA_ASSIGN_OR_RETURN(c.activation, config.String("activation", c.activation));
  if (!IsActivation(c.activation))
    return absl::InvalidArgumentError(absl::StrCat("activation: '", c.activation, "' is unknown",
                                                   DidYouMean(c.activation, Activations())));
  return std::make_unique<Classifier<MLP>>(c);
}

ModelEntry Entry() {
  ModelEntry entry;
  entry.name = "mlp";
  entry.task = "classification";
  entry.summary = "affine maps with an activation between them";
  entry.defaults.Set("features", int64_t{4});
  entry.defaults.Set("hidden", int64_t{16});
  entry.defaults.Set("classes", int64_t{1});
  entry.defaults.Set("activation", std::string("relu"));
  entry.make = Make;
  return entry;
}
TRAMA_MODEL(Entry());
}  // namespace
}  // namespace trama::models
