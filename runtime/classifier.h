// What a classifier says of every example of a dataset.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/dataset.h"
#include "runtime/model_directory.h"
#include "runtime/session.h"

namespace trama {

struct Classifications {
  std::vector<std::vector<double>> probabilities;  // [N][classes]: softmax, or sigmoid of one logit
  std::vector<int64_t> labels;                     // the likeliest class, the lowest on a tie
  std::vector<int64_t> wanted;                     // the data's, where it has labels

  double Accuracy() const;  // NaN without labels
  // [wanted][given] counts.
  std::vector<std::vector<int64_t>> Confusion() const;
};

// Runs the model's forward over the whole dataset. FailedPrecondition where it gives no `logits`.
absl::StatusOr<Classifications> Classify(const LoadedModel& model, const Dataset& dataset,
                                         const SessionOptions& options);

}  // namespace trama
