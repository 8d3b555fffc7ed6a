#include "runtime/data/sequence_dataset.h"

#include <algorithm>
#include <map>

#include "base/ignore_index.h"
#include "runtime/formats/crc32c.h"

namespace trama {
namespace {

constexpr int64_t kLengths = 4;   // that batches are padded to, at most
constexpr int64_t kMultiple = 8;  // of ids: no kernel wants fewer

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

std::string_view Bytes(const std::vector<int32_t>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int32_t)};
}

}  // namespace

SequenceDataset::SequenceDataset(std::shared_ptr<const std::vector<Sequence>> sequences,
                                 std::vector<int64_t> examples, SequenceTargets targets,
                                 int32_t pad_id, int64_t max_length, SequencePadding padding)
    : sequences_(std::move(sequences)),
      examples_(std::move(examples)),
      targets_(targets),
      pad_id_(pad_id),
      max_length_(max_length),
      padding_(padding) {
  size_t longest = 1;
  for (const int64_t example : examples_)
    longest = std::max(longest, (*sequences_)[example].ids.size());
  const int64_t length = std::min(static_cast<int64_t>(longest), max_length_);
  step_ = RoundUp((length + kLengths - 1) / kLengths, kMultiple);
}

int64_t SequenceDataset::CountTargets() const {
  int64_t targets = 0;
  for (int64_t i = 0; i < size(); ++i) {
    const auto last = std::min<int64_t>(static_cast<int64_t>(At(i).ids.size()), max_length_);
    targets += std::max<int64_t>(last - std::max<int64_t>(At(i).num_hidden, 1) + 1, 0);
  }
  return targets;
}

int64_t SequenceDataset::CountCut() const {
  int64_t cut = 0;
  for (int64_t i = 0; i < size(); ++i) cut += static_cast<int64_t>(At(i).ids.size()) > max_length_;
  return cut;
}

int64_t SequenceDataset::PaddedLength(int64_t example) const {
  if (padding_ == SequencePadding::kRead) return max_length_;
  const auto length = static_cast<int64_t>(At(example).ids.size());
  return std::min(RoundUp(std::max<int64_t>(length, 1), step_), max_length_);
}

std::vector<int64_t> SequenceDataset::ShapeExamples() const {
  std::map<int64_t, int64_t> first;  // of each length
  for (int64_t i = 0; i < size(); ++i) first.emplace(PaddedLength(i), i);
  std::vector<int64_t> examples;
  for (const auto& [length, example] : first) examples.push_back(example);
  return examples;
}

absl::StatusOr<TensorMap> SequenceDataset::BatchWithin(absl::Span<const int64_t> examples,
                                                       absl::Span<const int64_t> update) const {
  int64_t length = 0;
  for (const int64_t example : update) length = std::max(length, PaddedLength(example));
  std::vector<const Sequence*> rows;
  for (const int64_t example : examples) rows.push_back(&At(example));
  InstructionBatch padded = CollateNextToken(rows, length, pad_id_);
  TensorMap batch;
  batch.emplace("input_ids", std::move(padded.input_ids));
  if (targets_ == SequenceTargets::kNextToken) {
    batch.emplace("labels", std::move(padded.labels));
    return batch;
  }
  const auto count = static_cast<int64_t>(rows.size());
  HostTensor mask(DType::kI32, {count, length}), labels(DType::kI32, {count});
  for (int64_t row = 0; row < count; ++row) {
    const auto kept = std::clamp<int64_t>(static_cast<int64_t>(rows[row]->ids.size()), 1, length);
    std::fill_n(mask.data<int32_t>().begin() + row * length, kept, 1);
    labels.data<int32_t>()[row] = rows[row]->label;
  }
  if (padding_ == SequencePadding::kMasked) batch.emplace("attention_mask", std::move(mask));
  if (targets_ == SequenceTargets::kClass) batch.emplace("labels", std::move(labels));
  return batch;
}

uint32_t SequenceDataset::Checksum() const {
  uint32_t crc = 0;
  for (int64_t i = 0; i < size(); ++i) {
    const Sequence& sequence = At(i);
    crc = Crc32c(Bytes(sequence.ids), crc);
    crc = Crc32c(Bytes({sequence.label, static_cast<int32_t>(sequence.num_hidden)}), crc);
  }
  return crc;
}

InstructionBatch CollateNextToken(absl::Span<const Sequence* const> sequences, int64_t length,
                                  int32_t pad_id) {
  const Shape shape = {static_cast<int64_t>(sequences.size()), length};
  InstructionBatch batch{HostTensor(DType::kI32, shape), HostTensor(DType::kI32, shape)};
  int32_t* input = batch.input_ids.data<int32_t>().data();
  int32_t* label = batch.labels.data<int32_t>().data();
  for (const Sequence* sequence : sequences) {
    const std::vector<int32_t>& ids = sequence->ids;
    const auto count = static_cast<int64_t>(ids.size());
    for (int64_t t = 0; t < length; ++t) {
      *input++ = t < count ? ids[t] : pad_id;
      const int64_t target = t + 1;  // the first padding ends the text: the one that is learned
      const bool counts = target <= count && target >= sequence->num_hidden;
      *label++ = !counts ? kIgnoreIndex : target < count ? ids[target] : pad_id;
    }
  }
  return batch;
}

}  // namespace trama
