// .safetensors: any model's inputs by name, examples along dimension 0.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "runtime/data/data.h"
#include "runtime/data/rows_dataset.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"

namespace trama {
namespace {

bool IsSafetensors(const DataOptions& options) {
  return ExtensionOf(options.data) == ".safetensors";
}

template <typename T, typename ToNumber>
absl::Status CheckFinite(const SafetensorsFile& file, const SafetensorsFile::Entry& entry,
                         ToNumber to_number) {
  const std::string_view bytes = file.Raw(entry);
  for (size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    if (!std::isfinite(to_number(value)))
      return absl::InvalidArgumentError(absl::StrCat(file.path(), ": byte ", entry.begin + at,
                                                     ": tensor ", entry.name, " has ",
                                                     static_cast<double>(to_number(value))));
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(const SafetensorsFile& file, const SafetensorsFile::Entry& entry) {
  switch (entry.dtype) {
    case DType::kF32:
      return CheckFinite<float>(file, entry, [](float v) { return v; });
    case DType::kF64:
      return CheckFinite<double>(file, entry, [](double v) { return v; });
    case DType::kBF16:
      return CheckFinite<uint16_t>(file, entry, FromBF16);
    case DType::kF16:
      return CheckFinite<uint16_t>(file, entry, FromF16);
    default:
      return absl::OkStatus();
  }
}

absl::Status CheckPresent(const SafetensorsFile& file, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    std::vector<std::string_view> there;
    for (const SafetensorsFile::Entry& entry : file.entries()) there.push_back(entry.name);
    if (std::find(there.begin(), there.end(), name) == there.end())
      return absl::InvalidArgumentError(absl::StrCat(
          file.path(), ": no tensor ", name, ", which the model needs; there are ",
          absl::StrJoin(there, ", ",
                        [](std::string* out, std::string_view entry) { out->append(entry); })));
  }
  return absl::OkStatus();
}

absl::StatusOr<RowsDataset> Open(const std::string& path, const DataOptions& options) {
  TRAMA_ASSIGN_OR_RETURN(SafetensorsFile opened, SafetensorsFile::Open(path));
  const auto file = std::make_shared<const SafetensorsFile>(std::move(opened));
  std::vector<RowsDataset::Source> sources;
  int64_t rows = -1;
  for (const SafetensorsFile::Entry& entry : file->entries()) {
    if (entry.shape.empty() || entry.shape[0] == 0)
      return absl::InvalidArgumentError(absl::StrCat(path, ": tensor ", entry.name, " of shape ",
                                                     ToString(entry.shape),
                                                     " has no examples along dimension 0"));
    if (file->Raw(entry).empty())
      return absl::InvalidArgumentError(absl::StrCat(path, ": tensor ", entry.name, " of shape ",
                                                     ToString(entry.shape), " is empty"));
    if (rows >= 0 && entry.shape[0] != rows)
      return absl::InvalidArgumentError(absl::StrCat(path, ": tensor ", entry.name, " has ",
                                                     entry.shape[0], " examples, ",
                                                     sources.front().name, " has ", rows));
    TRAMA_RETURN_IF_ERROR(CheckFinite(*file, entry));
    if (!IsFloat(entry.dtype))
      TRAMA_RETURN_IF_ERROR(CheckIds(path, entry.name, file->Read(entry), options.ids));
    rows = entry.shape[0];
    sources.push_back({entry.name, entry.dtype, Shape(entry.shape.begin() + 1, entry.shape.end()),
                       file->Raw(entry)});
  }
  if (sources.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, ": no tensors, the data is empty"));
  TRAMA_RETURN_IF_ERROR(CheckPresent(*file, options.tensors));
  return RowsDataset(std::move(sources), file, 0, rows);
}

absl::StatusOr<LoadedData> LoadSafetensors(const DataOptions& options) {
  LoadedData loaded;
  TRAMA_ASSIGN_OR_RETURN(const RowsDataset all, Open(options.data, options));
  if (!options.training || options.val_data.empty()) {
    TRAMA_RETURN_IF_ERROR(SplitRows(all, nullptr, options, loaded));
    return loaded;
  }
  TRAMA_ASSIGN_OR_RETURN(const RowsDataset other, Open(options.val_data, options));
  TRAMA_RETURN_IF_ERROR(SplitRows(all, &other, options, loaded));
  return loaded;
}

TRAMA_DATA_KIND((DataKind{".safetensors", IsSafetensors, LoadSafetensors}));

}  // namespace
}  // namespace trama
