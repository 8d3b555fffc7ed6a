#include "runtime/data/rows_dataset.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/data/data.h"
#include "runtime/formats/crc32c.h"

namespace trama {
namespace {

size_t RowBytes(const RowsDataset::Source& source) {
  return static_cast<size_t>(NumElements(source.row_shape).value_or(0)) * SizeOf(source.dtype);
}

}  // namespace

RowsDataset::RowsDataset(TensorMap tensors) : begin_(0), end_(0) {
  const auto owned = std::make_shared<const TensorMap>(std::move(tensors));
  for (const auto& [name, tensor] : *owned) {
    end_ = tensor.shape[0];
    sources_.push_back({name,
                        tensor.dtype,
                        Shape(tensor.shape.begin() + 1, tensor.shape.end()),
                        {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()}});
  }
  owner_ = owned;
}

absl::StatusOr<TensorMap> RowsDataset::Batch(absl::Span<const int64_t> examples) const {
  TensorMap batch;
  for (const Source& source : sources_) {
    Shape shape = source.row_shape;
    shape.insert(shape.begin(), static_cast<int64_t>(examples.size()));
    HostTensor tensor(source.dtype, std::move(shape));
    const size_t row = RowBytes(source);
    for (size_t i = 0, next; row > 0 && i < examples.size(); i = next) {
      // Neighbours in one piece: a batch of all examples is a single copy.
      for (next = i + 1; next < examples.size() && examples[next] == examples[next - 1] + 1;)
        ++next;
      std::memcpy(tensor.bytes.data() + i * row,
                  source.bytes.data() + static_cast<size_t>(begin_ + examples[i]) * row,
                  (next - i) * row);
    }
    batch.emplace(source.name, std::move(tensor));
  }
  return batch;
}

uint32_t RowsDataset::Checksum() const {
  uint32_t crc = 0;
  for (const Source& source : sources_) {
    const size_t row = RowBytes(source);
    crc = Crc32c(source.name, crc);
    crc = Crc32c(
        source.bytes.substr(row * static_cast<size_t>(begin_), row * static_cast<size_t>(size())),
        crc);
  }
  return crc;
}

std::unique_ptr<RowsDataset> RowsDataset::Slice(int64_t begin, int64_t end) const {
  return std::make_unique<RowsDataset>(sources_, owner_, begin_ + begin, begin_ + end);
}

absl::Status SplitRows(const RowsDataset& all, const RowsDataset* other, const DataOptions& options,
                       LoadedData& loaded) {
  const int64_t count = options.limit > 0 ? std::min(options.limit, all.size()) : all.size();
  if (!options.training) {
    loaded.validation = all.Slice(0, count);
    return absl::OkStatus();
  }
  const int64_t cut = TrainingPart(count, options.val_fraction);
  if (cut == 0 || (options.val_fraction > 0 && cut == count))
    return absl::InvalidArgumentError(absl::StrCat(options.data, ": ", count,
                                                   " examples cannot be split by val_fraction ",
                                                   options.val_fraction));
  loaded.train = all.Slice(0, cut);
  if (options.val_fraction > 0) loaded.validation = all.Slice(cut, count);
  if (other) loaded.validation = other->Slice(0, other->size());
  return absl::OkStatus();
}

}  // namespace trama
