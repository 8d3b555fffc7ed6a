// Drawing the next token on the host, in double, the same for every backend.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace trama {

struct SamplingOptions {
  double temperature = 1;  // logits are divided by it; 0 is greedy
  int64_t top_k = 0;       // 0: all; ties with the k-th stay
  double top_p = 1;        // 1: all
  double repetition_penalty =
      1;                // Keskar et al. 2019: logits of ids so far, > 0 divided, else multiplied
  bool greedy = false;  // the largest logit, the lowest id on a tie
  uint64_t seed = 0;

  // InvalidArgument names the option that is out of its range.
  absl::Status Validate() const;

  // How many of the largest logits a device should give so that they decide a draw: those that it
  // is from and some more, in case the last of them ties with others. 0: a draw takes all logits.
  int64_t Candidates() const;
  // Whether Sampler::NextOf gives of the `largest`, in falling order, what Sampler::Next gives of
  // all: the same id with the same probabilities, or the same error.
  bool DecidedBy(absl::Span<const float> largest) const;
};

// What a token was drawn from: the ids that could be drawn, with probabilities that sum to 1. By
// falling probability (lower ids first on a tie) where top_k or top_p is set, else by id.
struct TokenDistribution {
  std::vector<int32_t> ids;
  std::vector<double> probabilities;

  // All of a vocabulary by id, 0 where an id could not be drawn.
  std::vector<double> Dense(int64_t vocab_size) const;
};

// logits -> repetition penalty -> / temperature -> top-k -> top-p -> draw.
class Sampler {
 public:
  // `options` are valid. Draws of different `sample` numbers (--num_samples) are independent.
  explicit Sampler(const SamplingOptions& options, uint32_t sample = 0)
      : options_(options), sample_(sample) {}

  // logits: one a vocabulary entry. history: all ids so far, prompt included. position: the index
  // of the token that is drawn; with the seed and the sample number it fixes the draw.
  // InvalidArgument where a logit is NaN or +inf, or all are -inf.
  absl::StatusOr<int32_t> Next(absl::Span<const float> logits, absl::Span<const int32_t> history,
                               int64_t position);

  // The same from a device's candidates: (id, logit) by (falling logit, rising id), no fewer than
  // top-k with its ties and, under a repetition penalty, every id of the history.
  absl::StatusOr<int32_t> NextOf(absl::Span<const int32_t> ids, absl::Span<const float> logits,
                                 absl::Span<const int32_t> history, int64_t position);

  // Of the last draw; greedy draws from one id.
  const TokenDistribution& distribution() const { return distribution_; }

 private:
  struct Candidate {
    double logit;
    int32_t id;
  };
  absl::StatusOr<int32_t> Draw(absl::Span<const int32_t> history, int64_t position);
  void Penalize(absl::Span<const int32_t> history);

  SamplingOptions options_;
  uint32_t sample_;
  std::vector<Candidate> candidates_;
  TokenDistribution distribution_;
};

}  // namespace trama
