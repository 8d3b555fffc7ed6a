// Examples that lie along dimension 0 of tensors.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/data/dataset.h"

namespace trama {

class RowsDataset : public Dataset {
 public:
  // One input: `bytes` are all its rows, each of `row_shape`, in memory that `owner` keeps.
  struct Source {
    std::string name;
    DType dtype;
    Shape row_shape;
    std::string_view bytes;
  };
  // Examples [begin, end).
  RowsDataset(std::vector<Source> sources, std::shared_ptr<const void> owner, int64_t begin,
              int64_t end)
      : sources_(std::move(sources)), owner_(std::move(owner)), begin_(begin), end_(end) {}
  // All examples of tensors whose dimension 0 is one and the same.
  explicit RowsDataset(TensorMap tensors);

  int64_t size() const override { return end_ - begin_; }
  absl::StatusOr<TensorMap> Batch(absl::Span<const int64_t> examples) const override;
  uint32_t Checksum() const override;

  // Examples [begin, end) of these, sharing the memory.
  std::unique_ptr<RowsDataset> Slice(int64_t begin, int64_t end) const;

 private:
  std::vector<Source> sources_;
  std::shared_ptr<const void> owner_;
  int64_t begin_, end_;
};

// The datasets of a finite kind of data: `all` cut by options.limit and val_fraction, `other` (may
// be null) from val_data. InvalidArgument where a part is left without an example.
struct DataOptions;
struct LoadedData;
absl::Status SplitRows(const RowsDataset& all, const RowsDataset* other, const DataOptions& options,
                       LoadedData& loaded);

}  // namespace trama
