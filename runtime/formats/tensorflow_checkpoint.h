// TensorFlow's checkpoints ("tensor bundles"), read without TensorFlow: PREFIX.index, a table (see
// tensorflow_table.h) of every variable's type, shape, place and checksum, and the bytes in
// PREFIX.data-0000I-of-0000N. What the files claim wrongly is an InvalidArgument "PATH: byte N:
// WHAT".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/host_tensor.h"
#include "runtime/formats/file.h"

namespace trama {

class TensorflowCheckpoint {
 public:
  struct Entry {
    std::string name;
    DType dtype;
    Shape shape;
    size_t shard, begin, end;  // bytes of the shard's file
    uint32_t checksum;         // of those bytes, masked
  };

  // `prefix` is the files' path up to ".index": "124M/model.ckpt". The data is mapped, and read
  // where asked for.
  static absl::StatusOr<TensorflowCheckpoint> Open(const std::string& prefix);
  // The same over bytes that outlive the result; `prefix` is for messages.
  static absl::StatusOr<TensorflowCheckpoint> Parse(std::string_view index,
                                                    std::vector<std::string_view> shards,
                                                    const std::string& prefix);

  const std::vector<Entry>& entries() const { return entries_; }  // by name
  const Entry* Find(std::string_view name) const;                 // nullptr where there is none
  // A copy, whose checksum is right.
  absl::StatusOr<HostTensor> Read(const Entry& entry) const;

 private:
  TensorflowCheckpoint() = default;
  // Reads the index; the number of shards.
  absl::StatusOr<size_t> ParseIndex(std::string_view index);
  // Takes the bytes of every shard, which hold what the index says.
  absl::Status Attach(std::vector<std::string_view> shards);
  std::string ShardPath(size_t shard, size_t count) const;

  std::string prefix_;
  std::vector<Entry> entries_;
  std::vector<size_t> places_;  // of the entries in the index
  std::vector<std::string_view> shards_;
  std::vector<std::shared_ptr<const MappedFile>> mapped_;  // empty where Parse was called
};

}  // namespace trama
