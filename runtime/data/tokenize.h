// Documents as sequences of their own.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/data.h"
#include "runtime/data/sequence_dataset.h"
#include "runtime/data/text.h"

namespace trama {

// The tokenizer that options name or hold, made of these documents where it is `chars`.
// InvalidArgument where it has more ids than the model's vocabulary; options.tokenizer_status.
absl::StatusOr<std::shared_ptr<const Tokenizer>> TokenizerOf(const DataOptions& options,
                                                             std::vector<Document>& documents);

// One sequence a document. An error names the document.
absl::StatusOr<std::vector<Sequence>> EncodeEach(const std::vector<Document>& documents,
                                                 const Tokenizer& tokenizer);

// options.pad_id, else the tokenizer's end of text; -1 where there is neither.
int32_t PaddingId(const DataOptions& options, const Tokenizer& tokenizer);

}  // namespace trama
