// Training examples: an indexable source of named tensors.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/host_tensor.h"

namespace trama {

class Dataset {
 public:
  virtual ~Dataset() = default;

  // The examples of an epoch, at least 1.
  virtual int64_t size() const = 0;
  // True where example n is a function of the number n alone, which may be any >= 0; then `size`
  // only says after how many draws an epoch is counted, and there is no order to shuffle.
  virtual bool endless() const { return false; }
  // The examples of these numbers, each below size() unless endless: by input name, examples along
  // dimension 0 of every tensor.
  virtual absl::StatusOr<TensorMap> Batch(absl::Span<const int64_t> examples) const = 0;
  // The same in the shape, dimension 0 aside, that a batch of all of `update` has, `examples` among
  // them: batches that are accumulated are padded as the large one is, and dropout, which counts
  // elements, falls on the same ones.
  virtual absl::StatusOr<TensorMap> BatchWithin(absl::Span<const int64_t> examples,
                                                absl::Span<const int64_t> update) const {
    return Batch(examples);
  }
  // An example of each shape that batches come in, dimension 0 aside: a batch has the shape of its
  // largest example.
  virtual std::vector<int64_t> ShapeExamples() const { return {0}; }
  // A checksum of the content, so that a resumed run notices other data.
  virtual uint32_t Checksum() const = 0;
};

}  // namespace trama
