#include "runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/random.h"

namespace trama {

absl::Status SamplingOptions::Validate() const {
  const auto wrong = [](const char* option, double value, const char* range) {
    return absl::InvalidArgumentError(absl::StrCat(option, " is ", value, ", not ", range));
  };
  if (!(temperature >= 0) || !std::isfinite(temperature))
    return wrong("temperature", temperature, "a number of at least 0");
  if (top_k < 0) return wrong("top_k", static_cast<double>(top_k), "at least 0");
  if (!(top_p >= 0 && top_p <= 1)) return wrong("top_p", top_p, "in [0, 1]");
  if (!(repetition_penalty > 0) || !std::isfinite(repetition_penalty))
    return wrong("repetition_penalty", repetition_penalty, "a number above 0");
  return absl::OkStatus();
}

int64_t SamplingOptions::Candidates() const {
  // More take a device longer than reading all of them.
  constexpr int64_t kMost = 256, kTies = 8;
  if (repetition_penalty != 1) return 0;
  if (greedy || temperature == 0) return 1;
  return top_k > 0 && top_k + kTies <= kMost ? top_k + kTies : 0;
}

bool SamplingOptions::DecidedBy(absl::Span<const float> largest) const {
  // NaN and +inf stand first; the error about them names the first by id.
  if (Candidates() == 0 || largest.empty() || !(largest[0] < INFINITY)) return false;
  if (greedy || temperature == 0) return true;
  const auto count = static_cast<size_t>(top_k);
  return count < largest.size() && largest.back() < largest[count - 1];
}

std::vector<double> TokenDistribution::Dense(int64_t vocab_size) const {
  std::vector<double> dense(static_cast<size_t>(vocab_size));
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < vocab_size) dense[ids[i]] = probabilities[i];
  return dense;
}

absl::StatusOr<int32_t> Sampler::Next(absl::Span<const float> logits,
                                      absl::Span<const int32_t> history, int64_t position) {
  candidates_.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) candidates_[i] = {logits[i], static_cast<int32_t>(i)};
  return Draw(history, position);
}

absl::StatusOr<int32_t> Sampler::NextOf(absl::Span<const int32_t> ids,
                                        absl::Span<const float> logits,
                                        absl::Span<const int32_t> history, int64_t position) {
  candidates_.resize(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) candidates_[i] = {logits[i], ids[i]};
  return Draw(history, position);
}

void Sampler::Penalize(absl::Span<const int32_t> history) {
  if (options_.repetition_penalty == 1) return;
  const std::unordered_set<int32_t> seen(history.begin(), history.end());
  for (Candidate& candidate : candidates_) {
    if (!seen.contains(candidate.id)) continue;
    if (candidate.logit > 0)
      candidate.logit /= options_.repetition_penalty;
    else
      candidate.logit *= options_.repetition_penalty;
  }
}

absl::StatusOr<int32_t> Sampler::Draw(absl::Span<const int32_t> history, int64_t position) {
  for (const Candidate& candidate : candidates_)
    if (std::isnan(candidate.logit) || candidate.logit == INFINITY)
      return absl::InvalidArgumentError(
          absl::StrCat("the logit of id ", candidate.id, " is ", candidate.logit));
  Penalize(history);
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  };
  const auto best = std::min_element(candidates_.begin(), candidates_.end(), before);
  if (best == candidates_.end() || best->logit == -INFINITY)
    return absl::InvalidArgumentError("no token has a finite logit");
  distribution_.ids.clear();
  distribution_.probabilities.clear();
  if (options_.greedy || options_.temperature == 0) {
    distribution_.ids.push_back(best->id);
    distribution_.probabilities.push_back(1);
    return best->id;
  }

  // Top-k: everything down to the k-th largest logit.
  auto end = candidates_.end();
  const double largest = best->logit;
  if (options_.top_k > 0 && options_.top_k < static_cast<int64_t>(candidates_.size())) {
    const auto kth = candidates_.begin() + (options_.top_k - 1);
    std::nth_element(candidates_.begin(), kth, end, before);
    const double least = kth->logit;
    end = std::partition(kth + 1, end, [&](const Candidate& c) { return c.logit == least; });
  }
  if (options_.top_k > 0) std::sort(candidates_.begin(), end, before);

  double total = 0;
  for (auto candidate = candidates_.begin(); candidate != end; ++candidate)
    total += std::exp((candidate->logit - largest) / options_.temperature);
  const auto add = [&](const Candidate& candidate) {
    const double p = std::exp((candidate.logit - largest) / options_.temperature) / total;
    distribution_.ids.push_back(candidate.id);
    distribution_.probabilities.push_back(p);
    return p;
  };
  if (options_.top_p < 1) {
    // A heap gives the candidates in order for as long as they are wanted.
    const auto after = [&](const Candidate& a, const Candidate& b) { return before(b, a); };
    std::make_heap(candidates_.begin(), end, after);
    double mass = 0;
    for (; end != candidates_.begin() && mass <= options_.top_p; --end) {
      std::pop_heap(candidates_.begin(), end, after);
      mass += add(*(end - 1));
    }
    for (double& p : distribution_.probabilities) p /= mass;
  } else {
    for (auto candidate = candidates_.begin(); candidate != end; ++candidate) add(*candidate);
  }

  const double u = UniformDouble(RandomBits(options_.seed, RandomStream::kSample,
                                            static_cast<uint64_t>(position), sample_)[0]);
  double below = 0;
  int32_t drawn = -1;
  for (size_t i = 0; i < distribution_.ids.size(); ++i) {
    if (distribution_.probabilities[i] == 0) continue;
    drawn = distribution_.ids[i];  // rounding may leave the sum below u: then the last one
    below += distribution_.probabilities[i];
    if (u < below) break;
  }
  return drawn;
}

}  // namespace trama
