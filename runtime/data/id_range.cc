#include "runtime/data/id_range.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/ignore_index.h"
#include "base/status_macros.h"

namespace trama {

absl::StatusOr<IdRange> IdRangeOf(const Config& config) {
  IdRange range;
  TRAMA_ASSIGN_OR_RETURN(range.input_ids, config.Int("vocab_size", 0));
  TRAMA_ASSIGN_OR_RETURN(int64_t classes, config.Int("num_labels", 0));
  if (classes == 0) {
    TRAMA_ASSIGN_OR_RETURN(classes, config.Int("classes", 0));
  }
  // One logit tells two classes apart; without classes a model's labels are ids.
  range.labels = classes == 1 ? 2 : classes > 0 ? classes : range.input_ids;
  return range;
}

absl::Status CheckIds(const std::string& where, const std::string& name, const HostTensor& tensor,
                      const IdRange& range) {
  const bool labels = name == "labels";
  const int64_t limit = labels ? range.labels : name == "input_ids" ? range.input_ids : 0;
  if (limit == 0 || IsFloat(tensor.dtype)) return absl::OkStatus();
  for (int64_t i = 0; i < tensor.num_elements(); ++i) {
    const double id = tensor.at(i);
    if ((id >= 0 && id < static_cast<double>(limit)) || (labels && id == kIgnoreIndex)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", name, " has the id ", static_cast<int64_t>(id), " at ",
                     IndexText(i, tensor.shape), ", not in [0, ", limit, ")"));
  }
  return absl::OkStatus();
}

}  // namespace trama
