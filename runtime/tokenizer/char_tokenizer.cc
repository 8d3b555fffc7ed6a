#include "runtime/tokenizer/char_tokenizer.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json.h"
#include "runtime/formats/utf8.h"

namespace trama {
namespace {

constexpr char kVocabFile[] = "vocab.json";

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadCharTokenizer(const std::string& directory) {
  const std::string path = JoinPath(directory, kVocabFile);
  TRAMA_ASSIGN_OR_RETURN(const Json vocab, Json::ParseFile(path));
  const size_t size = vocab.object().size();
  if (size == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": no characters"));
  std::vector<char32_t> code_points(size);
  std::vector<bool> given(size);
  std::set<char32_t> seen;
  for (const auto& [token, value] : vocab.object()) {
    const int64_t* id = value.if_int();
    if (Utf8Length(token) != token.size() || token.empty())
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": \"", token, "\" is not one character"));
    if (!id || *id < 0 || *id >= static_cast<int64_t>(size) || given[*id])
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": the id of \"", token, "\" is not one of 0 to ", size - 1, ", each used once"));
    code_points[*id] = DecodeUtf8(token);
    given[*id] = true;
    if (!seen.insert(code_points[*id]).second)
      return absl::InvalidArgumentError(absl::StrCat(path, ": \"", token, "\" is there twice"));
  }
  return std::make_unique<CharTokenizer>(std::move(code_points));
}

TRAMA_TOKENIZER(CharTokenizer::kClassName, LoadCharTokenizer);

}  // namespace

absl::StatusOr<CharTokenizer> CharTokenizer::FromTexts(absl::Span<const std::string> texts) {
  std::set<char32_t> found;
  for (const std::string& text : texts) {
    std::string_view rest = text;
    while (!rest.empty()) {
      const size_t length = Utf8Length(rest);
      if (length == 0) return CheckUtf8(text);
      found.insert(DecodeUtf8(rest.substr(0, length)));
      rest.remove_prefix(length);
    }
  }
  if (found.empty()) return absl::InvalidArgumentError("no characters");
  return CharTokenizer({found.begin(), found.end()});
}

CharTokenizer::CharTokenizer(std::vector<char32_t> code_points)
    : code_points_(std::move(code_points)) {
  ascii_.fill(-1);
  for (size_t id = 0; id < code_points_.size(); ++id) {
    const char32_t c = code_points_[id];
    if (c < ascii_.size())
      ascii_[c] = static_cast<int32_t>(id);
    else
      others_.emplace(c, static_cast<int32_t>(id));
  }
}

absl::StatusOr<std::vector<int32_t>> CharTokenizer::EncodePlain(std::string_view text) const {
  std::vector<int32_t> ids;
  ids.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t length = Utf8Length(text.substr(at));
    if (length == 0) return CheckUtf8(text);
    const char32_t c = DecodeUtf8(text.substr(at, length));
    int32_t id = -1;
    if (c < ascii_.size()) {
      id = ascii_[c];
    } else if (const auto found = others_.find(c); found != others_.end()) {
      id = found->second;
    }
    if (id < 0)
      return absl::InvalidArgumentError(absl::StrCat(
          "byte ", at, ": the character ", DescribeCodePoint(c), " is not in the vocabulary"));
    ids.push_back(id);
    at += length;
  }
  return ids;
}

std::string CharTokenizer::Decode(absl::Span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) {
    if (id >= 0 && id < vocab_size())
      AppendUtf8(code_points_[static_cast<size_t>(id)], text);
    else
      text += kReplacementCharacter;
  }
  return text;
}

absl::Status CharTokenizer::Save(const std::string& directory) const {
  TRAMA_RETURN_IF_ERROR(WriteTokenizerConfig(directory, kClassName));
  Json::Object members;
  for (size_t id = 0; id < code_points_.size(); ++id) {
    std::string token;
    AppendUtf8(code_points_[id], token);
    members.emplace_back(std::move(token), id);
  }
  return AtomicWriteFile(JoinPath(directory, kVocabFile),
                         Json::MakeObject(std::move(members)).Dump(2) + "\n");
}

std::string CharTokenizer::Vocabulary() const {
  std::string text;
  for (const char32_t c : code_points_) AppendUtf8(c, text);
  return text;
}

}  // namespace trama
