// One id a Unicode code point: the vocabulary is those of a text, sorted.
#pragma once

#include <array>
#include <unordered_map>

#include "runtime/tokenizer/tokenizer.h"

namespace trama {

class CharTokenizer : public Tokenizer {
 public:
  static constexpr char kClassName[] = "TramaCharTokenizer";

  // InvalidArgument "byte N: invalid UTF-8" of a text, or "no characters" where all are empty.
  static absl::StatusOr<CharTokenizer> FromTexts(absl::Span<const std::string> texts);
  // `code_points` in the order of their ids, each once.
  explicit CharTokenizer(std::vector<char32_t> code_points);

  std::string_view class_name() const override { return kClassName; }
  int64_t vocab_size() const override { return static_cast<int64_t>(code_points_.size()); }
  std::string Decode(absl::Span<const int32_t> ids) const override;
  absl::Status Save(const std::string& directory) const override;
  const std::vector<char32_t>& code_points() const { return code_points_; }

 protected:
  absl::StatusOr<std::vector<int32_t>> EncodePlain(std::string_view text) const override;
  std::string Vocabulary() const override;

 private:
  std::vector<char32_t> code_points_;
  std::array<int32_t, 128> ascii_;  // id, or -1
  std::unordered_map<char32_t, int32_t> others_;
};

}  // namespace trama
