// Hugging Face's safetensors files: an 8-byte little-endian header length, a JSON header
// {"NAME": {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {...}}, then the data.
// A file is checked whole when it is opened; whatever it claims wrongly is an InvalidArgument
// "PATH: byte N: WHAT", and nothing is allocated by its word.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/host_tensor.h"
#include "runtime/formats/file.h"

namespace trama {

// Names with their values: the "__metadata__" of a file.
using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;

class SafetensorsFile {
 public:
  struct Entry {
    std::string name;
    DType dtype;
    Shape shape;
    size_t begin, end;  // bytes of the file
  };

  // Maps the file; tensors are read where asked for.
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);
  // The same over bytes that outlive the result; `path` is for messages.
  static absl::StatusOr<SafetensorsFile> Parse(std::string_view bytes, const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<Entry>& entries() const { return entries_; }  // in the header's order
  const SafetensorsMetadata& metadata() const { return metadata_; }
  const Entry* Find(std::string_view name) const;  // nullptr where there is none

  // The tensor's bytes in the mapping: row-major, little-endian, perhaps not aligned.
  std::string_view Raw(const Entry& entry) const {
    return bytes_.substr(entry.begin, entry.end - entry.begin);
  }
  // A copy. NotFound names the file and the nearest name.
  absl::StatusOr<HostTensor> Read(std::string_view name) const;
  HostTensor Read(const Entry& entry) const;

 private:
  SafetensorsFile() = default;
  std::string path_;
  std::shared_ptr<const MappedFile> mapped_;  // null where Parse was called
  std::string_view bytes_;
  std::vector<Entry> entries_;
  std::vector<size_t> by_name_;  // indices of entries_, sorted by name
  SafetensorsMetadata metadata_;
};

// A model's weights: one file, or several that a "*.safetensors.index.json" lists.
class SafetensorsModel {
 public:
  // `path` is a file, an index, or a directory with model.safetensors or its index.
  static absl::StatusOr<SafetensorsModel> Open(const std::string& path);

  std::vector<std::string> names() const;  // sorted
  // The entry and the file that has it; {nullptr, nullptr} where none has.
  std::pair<const SafetensorsFile*, const SafetensorsFile::Entry*> Find(
      std::string_view name) const;
  absl::StatusOr<HostTensor> Read(std::string_view name) const;
  const std::vector<SafetensorsFile>& files() const { return files_; }

 private:
  std::vector<SafetensorsFile> files_;
};

// Everything in the file, or in the model at `path` (see SafetensorsModel).
absl::StatusOr<TensorMap> ReadSafetensors(const std::string& path);

// A tensor to be written, whose bytes are asked for when its turn comes and not kept: what is
// written need never stand in memory whole.
struct TensorSource {
  std::string name;
  DType dtype;
  Shape shape;
  std::function<absl::StatusOr<std::string_view>()> bytes;  // row-major, little-endian
};
// Of tensors that outlive them.
TensorSource SourceOf(std::string name, const HostTensor& tensor);
std::vector<TensorSource> SourcesOf(const TensorMap& tensors);

// Writes the tensors in the order given, the file in one step (see AtomicFile). InvalidArgument
// where a name repeats or a tensor's bytes do not fit its shape.
absl::Status WriteSafetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                              const SafetensorsMetadata& metadata = {});
absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors,
                              const SafetensorsMetadata& metadata = {});

}  // namespace trama
