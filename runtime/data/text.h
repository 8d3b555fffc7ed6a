// Files of text as documents.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tokenizer/tokenizer.h"

namespace trama {

struct Document {
  std::string text;
  std::string place;  // "file.txt", or "file.jsonl:7": for messages
};

// A .txt file is one document, a folder the documents of its .txt files by name, a .jsonl file one
// a line (member "text"), of which `limit` > 0 takes the first. InvalidArgument where there is no
// text at all. `strip_gutenberg`: StripGutenberg of each.
absl::StatusOr<std::vector<Document>> ReadDocuments(const std::string& path, int64_t limit = 0,
                                                    bool strip_gutenberg = false);

// --tokenizer for these documents: `chars` takes its vocabulary from them and from the line feeds
// that EncodeDocuments puts between them.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizerFor(const std::string& spec,
                                                            std::vector<Document>& documents);
// The documents as one sequence. Between two stands the tokenizer's end of text or, where it has
// none, a line feed after a document that does not end with one.
absl::StatusOr<std::vector<int32_t>> EncodeDocuments(const std::vector<Document>& documents,
                                                     const Tokenizer& tokenizer);

}  // namespace trama
