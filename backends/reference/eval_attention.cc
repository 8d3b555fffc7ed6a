// attention and attention_grad, with the T x S matrix row by row.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/reference/evaluators.h"

namespace trama::reference {
namespace {

constexpr double kMasked = -std::numeric_limits<double>::infinity();

// What forward and backward share: the scores of one query and which weights dropout keeps.
template <typename In>
class Scores {
 public:
  explicit Scores(In in)
      : q_(*in.getQ()),
        k_(*in.getK()),
        key_mask_(in.getKeyMask()),
        bias_(in.getBias()),
        position_(in.getPosition()),
        rng_(in.getRng()),
        scale_(in.getScale().convertToDouble()),
        p_(in.getDropoutP().convertToDouble()),
        op_id_(in.getOpId()),
        causal_(in.getCausal()),
        H(q_.shape[1]),
        T(q_.shape[2]),
        S(k_.shape[2]),
        D(q_.shape[3]) {
    if (bias_) bias_strides_ = BroadcastStrides(bias_->shape, {q_.shape[0], H, T, S});
  }

  // scale q . k_j + bias for every key j, kMasked where query i must not see it.
  std::vector<double> Row(int64_t b, int64_t h, int64_t i) const {
    const int64_t first = position_ ? position_->integer[b] : S - T;
    std::vector<double> row(S, kMasked);
    for (int64_t j = 0; j < S; ++j) {
      if (causal_ && j > first + i) continue;
      if (key_mask_ && !key_mask_->integer[b * S + j]) continue;
      double dot = 0;
      for (int64_t d = 0; d < D; ++d)
        dot += q_.real[((b * H + h) * T + i) * D + d] * k_.real[((b * H + h) * S + j) * D + d];
      row[j] = scale_ * dot + Bias(b, h, i, j);
    }
    return row;
  }

  // The factor of weight [b, h, i, j]: 1, or with dropout 0 or 1 / (1 - p).
  double Keep(int64_t b, int64_t h, int64_t i, int64_t j) const {
    if (p_ == 0) return 1;
    const int64_t at = ((b * H + h) * T + i) * S + j;
    return UniformAt(*rng_, op_id_, H * T * S, at) >= p_ ? 1 / (1 - p_) : 0;
  }

 private:
  double Bias(int64_t b, int64_t h, int64_t i, int64_t j) const {
    if (!bias_) return 0;
    return bias_->real[b * bias_strides_[0] + h * bias_strides_[1] + i * bias_strides_[2] +
                       j * bias_strides_[3]];
  }

  const Tensor &q_, &k_;
  const Tensor *key_mask_, *bias_, *position_, *rng_;
  double scale_, p_;
  int64_t op_id_;
  bool causal_;
  Shape bias_strides_;

 public:
  const int64_t H, T, S, D;
};

// Of one row of scores: zeros and kMasked where it sees no key.
struct Softmax {
  std::vector<double> weights;
  double lse = kMasked;

  explicit Softmax(const std::vector<double>& row) : weights(row.size()) {
    const double max = row.empty() ? kMasked : *std::max_element(row.begin(), row.end());
    if (max == kMasked) return;
    double sum = 0;
    for (double s : row) sum += std::exp(s - max);
    for (size_t j = 0; j < row.size(); ++j) weights[j] = std::exp(row[j] - max) / sum;
    lse = max + std::log(sum);
  }
};

void Attention(Inputs<AttentionOp> in, Results out) {
  const Tensor& v = *in.getV();
  Tensor &y = out[0], &lse = out[1];
  const Scores scores(in);
  const auto [H, T, S] = std::array{scores.H, scores.T, scores.S};
  const int64_t B = v.shape[0], E = v.shape[3];
  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < H; ++h)
      for (int64_t i = 0; i < T; ++i) {
        const Softmax softmax(scores.Row(b, h, i));
        const int64_t to = (b * H + h) * T + i;
        lse.real[to] = softmax.lse;
        if (softmax.lse == kMasked) continue;  // y stays zero
        for (int64_t j = 0; j < S; ++j) {
          const double weight = softmax.weights[j] * scores.Keep(b, h, i, j);
          for (int64_t e = 0; e < E; ++e)
            y.real[to * E + e] += weight * v.real[((b * H + h) * S + j) * E + e];
        }
      }
}

// Whether lse is what its type leaves of `exact`, or a float backend of it.
bool IsRounded(const Tensor& lse, int64_t at, double exact) {
  return std::abs(lse.real[at] - Nearest(lse.dtype, exact)) <=
         0x1p-20 * std::max(1.0, std::abs(exact));
}

// P = exp(scores - lse), W = P dropped; dV = W^T dY, dP = dY V^T dropped,
// dS = P (dP - rowsum(dY Y)), dQ = scale dS K, dK = scale dS^T Q.
void AttentionGrad(Inputs<AttentionGradOp> in, Results out) {
  const Tensor &grad = *in.getGrad(), &y = *in.getY(), &lse = *in.getLse();
  const Tensor &q = *in.getQ(), &k = *in.getK(), &v = *in.getV();
  Tensor &dq = out[0], &dk = out[1], &dv = out[2];
  const Scores scores(in);
  const double scale = in.getScale().convertToDouble();
  const auto [H, T, S, D] = std::array{scores.H, scores.T, scores.S, scores.D};
  const int64_t B = v.shape[0], E = v.shape[3];
  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < H; ++h)
      for (int64_t i = 0; i < T; ++i) {
        const std::vector<double> row = scores.Row(b, h, i);
        const int64_t query = (b * H + h) * T + i;
        // The forward's weights as they were: of a score of 1e5, float lse says exp(score - lse) to
        // two digits. Where lse is not this row's, it is taken as it is given.
        const Softmax softmax(row);
        const bool rounded = IsRounded(lse, query, softmax.lse);
        double delta = 0;
        for (int64_t e = 0; e < E; ++e) delta += grad.real[query * E + e] * y.real[query * E + e];
        for (int64_t j = 0; j < S; ++j) {
          if (row[j] == kMasked) continue;
          const int64_t key = (b * H + h) * S + j;
          const double p = rounded ? softmax.weights[j] : std::exp(row[j] - lse.real[query]);
          const double keep = scores.Keep(b, h, i, j);
          double dp = 0;
          for (int64_t e = 0; e < E; ++e) {
            dp += grad.real[query * E + e] * v.real[key * E + e] * keep;
            dv.real[key * E + e] += p * keep * grad.real[query * E + e];
          }
          const double ds = scale * p * (dp - delta);
          for (int64_t d = 0; d < D; ++d) {
            dq.real[query * D + d] += ds * k.real[key * D + d];
            dk.real[key * D + d] += ds * q.real[query * D + d];
          }
        }
      }
}

const bool registered[] = {
    Register<AttentionOp>(Attention),
    Register<AttentionGradOp>(AttentionGrad),
};

}  // namespace
}  // namespace trama::reference
