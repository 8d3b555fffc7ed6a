#include "runtime/tokenizer/byte_tokenizer.h"

#include "runtime/formats/utf8.h"

namespace trama {
namespace {

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadByteTokenizer(const std::string&) {
  return std::make_unique<ByteTokenizer>();
}

TRAMA_TOKENIZER(ByteTokenizer::kClassName, LoadByteTokenizer);

}  // namespace

absl::StatusOr<std::vector<int32_t>> ByteTokenizer::EncodePlain(std::string_view text) const {
  std::vector<int32_t> ids;
  ids.reserve(text.size());
  for (const char c : text) ids.push_back(static_cast<uint8_t>(c));
  return ids;
}

std::string ByteTokenizer::Decode(absl::Span<const int32_t> ids) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (id >= 0 && id < 256)
      bytes += static_cast<char>(id);
    else
      bytes += kReplacementCharacter;
  }
  return bytes;
}

absl::Status ByteTokenizer::Save(const std::string& directory) const {
  return WriteTokenizerConfig(directory, kClassName);
}

}  // namespace trama
