// Texts with a class: reading them, choosing among them, splitting them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/data.h"
#include "runtime/data/text.h"

namespace trama {

struct LabelledTexts {
  std::vector<Document> texts;
  std::vector<std::string> labels;  // of each text; empty where the data has none
};

// A table (.csv, .tsv) by options.text_column and target, or lines of `label TAB text` where no
// text column is named. Without a target in predicting, a line is all text unless a known class
// stands before its first TAB. Invalid UTF-8, a line without a TAB and a column that is not there
// are errors that name the place.
absl::StatusOr<LabelledTexts> ReadLabelledTexts(const std::string& path,
                                                const DataOptions& options);

// The examples that are kept, of all classes as many as the rarest of `labels` has; in order, each
// class's drawn by the seed.
std::vector<int64_t> BalancedExamples(const std::vector<int32_t>& labels, uint64_t seed);

}  // namespace trama
