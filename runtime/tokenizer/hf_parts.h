// The parts of a tokenizer.json that change ids and that no tokenizer here has.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "runtime/formats/json.h"
#include "runtime/tokenizer/hf_files.h"

namespace trama {

// Unimplemented "PATH: WHAT is not supported" for truncation, padding and what a model, a
// post_processor or a decoder does beyond the tokenizer of its kind ("BPE", "WordPiece",
// "WordLevel"). Parts that are null, false or empty do nothing. `settings` names the tokens that
// BERT's stand between.
absl::Status CheckParts(const Json& tokenizer, const std::string& path, const std::string& kind,
                        const TokenizerSettings& settings);

}  // namespace trama
