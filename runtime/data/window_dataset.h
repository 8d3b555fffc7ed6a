// Windows of a token sequence: what language models train on.
#pragma once

#include "runtime/data/data.h"
#include "runtime/data/tokens.h"

namespace trama {

// input_ids i32 [B, T], and labels as WindowLabels says.
class WindowDataset : public Dataset {
 public:
  // Windows at random places, window n at one drawn from (seed, n): endless. An epoch is as many
  // as stand side by side in the tokens. Needs seq_len + 1 tokens.
  static WindowDataset Random(Tokens tokens, int64_t seq_len, uint64_t seed);
  // The windows that stand side by side, and after the last the first again: endless as well. Needs
  // seq_len + 1 tokens.
  static WindowDataset InOrder(Tokens tokens, int64_t seq_len);
  // Window n at token n * stride, whole ones only. Needs seq_len + 1 tokens.
  static WindowDataset Strided(Tokens tokens, int64_t seq_len, int64_t stride, WindowLabels labels);
  // Every token but the first is predicted once: windows `stride` apart, in 1 .. seq_len, each with
  // labels for what the one before did not predict and -100 elsewhere; the last one is padded at
  // the right with id 0. A stride of seq_len sets them side by side; a smaller one gives every
  // token but the first window's at least seq_len - stride tokens before it, at the price of more
  // windows. Needs 2 tokens. Labels of every token.
  static WindowDataset Covering(Tokens tokens, int64_t seq_len, int64_t stride);

  int64_t size() const override { return size_; }
  bool endless() const override {
    return placing_ == Placing::kRandom || placing_ == Placing::kInOrder;
  }
  absl::StatusOr<TensorMap> Batch(absl::Span<const int64_t> examples) const override;
  uint32_t Checksum() const override { return tokens_.Checksum(); }

 private:
  enum class Placing { kRandom, kInOrder, kStrided, kCovering };
  WindowDataset(Tokens tokens, int64_t seq_len, Placing placing)
      : tokens_(std::move(tokens)), seq_len_(seq_len), placing_(placing) {}
  int64_t StartOf(int64_t example) const;

  Tokens tokens_;
  int64_t seq_len_;
  Placing placing_;
  int64_t size_ = 0, stride_ = 0;
  WindowLabels labels_ = WindowLabels::kEveryToken;
  uint64_t seed_ = 0;
};

}  // namespace trama
