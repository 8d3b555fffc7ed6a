// The order in which training sees a dataset. Every position is reached from (seed, epoch, index)
// alone, so that a resumed run sees the very same batches.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/dataset.h"
#include "runtime/formats/json.h"

namespace trama {

struct BatchOptions {
  int64_t batch_size = 0;         // 0: all examples
  int64_t grad_accumulation = 1;  // batches an update
  bool shuffle = true;            // a new order each epoch, a function of (seed, epoch); a batch of
                                  // all examples keeps theirs
  uint64_t seed = 0;
};

struct Batch {
  TensorMap tensors;         // by input name, `size` examples along dimension 0
  int64_t size = 0;          // less than batch_size at the end of an epoch
  int64_t epoch = 0;         // from 0
  int64_t first = 0;         // the index of its first example among the update's
  bool ends_update = false;  // the last batch of an update: accumulated as many, or the epoch ends
  bool ends_epoch = false;
};

// An update never spans two epochs: what is accumulated at the end of an epoch is applied, and so k
// batches of n give the updates of batches of k n, padded as those are. An endless dataset has full
// batches and updates only; its epochs just count.
class BatchIterator {
 public:
  // The dataset must outlive it. InvalidArgument for negative options.
  static absl::StatusOr<BatchIterator> Create(const Dataset& dataset, const BatchOptions& options);

  // The next batch in order, after the last of an epoch the first of another; what the dataset says
  // of examples that it cannot read.
  absl::StatusOr<Batch> Next();

  int64_t batch_size() const { return batch_size_; }
  // Batches and updates in an epoch; `epochs` times the latter is --steps.
  int64_t batches_per_epoch() const;
  int64_t updates_per_epoch() const;
  int64_t epoch() const { return place_.epoch; }

  // Where the next batch comes from: to come back to, with the same data in the same order.
  struct Place {
    int64_t epoch = 0, index = 0;       // the next example's; an endless dataset's index goes on
    int64_t batches = 0, examples = 0;  // of the update so far
  };
  const Place& place() const { return place_; }
  void ReturnTo(const Place& place);

  // The same for another run, with what the order depends on.
  Json Position() const;
  // FailedPrecondition names what differs: data, batch size, accumulation, shuffling or seed.
  absl::Status Restore(const Json& position);

 private:
  BatchIterator() = default;
  void OrderEpoch();
  uint32_t Checksum() const;

  const Dataset* dataset_ = nullptr;
  BatchOptions options_;
  int64_t batch_size_ = 0;
  Place place_;
  std::vector<int64_t> order_;                // of the examples in this epoch; empty: as they are
  mutable std::optional<uint32_t> checksum_;  // of the data, once it was asked for
};

}  // namespace trama
