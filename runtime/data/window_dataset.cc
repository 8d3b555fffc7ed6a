#include "runtime/data/window_dataset.h"

#include <algorithm>

#include "base/ignore_index.h"
#include "runtime/random.h"

namespace trama {

WindowDataset WindowDataset::Random(Tokens tokens, int64_t seq_len, uint64_t seed) {
  WindowDataset dataset(std::move(tokens), seq_len, Placing::kRandom);
  dataset.size_ = (dataset.tokens_.size() - 1) / seq_len;
  dataset.seed_ = seed;
  return dataset;
}

WindowDataset WindowDataset::InOrder(Tokens tokens, int64_t seq_len) {
  WindowDataset dataset(std::move(tokens), seq_len, Placing::kInOrder);
  dataset.size_ = (dataset.tokens_.size() - 1) / seq_len;
  return dataset;
}

WindowDataset WindowDataset::Strided(Tokens tokens, int64_t seq_len, int64_t stride,
                                     WindowLabels labels) {
  WindowDataset dataset(std::move(tokens), seq_len, Placing::kStrided);
  dataset.size_ = (dataset.tokens_.size() - seq_len - 1) / stride + 1;
  dataset.stride_ = stride;
  dataset.labels_ = labels;
  return dataset;
}

WindowDataset WindowDataset::Covering(Tokens tokens, int64_t seq_len, int64_t stride) {
  WindowDataset dataset(std::move(tokens), seq_len, Placing::kCovering);
  const int64_t behind_first = std::max<int64_t>(dataset.tokens_.size() - 1 - seq_len, 0);
  dataset.size_ = 1 + (behind_first + stride - 1) / stride;
  dataset.stride_ = stride;
  return dataset;
}

int64_t WindowDataset::StartOf(int64_t example) const {
  if (placing_ == Placing::kInOrder) return example % size_ * seq_len_;
  if (placing_ != Placing::kRandom) return example * stride_;
  const uint64_t bits =
      RandomBits(seed_, RandomStream::kWindow, static_cast<uint64_t>(example), 0)[0];
  return UniformBelow(bits, tokens_.size() - seq_len_);
}

absl::StatusOr<TensorMap> WindowDataset::Batch(absl::Span<const int64_t> examples) const {
  const auto count = static_cast<int64_t>(examples.size());
  const bool every = labels_ == WindowLabels::kEveryToken;
  HostTensor inputs(DType::kI32, {count, seq_len_});
  HostTensor labels(DType::kI32, every ? Shape{count, seq_len_} : Shape{count});
  for (int64_t i = 0; i < count; ++i) {
    const int64_t start = StartOf(examples[i]);
    const int64_t length = std::min(seq_len_, tokens_.size() - 1 - start);
    tokens_.Copy(start, inputs.data<int32_t>().subspan(i * seq_len_, length));
    if (every) {
      const absl::Span<int32_t> row = labels.data<int32_t>().subspan(i * seq_len_, seq_len_);
      tokens_.Copy(start + 1, row.subspan(0, length));
      std::fill(row.begin() + length, row.end(), kIgnoreIndex);
      if (placing_ == Placing::kCovering && examples[i] > 0)
        std::fill_n(row.begin(), seq_len_ - stride_, kIgnoreIndex);  // the window before has them
    } else {
      labels.data<int32_t>()[i] = tokens_[start + seq_len_];
    }
  }
  TensorMap batch;
  batch.emplace("input_ids", std::move(inputs));
  batch.emplace("labels", std::move(labels));
  return batch;
}

}  // namespace trama
