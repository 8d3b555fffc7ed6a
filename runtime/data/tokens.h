// A long text as token ids: in memory, or mapped from a file of uint16.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/formats/file.h"

namespace trama {

class Tokens {
 public:
  explicit Tokens(std::vector<int32_t> ids);
  // Little-endian uint16. InvalidArgument for an odd number of bytes.
  static absl::StatusOr<Tokens> MapUint16(const std::string& path);

  int64_t size() const { return end_ - begin_; }
  int32_t operator[](int64_t i) const { return mapped_ ? Mapped(begin_ + i) : (*ids_)[begin_ + i]; }
  // Ids [begin, begin + out.size()).
  void Copy(int64_t begin, absl::Span<int32_t> out) const;
  // Ids [begin, end), sharing the memory.
  Tokens Slice(int64_t begin, int64_t end) const;
  uint32_t Checksum() const;

 private:
  Tokens() = default;
  int32_t Mapped(int64_t i) const {
    const std::string_view bytes = mapped_->bytes();
    return static_cast<uint8_t>(bytes[2 * i]) | (static_cast<uint8_t>(bytes[2 * i + 1]) << 8);
  }

  std::shared_ptr<const std::vector<int32_t>> ids_;
  std::shared_ptr<const MappedFile> mapped_;
  int64_t begin_ = 0, end_ = 0;
};

}  // namespace trama
