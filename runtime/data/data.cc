#include "runtime/data/data.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"

namespace trama {
namespace {

std::vector<DataKind>& Kinds() {
  static auto* const kinds = new std::vector<DataKind>();
  return *kinds;
}

absl::Status CheckThere(const std::string& path) {
  if (FileExists(path)) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("no such data: ", path, DidYouMeanFile(path)));
}

// Options that a kind of data would pass over in silence.
absl::Status CheckKnown(const DataOptions& options, const DataKind& kind) {
  for (const auto& [name, given] :
       {std::pair("splits", !options.splits.empty() || !options.part.empty()),
        std::pair("balance", options.balance),
        std::pair("mask_instruction", options.mask_instruction),
        std::pair("strip_gutenberg", options.strip_gutenberg)})
    if (given && std::find(kind.knows.begin(), kind.knows.end(), name) == kind.knows.end())
      return absl::InvalidArgumentError(absl::StrCat(
          options.data, ": ", name, " means nothing for this kind of data, ", kind.name));
  return absl::OkStatus();
}

}  // namespace

bool RegisterDataKind(const DataKind& kind) {
  Kinds().push_back(kind);
  return true;
}

int64_t TrainingPart(int64_t count, double val_fraction) {
  return static_cast<int64_t>((1.0 - val_fraction) * static_cast<double>(count));
}

absl::StatusOr<LoadedData> LoadData(const DataOptions& options) {
  TRAMA_RETURN_IF_ERROR(CheckThere(options.data));
  if (!options.val_data.empty()) TRAMA_RETURN_IF_ERROR(CheckThere(options.val_data));
  if (!(options.val_fraction >= 0 && options.val_fraction < 1))
    return absl::InvalidArgumentError(
        absl::StrCat("val_fraction is ", options.val_fraction, ", not in [0, 1)"));
  if (options.val_fraction > 0 && !options.val_data.empty())
    return absl::InvalidArgumentError("val_data and val_fraction exclude each other");
  if (options.limit < 0)
    return absl::InvalidArgumentError(absl::StrCat("limit is ", options.limit, ", not at least 0"));
  const DataKind* best = nullptr;
  std::vector<std::string> names;
  for (const DataKind& kind : Kinds()) {
    names.push_back(kind.name);
    if (kind.claims(options) && (!best || kind.priority > best->priority)) best = &kind;
  }
  if (best) {
    TRAMA_RETURN_IF_ERROR(CheckKnown(options, *best));
    return best->load(options);
  }
  std::sort(names.begin(), names.end());
  return absl::InvalidArgumentError(absl::StrCat("unknown kind of data: ", options.data,
                                                 " (known: ", absl::StrJoin(names, ", "), ")"));
}

}  // namespace trama
