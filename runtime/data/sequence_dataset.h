// Token sequences of different lengths, padded on the right: texts with a class, and texts of which
// each token is the target of the one before.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/data/dataset.h"

namespace trama {

struct Sequence {
  std::vector<int32_t> ids;
  int32_t label = -1;      // the class, where sequences have one
  int64_t num_hidden = 0;  // the first so many ids are no targets
};

enum class SequenceTargets {
  kNone,
  kClass,      // labels i32 [B]
  kNextToken,  // labels i32 [B, T]: the next id, after the last the padding id, then -100
};

enum class SequencePadding {
  kMasked,  // attention_mask i32 [B, T] (1: a token, 0: padding), but for kNextToken
  kRead,    // every sequence is padded to the same length, and nothing says where
};

// input_ids i32 [B, T] and what SequenceTargets and SequencePadding add. T is that of the longest
// sequence, rounded up to one of at most four lengths, so that programs are compiled for few
// shapes; with kRead it is `max_length`.
class SequenceDataset : public Dataset {
 public:
  // Of `examples` among `sequences`, neither empty. T is at most `max_length`, and what is longer
  // is cut. A sequence without ids is one padding id.
  SequenceDataset(std::shared_ptr<const std::vector<Sequence>> sequences,
                  std::vector<int64_t> examples, SequenceTargets targets, int32_t pad_id,
                  int64_t max_length, SequencePadding padding = SequencePadding::kMasked);

  // Of kNextToken: the targets of all sequences.
  int64_t CountTargets() const;
  // The sequences that are cut.
  int64_t CountCut() const;

  int64_t size() const override { return static_cast<int64_t>(examples_.size()); }
  absl::StatusOr<TensorMap> Batch(absl::Span<const int64_t> examples) const override {
    return BatchWithin(examples, examples);
  }
  absl::StatusOr<TensorMap> BatchWithin(absl::Span<const int64_t> examples,
                                        absl::Span<const int64_t> update) const override;
  std::vector<int64_t> ShapeExamples() const override;
  uint32_t Checksum() const override;

 private:
  const Sequence& At(int64_t example) const { return (*sequences_)[examples_[example]]; }
  int64_t PaddedLength(int64_t example) const;

  std::shared_ptr<const std::vector<Sequence>> sequences_;
  std::vector<int64_t> examples_;
  SequenceTargets targets_;
  int32_t pad_id_;
  int64_t max_length_, step_;  // lengths are multiples of step_, and max_length_
  SequencePadding padding_;
};

// The rows of `sequences` padded to length `length` as kNextToken says: what SequenceDataset makes
// of them. Both i32 [sequences.size(), length].
struct InstructionBatch {
  HostTensor input_ids, labels;
};
InstructionBatch CollateNextToken(absl::Span<const Sequence* const> sequences, int64_t length,
                                  int32_t pad_id);

}  // namespace trama
