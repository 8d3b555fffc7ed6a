// matmul and linear.
#include <cmath>

#include "backends/reference/evaluators.h"

namespace trama::reference {
namespace {

// y[m, n] += sum over k of a[m * am + k * ak] * b[k * bk + n * bn]; y is [M, N].
void Multiply(const double* a, int64_t am, int64_t ak, const double* b, int64_t bk, int64_t bn,
              double* y, int64_t M, int64_t N, int64_t K) {
  for (int64_t m = 0; m < M; ++m)
    for (int64_t k = 0; k < K; ++k) {
      const double x = a[m * am + k * ak];
      for (int64_t n = 0; n < N; ++n) y[m * N + n] += x * b[k * bk + n * bn];
    }
}

Shape Leading(const Shape& shape) { return Shape(shape.begin(), shape.end() - 2); }

// Broadcast strides of the leading dimensions, in elements of the whole tensor.
Shape BatchStrides(const Tensor& x, const Shape& batch) {
  Shape strides = BroadcastStrides(Leading(x.shape), batch);
  for (int64_t& stride : strides) stride *= x.shape.end()[-1] * x.shape.end()[-2];
  return strides;
}

void Matmul(Inputs<MatmulOp> in, Results out) {
  const Tensor &a = *in.getLhs(), &b = *in.getRhs();
  Tensor& y = out[0];
  const bool ta = in.getTransposeLhs(), tb = in.getTransposeRhs();
  const int64_t M = y.shape.end()[-2], N = y.shape.end()[-1];
  const int64_t K = a.shape.end()[ta ? -2 : -1];
  const Shape batch = Leading(y.shape);
  ForEachElement<2>(batch, {BatchStrides(a, batch), BatchStrides(b, batch)},
                    [&](int64_t i, auto at) {
                      Multiply(&a.real[at[0]], ta ? 1 : K, ta ? M : 1, &b.real[at[1]], tb ? 1 : N,
                               tb ? K : 1, &y.real[i * M * N], M, N, K);
                    });
}

double Activate(Activation activation, double x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x < 0 ? 0 : x;
    case Activation::gelu:
      return Gelu(x, /*with_tanh=*/false);
    case Activation::gelu_tanh:
      return Gelu(x, /*with_tanh=*/true);
    case Activation::tanh:
      return std::tanh(x);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
  }
  return x;
}

void Linear(Inputs<LinearOp> in, Results out) {
  const Tensor &x = *in.getX(), &weight = *in.getWeight();
  Tensor& y = out[0];
  const bool transposed = in.getTransposeWeight();
  const int64_t K = x.shape.back(), N = y.shape.back(), M = N ? y.size() / N : 0;
  Multiply(x.real.data(), K, 1, weight.real.data(), transposed ? 1 : N, transposed ? K : 1,
           y.real.data(), M, N, K);
  for (int64_t i = 0; i < y.size(); ++i)
    y.real[i] =
        Activate(in.getActivation(), y.real[i] + (in.getBias() ? in.getBias()->real[i % N] : 0));
}

const bool registered[] = {Register<MatmulOp>(Matmul), Register<LinearOp>(Linear)};

}  // namespace
}  // namespace trama::reference
