#include "runtime/data/tokens.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/crc32c.h"

namespace trama {

Tokens::Tokens(std::vector<int32_t> ids)
    : ids_(std::make_shared<const std::vector<int32_t>>(std::move(ids))),
      end_(static_cast<int64_t>(ids_->size())) {}

absl::StatusOr<Tokens> Tokens::MapUint16(const std::string& path) {
  TRAMA_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
  const size_t size = mapped.bytes().size();
  if (size % 2 != 0)
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": byte ", size - 1, ": half a uint16 at the end"));
  Tokens tokens;
  tokens.mapped_ = std::make_shared<const MappedFile>(std::move(mapped));
  tokens.end_ = static_cast<int64_t>(size / 2);
  return tokens;
}

void Tokens::Copy(int64_t begin, absl::Span<int32_t> out) const {
  for (size_t i = 0; i < out.size(); ++i) out[i] = (*this)[begin + static_cast<int64_t>(i)];
}

Tokens Tokens::Slice(int64_t begin, int64_t end) const {
  Tokens slice = *this;
  slice.begin_ = begin_ + begin;
  slice.end_ = begin_ + end;
  return slice;
}

uint32_t Tokens::Checksum() const {
  if (mapped_) return Crc32c(mapped_->bytes().substr(2 * begin_, 2 * size()));
  return Crc32c({reinterpret_cast<const char*>(ids_->data() + begin_), sizeof(int32_t) * size()});
}

}  // namespace trama
