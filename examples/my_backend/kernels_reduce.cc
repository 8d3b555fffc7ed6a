// Kernels that sum, pick or move elements.
#include "kernels.h"

namespace my_backend {
namespace {

// Where an element of x goes when `dims` are reduced.
std::vector<int64_t> ReducedStrides(const View& x, const std::vector<int64_t>& dims) {
  std::vector<int64_t> kept = x.shape;
  for (int64_t dim : dims) kept[dim] = 1;
  std::vector<int64_t> strides = Strides(kept);
  for (int64_t dim : dims) strides[dim] = 0;
  return strides;
}

template <typename F>
void Reduce(Call& call, F f) {
  const View& x = call.operands[0];
  const std::vector<int64_t> strides = ReducedStrides(x, call.Ints("dims"));
  std::vector<double> values(call.results[0].size());
  std::vector<bool> seen(values.size());
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t to = OffsetOf(i, x.shape, strides);
    values[to] = seen[to] ? f(values[to], x.Get(i)) : x.Get(i);
    seen[to] = true;
  }
  for (size_t i = 0; i < values.size(); ++i) call.results[0].Set(i, values[i]);
}

// y[i] = x[base + sum(i_d * strides_d)].
void Move(Call& call, int64_t base, const std::vector<int64_t>& strides) {
  View& y = call.results[0];
  for (int64_t i = 0; i < y.size(); ++i)
    y.Set(i, call.operands[0].Get(base + OffsetOf(i, y.shape, strides)));
}

}  // namespace

void Sum(Call& call) {
  Reduce(call, [](double a, double b) { return a + b; });
}

void ReduceMax(Call& call) {
  Reduce(call, [](double a, double b) { return a > b ? a : b; });
}

void Matmul(Call& call) {
  const View &a = call.operands[0], &b = call.operands[1];
  View& y = call.results[0];
  const bool ta = call.Flag("transpose_lhs"), tb = call.Flag("transpose_rhs");
  const int64_t M = y.shape.end()[-2], N = y.shape.end()[-1], K = a.shape.end()[ta ? -2 : -1];
  const std::vector<int64_t> batch(y.shape.begin(), y.shape.end() - 2);
  const auto along = [&](const View& x) {
    return BroadcastStrides({x.shape.begin(), x.shape.end() - 2}, batch);
  };
  const std::vector<int64_t> along_a = along(a), along_b = along(b);
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t n = i % N, m = i / N % M;
    const int64_t at_a = OffsetOf(i / (M * N), batch, along_a) * M * K;
    const int64_t at_b = OffsetOf(i / (M * N), batch, along_b) * K * N;
    double sum = 0;
    for (int64_t k = 0; k < K; ++k)
      sum +=
          a.Get(at_a + (ta ? k * M + m : m * K + k)) * b.Get(at_b + (tb ? n * K + k : k * N + n));
    y.Set(i, sum);
  }
}

void Transpose(Call& call) {
  const std::vector<int64_t> dense = Strides(call.operands[0].shape);
  std::vector<int64_t> strides;
  for (int64_t from : call.Ints("permutation")) strides.push_back(dense[from]);
  Move(call, 0, strides);
}

void Broadcast(Call& call) {
  Move(call, 0, BroadcastStrides(call.operands[0].shape, call.results[0].shape));
}

void Slice(Call& call) {
  const std::vector<int64_t> starts = call.Ints("starts"), steps = call.Ints("strides");
  std::vector<int64_t> strides = Strides(call.operands[0].shape);
  int64_t base = 0;
  for (size_t d = 0; d < strides.size(); ++d) {
    base += starts[d] * strides[d];
    strides[d] *= steps[d];
  }
  Move(call, base, strides);
}

}  // namespace my_backend
