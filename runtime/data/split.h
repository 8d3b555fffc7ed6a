// Which examples of a finite kind of data are trained on, and which are kept apart.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/data.h"
#include "runtime/data/sequence_dataset.h"

namespace trama {

// The datasets of `sequences`: of `examples`, by options.splits (shuffled), part, val_fraction and
// training; and of `other` (null: none), the validation data from another file. InvalidArgument
// where a part is left without an example.
absl::Status SplitSequences(std::shared_ptr<const std::vector<Sequence>> sequences,
                            std::vector<int64_t> examples,
                            std::shared_ptr<const std::vector<Sequence>> other,
                            SequenceTargets targets, int32_t pad_id, const DataOptions& options,
                            LoadedData& loaded);

// Those of `examples` that are read where options.training is false: the part that options.part
// names, or all.
absl::StatusOr<std::vector<int64_t>> ExamplesToRead(std::vector<int64_t> examples,
                                                    const DataOptions& options);

// 0, 1, .. count - 1.
std::vector<int64_t> AllExamples(size_t count);

}  // namespace trama
