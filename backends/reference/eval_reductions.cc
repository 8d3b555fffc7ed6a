// sum, mean, reduce_max, argmax, top_k.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "backends/reference/evaluators.h"

namespace trama::reference {
namespace {

// Strides that send an element of x to the element of the reduced tensor it belongs to.
Shape ReducedStrides(const Tensor& x, llvm::ArrayRef<int64_t> dims) {
  Shape kept = x.shape;
  for (int64_t dim : dims) kept[dim] = 1;
  Shape strides = Strides(kept);
  for (int64_t dim : dims) strides[dim] = 0;
  return strides;
}

void Accumulate(const Tensor& x, llvm::ArrayRef<int64_t> dims, Tensor& y) {
  ForEachElement<1>(x.shape, {ReducedStrides(x, dims)}, [&](int64_t i, auto at) {
    if (x.is_float())
      y.real[at[0]] += x.real[i];
    else
      y.integer[at[0]] += x.integer[i];
  });
}

void Sum(Inputs<SumOp> in, Results out) { Accumulate(*in.getX(), in.getDims(), out[0]); }

void Mean(Inputs<MeanOp> in, Results out) {
  const Tensor& x = *in.getX();
  Tensor& y = out[0];
  Accumulate(x, in.getDims(), y);
  const int64_t count = y.size() ? x.size() / y.size() : 1;
  for (double& value : y.real) value /= static_cast<double>(count);
  for (int64_t& value : y.integer) value /= count;
}

void ReduceMax(Inputs<ReduceMaxOp> in, Results out) {
  const Tensor& x = *in.getX();
  Tensor& y = out[0];
  std::vector<bool> seen(y.size(), false);
  ForEachElement<1>(x.shape, {ReducedStrides(x, in.getDims())}, [&](int64_t i, auto at) {
    const int64_t to = at[0];
    const bool larger = x.is_float() ? x.real[i] > y.real[to] || x.real[i] != x.real[i]
                                     : x.integer[i] > y.integer[to];
    if (!seen[to] || larger) y.Move(to, x, i);
    seen[to] = true;
  });
}

void Argmax(Inputs<ArgmaxOp> in, Results out) {
  const Tensor& x = *in.getX();
  Tensor& y = out[0];
  const int64_t dim = in.getDim(), step = Strides(x.shape)[dim];
  ForEachElement<1>(x.shape, {ReducedStrides(x, {dim})}, [&](int64_t i, auto at) {
    const int64_t k = i / step % x.shape[dim];
    int64_t& best = y.integer[at[0]];  // starts at index 0
    const int64_t best_at = i + (best - k) * step;
    const bool larger =
        x.is_float() ? x.real[i] > x.real[best_at] : x.integer[i] > x.integer[best_at];
    if (larger) best = k;
  });
}

void TopK(Inputs<TopKOp> in, Results out) {
  const Tensor& x = *in.getX();
  const int64_t n = x.shape.back(), k = in.getK(), rows = x.size() / n;
  std::vector<int64_t> order(n);
  for (int64_t row = 0; row < rows; ++row) {
    std::iota(order.begin(), order.end(), row * n);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
      if (!x.is_float()) return x.integer[a] != x.integer[b] ? x.integer[a] > x.integer[b] : a < b;
      const bool a_nan = std::isnan(x.real[a]), b_nan = std::isnan(x.real[b]);
      if (a_nan || b_nan) return a_nan != b_nan ? a_nan : a < b;
      return x.real[a] != x.real[b] ? x.real[a] > x.real[b] : a < b;
    });
    for (int64_t j = 0; j < k; ++j) {
      out[0].Move(row * k + j, x, order[j]);
      out[1].integer[row * k + j] = order[j] - row * n;
    }
  }
}

const bool registered[] = {
    Register<SumOp>(Sum),       Register<MeanOp>(Mean), Register<ReduceMaxOp>(ReduceMax),
    Register<ArgmaxOp>(Argmax), Register<TopKOp>(TopK),
};

}  // namespace
}  // namespace trama::reference
