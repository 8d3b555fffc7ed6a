// One id a byte, 0 to 255: any text, any bytes.
#pragma once

#include "runtime/tokenizer/tokenizer.h"

namespace trama {

class ByteTokenizer : public Tokenizer {
 public:
  static constexpr char kClassName[] = "TramaByteTokenizer";

  std::string_view class_name() const override { return kClassName; }
  int64_t vocab_size() const override { return 256; }
  std::string Decode(absl::Span<const int32_t> ids) const override;
  absl::Status Save(const std::string& directory) const override;

 protected:
  absl::StatusOr<std::vector<int32_t>> EncodePlain(std::string_view text) const override;
  std::string Vocabulary() const override { return ""; }
};

}  // namespace trama
