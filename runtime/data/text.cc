#include "runtime/data/text.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/data/gutenberg.h"
#include "runtime/formats/file.h"
#include "runtime/formats/json_lines.h"
#include "runtime/formats/utf8.h"

namespace trama {
namespace {

absl::Status At(const std::string& place, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(place, ": ", status.message()));
}

absl::StatusOr<std::vector<Document>> ReadFolder(const std::string& path) {
  TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(path));
  std::vector<Document> documents;
  for (const std::string& name : names) {
    const std::string file = JoinPath(path, name);
    if (ExtensionOf(name) != ".txt" || IsDirectory(file)) continue;
    TRAMA_ASSIGN_OR_RETURN(std::string text, ReadFile(file));
    documents.push_back({std::move(text), file});
  }
  if (documents.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, ": no .txt file in this directory"));
  return documents;
}

absl::StatusOr<std::vector<Document>> ReadTextsOfLines(const std::string& path, int64_t limit) {
  std::vector<Document> documents;
  TRAMA_RETURN_IF_ERROR(
      ForEachJsonLine(path, limit, [&](const Json& line, const std::string& place) {
        absl::StatusOr<std::string> text = line.Get<std::string>("text");
        if (!text.ok())
          return absl::InvalidArgumentError(absl::StrCat(place, ": ", text.status().message()));
        documents.push_back({*std::move(text), place});
        return absl::OkStatus();
      }));
  return documents;
}

bool NeedsLineFeed(const std::vector<Document>& documents, size_t i) {
  return i + 1 < documents.size() && !absl::EndsWith(documents[i].text, "\n");
}

}  // namespace

absl::StatusOr<std::vector<Document>> ReadDocuments(const std::string& path, int64_t limit,
                                                    bool strip_gutenberg) {
  std::vector<Document> documents;
  if (IsDirectory(path)) {
    TRAMA_ASSIGN_OR_RETURN(documents, ReadFolder(path));
  } else if (ExtensionOf(path) == ".jsonl") {
    TRAMA_ASSIGN_OR_RETURN(documents, ReadTextsOfLines(path, limit));
  } else {
    TRAMA_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
    documents.push_back({std::move(text), path});
  }
  if (strip_gutenberg)
    for (Document& document : documents) document.text = StripGutenberg(document.text);
  for (const Document& document : documents)
    if (!document.text.empty()) return documents;
  return absl::InvalidArgumentError(absl::StrCat(path, ": no text, the data is empty"));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizerFor(const std::string& spec,
                                                            std::vector<Document>& documents) {
  std::vector<std::string> texts;
  if (spec == "chars") {
    bool line_feed = false;
    for (size_t i = 0; i < documents.size(); ++i) {
      TRAMA_RETURN_IF_ERROR(CheckUtf8(documents[i].text, documents[i].place));
      line_feed |= NeedsLineFeed(documents, i);
    }
    for (Document& document : documents) texts.push_back(std::move(document.text));
    if (line_feed) texts.push_back("\n");
  }
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = MakeTokenizer(spec, texts);
  if (!texts.empty())
    for (size_t i = 0; i < documents.size(); ++i) documents[i].text = std::move(texts[i]);
  return tokenizer;
}

absl::StatusOr<std::vector<int32_t>> EncodeDocuments(const std::vector<Document>& documents,
                                                     const Tokenizer& tokenizer) {
  const std::optional<int32_t> end_of_text = tokenizer.eos_id();
  std::vector<int32_t> ids;
  for (size_t i = 0; i < documents.size(); ++i) {
    absl::StatusOr<std::vector<int32_t>> encoded = tokenizer.Encode(documents[i].text);
    if (!encoded.ok()) return At(documents[i].place, encoded.status());
    if (ids.empty())
      ids = *std::move(encoded);
    else
      ids.insert(ids.end(), encoded->begin(), encoded->end());
    if (end_of_text && i + 1 < documents.size()) ids.push_back(*end_of_text);
    if (end_of_text || !NeedsLineFeed(documents, i)) continue;
    absl::StatusOr<std::vector<int32_t>> line_feed = tokenizer.Encode("\n");
    if (!line_feed.ok()) return At(documents[i].place, line_feed.status());
    ids.insert(ids.end(), line_feed->begin(), line_feed->end());
  }
  return ids;
}

}  // namespace trama
