#include "models/logistic_regression/logistic_regression.h"

#include "base/status_macros.h"
#include "models/classifier.h"

namespace trama::models {
namespace {
absl::StatusOr<std::unique_ptr<Model>> Make(const Config& config) {
  LogisticRegressionConfig c;
  TRAMA_ASSIGN_OR_RETURN(c.features, config.Int("features", c.features, 1, 1 << 24));
  TRAMA_ASSIGN_OR_RETURN(c.classes, config.Int("classes", c.classes, 1, 1 << 20));
  return std::make_unique<Classifier<LogisticRegression>>(c);
}

ModelEntry Entry() {
  ModelEntry entry;
  entry.name = "logistic-regression";
  entry.aliases = {"logreg"};
  entry.task = "classification";
  entry.summary = "p(y = 1 | x) = sigmoid(x W^T + b), or softmax for several classes";
  entry.defaults.Set("features", int64_t{4});
  entry.defaults.Set("classes", int64_t{1});
  entry.make = Make;
  return entry;
}
TRAMA_MODEL(Entry());
}  // namespace
}  // namespace trama::models
