// The files of a byte-level BPE vocabulary.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tokenizer/bpe_model.h"
#include "runtime/tokenizer/hf_files.h"

namespace trama {

// The names of a vocabulary's file and of its merges' beside it: Hugging Face's, OpenAI's.
constexpr std::pair<const char*, const char*> kBpeFileNames[] = {{"vocab.json", "merges.txt"},
                                                                 {"encoder.json", "vocab.bpe"}};

struct BpeFiles {
  std::vector<std::string> strings;  // the tokens as the files write them, by id
  BpeModel model;
  TokenizerSettings settings;
};

// kBpeFileNames or tokenizer.json, the first that are there. InvalidArgument: "PATH: byte N: ..."
// for bad JSON or UTF-8, "PATH:LINE: ..." for a merge that is not in the vocabulary. Unimplemented:
// a tokenizer.json that cuts text in another way.
absl::StatusOr<BpeFiles> ReadBpeFiles(const std::string& directory, VocabularySource source);

// vocab.json, merges.txt and tokenizer.json.
absl::Status WriteBpeFiles(const std::string& directory, const BpeModel& model,
                           const AddedTokens& added_tokens, bool add_prefix_space);

}  // namespace trama
