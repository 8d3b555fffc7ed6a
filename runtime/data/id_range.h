// Ids that a user gives, before a device reads a table by them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/config.h"
#include "base/host_tensor.h"

namespace trama {

// How many ids a model knows; 0 where nothing says it.
struct IdRange {
  int64_t input_ids = 0;  // `input_ids` are in [0, input_ids)
  int64_t labels = 0;     // integer `labels` are in [0, labels), or -100: not counted
};

// By the config keys `vocab_size` and, of classifiers, `num_labels` or `classes`. InvalidArgument
// where one of them is no number.
absl::StatusOr<IdRange> IdRangeOf(const Config& config);

// InvalidArgument "WHERE: input_ids has the id 999 at [0,2], not in [0, 256)". Tensors of other
// names or of floating point are fine.
absl::Status CheckIds(const std::string& where, const std::string& name, const HostTensor& tensor,
                      const IdRange& range);

}  // namespace trama
