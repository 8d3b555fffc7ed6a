// cross_entropy and linear_cross_entropy with their gradients, weighted_mean.
#include <cmath>
#include <limits>

#include "backends/reference/evaluators.h"

namespace trama::reference {
namespace {

double LogSumExp(const double* row, int64_t n) {
  double max = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int64_t v = 0; v < n; ++v) max = std::max(max, row[v]);
  for (int64_t v = 0; v < n; ++v) sum += std::exp(row[v] - max);
  return max + std::log(sum);
}

// row[target], or 0 where the target is no class.
double Pick(const double* row, int64_t n, int64_t target) {
  return target >= 0 && target < n ? row[target] : 0;
}

void CrossEntropy(Inputs<CrossEntropyOp> in, Results out) {
  const Tensor &logits = *in.getLogits(), &targets = *in.getTargets();
  const double e = in.getLabelSmoothing().convertToDouble();
  const int64_t N = logits.shape[0], V = logits.shape[1];
  for (int64_t n = 0; n < N; ++n) {
    const double* row = &logits.real[n * V];
    const double lse = out[1].real[n] = LogSumExp(row, V);
    if (targets.integer[n] == static_cast<int64_t>(in.getIgnoreIndex())) continue;
    double mean = 0;
    for (int64_t v = 0; v < V; ++v) mean += row[v] / V;
    out[0].real[n] = (1 - e) * (lse - Pick(row, V, targets.integer[n])) + e * (lse - mean);
  }
}

void CrossEntropyGrad(Inputs<CrossEntropyGradOp> in, Results out) {
  const Tensor &logits = *in.getLogits(), &targets = *in.getTargets();
  const double e = in.getLabelSmoothing().convertToDouble();
  const int64_t N = logits.shape[0], V = logits.shape[1];
  for (int64_t n = 0; n < N; ++n) {
    if (targets.integer[n] == static_cast<int64_t>(in.getIgnoreIndex())) continue;
    for (int64_t v = 0; v < V; ++v) {
      const double p = std::exp(logits.real[n * V + v] - in.getLse()->real[n]);
      out[0].real[n * V + v] =
          in.getGrad()->real[n] * (p - (1 - e) * (v == targets.integer[n]) - e / V);
    }
  }
}

// logits[n, v] = x[n, :] . weight[v, :].
std::vector<double> Logits(const Tensor& x, const Tensor& weight) {
  const int64_t N = x.shape[0], C = x.shape[1], V = weight.shape[0];
  std::vector<double> logits(N * V, 0);
  for (int64_t n = 0; n < N; ++n)
    for (int64_t v = 0; v < V; ++v)
      for (int64_t c = 0; c < C; ++c)
        logits[n * V + v] += x.real[n * C + c] * weight.real[v * C + c];
  return logits;
}

void LinearCrossEntropy(Inputs<LinearCrossEntropyOp> in, Results out) {
  const Tensor& targets = *in.getTargets();
  const int64_t N = in.getX()->shape[0], V = in.getWeight()->shape[0];
  const std::vector<double> logits = Logits(*in.getX(), *in.getWeight());
  for (int64_t n = 0; n < N; ++n) {
    if (targets.integer[n] == static_cast<int64_t>(in.getIgnoreIndex())) continue;
    const double* row = &logits[n * V];
    out[0].real[n] = LogSumExp(row, V) - Pick(row, V, targets.integer[n]);
  }
}

void LinearCrossEntropyGrad(Inputs<LinearCrossEntropyGradOp> in, Results out) {
  const Tensor &x = *in.getX(), &weight = *in.getWeight(), &targets = *in.getTargets();
  Tensor &y = out[0], &dx = out[1], &dweight = out[2];
  const int64_t N = x.shape[0], C = x.shape[1], V = weight.shape[0];
  const bool narrow = x.dtype == DType::kBF16 || x.dtype == DType::kF16;
  const std::vector<double> logits = Logits(x, weight);
  for (int64_t n = 0; n < N; ++n) {
    const int64_t target = targets.integer[n];
    if (target == static_cast<int64_t>(in.getIgnoreIndex())) continue;
    const double* row = &logits[n * V];
    const double lse = LogSumExp(row, V);
    y.real[n] = lse - Pick(row, V, target);
    for (int64_t v = 0; v < V; ++v) {
      double g = in.getGrad()->real[n] * (std::exp(row[v] - lse) - (v == target));
      if (narrow) g = Nearest(x.dtype, g);
      for (int64_t c = 0; c < C; ++c) {
        dx.real[n * C + c] += g * weight.real[v * C + c];
        dweight.real[v * C + c] += g * x.real[n * C + c];
      }
    }
  }
}

void WeightedMean(Inputs<WeightedMeanOp> in, Results out) {
  const Tensor &x = *in.getX(), &weights = *in.getWeights();
  double sum = 0, weight = 0;
  for (int64_t i = 0; i < x.size(); ++i) {
    sum += x.real[i] * weights.real[i];
    weight += weights.real[i];
  }
  out[0].real[0] = weight == 0 ? 0 : sum / weight;
}

const bool registered[] = {
    Register<CrossEntropyOp>(CrossEntropy),
    Register<CrossEntropyGradOp>(CrossEntropyGrad),
    Register<LinearCrossEntropyOp>(LinearCrossEntropy),
    Register<LinearCrossEntropyGradOp>(LinearCrossEntropyGrad),
    Register<WeightedMeanOp>(WeightedMean),
};

}  // namespace
}  // namespace trama::reference
