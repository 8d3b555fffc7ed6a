#include "backends/cpu/row_loops.h"

namespace trama::cpu {

int64_t RowSpace::rows() const {
  int64_t count = 1;
  for (size_t d = 0; d + 1 < sizes.size(); ++d) count *= sizes[d];
  return count;
}

SmallVector<Value> RowSpace::At(Builder& b, Value row, Value column) const {
  SmallVector<Value> at(sizes.size());
  at.back() = column;
  for (size_t d = sizes.size() - 1; d-- > 0;) {
    at[d] = d == 0 ? row : b.Rem(row, sizes[d]);
    row = b.Div(row, sizes[d]);
  }
  return at;
}

void ForLanes(Builder& b, int64_t n, llvm::function_ref<void(Value, int64_t)> step) {
  const int64_t full = n / b.lanes * b.lanes;
  b.For(0, full, b.lanes, [&](Value column) { step(column, b.lanes); });
  if (full < n) step(b.Index(full), n - full);
}

SmallVector<Value> ReduceLanes(
    Builder& b, int64_t n, ArrayRef<double> initial,
    llvm::function_ref<SmallVector<Value>(Value, int64_t, ValueRange)> step,
    llvm::function_ref<Value(size_t, Value, Value)> combine) {
  const size_t count = initial.size();
  const int64_t chains = n >= 4 * b.lanes ? 4 : 1, stride = chains * b.lanes;
  SmallVector<Value> carried;
  for (int64_t c = 0; c < chains; ++c)
    for (double value : initial) carried.push_back(b.Splat(value));
  auto one = [&](Value column, int64_t live, int64_t chain, SmallVector<Value>& values) {
    auto mine = llvm::MutableArrayRef<Value>(values).slice(chain * count, count);
    llvm::copy(step(column, live, mine), mine.begin());
  };
  const int64_t main = n / stride * stride;
  carried = b.For(b.Index(0), b.Index(main), stride, carried, [&](Value column, ValueRange in) {
    SmallVector<Value> next(in);
    for (int64_t c = 0; c < chains; ++c) one(b.Add(column, c * b.lanes), b.lanes, c, next);
    return next;
  });
  for (int64_t column = main, c = 0; column < n; column += b.lanes, ++c)
    one(b.Index(column), std::min(b.lanes, n - column), c % chains, carried);
  for (int64_t half = chains / 2; half > 0; half /= 2)
    for (int64_t c = 0; c < half; ++c)
      for (size_t i = 0; i < count; ++i)
        carried[c * count + i] =
            combine(i, carried[c * count + i], carried[(c + half) * count + i]);
  carried.resize(count);
  return carried;
}

namespace {
// The sums over a row of what `next` makes of the sums so far.
SmallVector<Value> Sums(Builder& b, int64_t n, size_t count,
                        llvm::function_ref<SmallVector<Value>(Value, int64_t, ValueRange)> next) {
  SmallVector<Value> sums = ReduceLanes(b, n, SmallVector<double>(count, 0), next,
                                        [&](size_t, Value x, Value y) { return b.Add(x, y); });
  for (Value& sum : sums) sum = b.ReduceAdd(sum);
  return sums;
}
}  // namespace

SmallVector<Value> SumLanes(Builder& b, int64_t n, size_t count,
                            llvm::function_ref<SmallVector<Value>(Value, int64_t)> terms) {
  return Sums(b, n, count, [&](Value column, int64_t live, ValueRange carried) {
    SmallVector<Value> next = terms(column, live);
    for (auto [sum, term] : llvm::zip(carried, next)) term = b.Add(sum, term);
    return next;
  });
}

SmallVector<Value> SumProducts(Builder& b, int64_t n, size_t count,
                               llvm::function_ref<SmallVector<Factors>(Value, int64_t)> factors) {
  return Sums(b, n, count, [&](Value column, int64_t live, ValueRange carried) {
    SmallVector<Value> next;
    for (auto [sum, pair] : llvm::zip(carried, factors(column, live)))
      next.push_back(b.Fma(pair.first, pair.second, sum));
    return next;
  });
}

Value KeepLive(Builder& b, Value x, int64_t live, double other) {
  return live == b.lanes ? x : b.Select(b.Mask(b.Index(live)), x, b.Splat(other));
}

}  // namespace trama::cpu
