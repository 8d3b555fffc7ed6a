// softmax, log_softmax, layer_norm and its gradient.
#include <cmath>
#include <limits>

#include "backends/reference/evaluators.h"

namespace trama::reference {
namespace {

// Calls f(base, n, step) for every line of x along `dim`: its elements are base + k * step, k < n.
template <typename F>
void ForEachLine(const Tensor& x, int64_t dim, F f) {
  const int64_t n = x.shape[dim], step = Strides(x.shape)[dim];
  for (int64_t i = 0; i < x.size(); ++i)
    if (i / step % n == 0) f(i, n, step);
}

double MaxOfLine(const Tensor& x, int64_t base, int64_t n, int64_t step) {
  double max = -std::numeric_limits<double>::infinity();
  for (int64_t k = 0; k < n; ++k) max = std::max(max, x.real[base + k * step]);
  return max;
}

void Softmax(Inputs<SoftmaxOp> in, Results out) {
  const Tensor& x = *in.getX();
  Tensor& y = out[0];
  ForEachLine(x, in.getDim(), [&](int64_t base, int64_t n, int64_t step) {
    const double max = MaxOfLine(x, base, n, step);
    if (max == -std::numeric_limits<double>::infinity()) return;  // all masked: zeros
    double sum = 0;
    for (int64_t i = base; i < base + n * step; i += step)
      sum += y.real[i] = std::exp(x.real[i] - max);
    for (int64_t i = base; i < base + n * step; i += step) y.real[i] /= sum;
  });
}

void LogSoftmax(Inputs<LogSoftmaxOp> in, Results out) {
  const Tensor& x = *in.getX();
  ForEachLine(x, in.getDim(), [&](int64_t base, int64_t n, int64_t step) {
    const double max = MaxOfLine(x, base, n, step);
    double sum = 0;
    for (int64_t i = base; i < base + n * step; i += step) sum += std::exp(x.real[i] - max);
    for (int64_t i = base; i < base + n * step; i += step)
      out[0].real[i] = x.real[i] - max - std::log(sum);
  });
}

void LayerNorm(Inputs<LayerNormOp> in, Results out) {
  const Tensor &x = *in.getX(), &weight = *in.getWeight(), &bias = *in.getBias();
  const double eps = in.getEps().convertToDouble();
  ForEachLine(x, x.rank() - 1, [&](int64_t base, int64_t n, int64_t) {
    double mean = 0, var = 0;
    for (int64_t k = 0; k < n; ++k) mean += x.real[base + k] / n;
    for (int64_t k = 0; k < n; ++k) var += std::pow(x.real[base + k] - mean, 2) / n;
    for (int64_t k = 0; k < n; ++k)
      out[0].real[base + k] =
          (x.real[base + k] - mean) / std::sqrt(var + eps) * weight.real[k] + bias.real[k];
  });
}

void LayerNormGrad(Inputs<LayerNormGradOp> in, Results out) {
  const Tensor &grad = *in.getGrad(), &x = *in.getX(), &weight = *in.getWeight();
  Tensor &dx = out[0], &dweight = out[1], &dbias = out[2];
  const double eps = in.getEps().convertToDouble();
  ForEachLine(x, x.rank() - 1, [&](int64_t base, int64_t n, int64_t) {
    double mean = 0, var = 0, mean_h = 0, mean_hn = 0;
    for (int64_t k = 0; k < n; ++k) mean += x.real[base + k] / n;
    for (int64_t k = 0; k < n; ++k) var += std::pow(x.real[base + k] - mean, 2) / n;
    const double rstd = 1 / std::sqrt(var + eps);
    for (int64_t k = 0; k < n; ++k) {
      const double g = grad.real[base + k], normal = (x.real[base + k] - mean) * rstd;
      dweight.real[k] += g * normal;
      dbias.real[k] += g;
      mean_h += g * weight.real[k] / n;
      mean_hn += g * weight.real[k] * normal / n;
    }
    for (int64_t k = 0; k < n; ++k) {
      const double h = grad.real[base + k] * weight.real[k];
      const double normal = (x.real[base + k] - mean) * rstd;
      dx.real[base + k] = rstd * (h - mean_h - normal * mean_hn);
    }
  });
}

const bool registered[] = {
    Register<SoftmaxOp>(Softmax),
    Register<LogSoftmaxOp>(LogSoftmax),
    Register<LayerNormOp>(LayerNorm),
    Register<LayerNormGradOp>(LayerNormGrad),
};

}  // namespace
}  // namespace trama::reference
