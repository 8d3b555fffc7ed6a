#include "backends/cpu/tile.h"

#include <algorithm>

namespace trama::cpu {
using codegen::Builder;
using codegen::SmallVector;
using codegen::Value;
using codegen::ValueRange;

SmallVector<Value> TileProduct(Builder& b, int64_t rows, int64_t vectors, Value begin, Value end,
                               llvm::function_ref<Value(int64_t, Value)> left,
                               llvm::function_ref<Value(Value, int64_t)> right) {
  const int64_t count = rows * vectors;
  auto step = [&](Value k, SmallVector<Value>& sums, int64_t first) {
    SmallVector<Value> vector;
    for (int64_t v = 0; v < vectors; ++v) vector.push_back(right(k, v));
    for (int64_t i = 0; i < rows; ++i) {
      Value scalar = b.Broadcast(left(i, k));
      for (int64_t v = 0; v < vectors; ++v) {
        Value& sum = sums[first + i * vectors + v];
        sum = b.Fma(scalar, vector[v], sum);
      }
    }
  };
  // Eight sums hide the latency of an addition; a smaller tile takes several k at a time.
  const int64_t unroll = count >= 8 ? 1 : count >= 4 ? 2 : 4;
  SmallVector<Value> sums(count * unroll, b.Splat(0));
  if (unroll > 1) {
    Value length = b.Sub(end, begin);
    Value middle = b.Sub(end, b.Rem(length, unroll));
    sums = b.For(begin, middle, unroll, sums, [&](Value k, ValueRange carried) {
      SmallVector<Value> next(carried);
      for (int64_t u = 0; u < unroll; ++u) step(b.Add(k, u), next, u * count);
      return next;
    });
    begin = middle;
  }
  SmallVector<Value> first(sums.begin(), sums.begin() + count);
  first = b.For(begin, end, 1, first, [&](Value k, ValueRange carried) {
    SmallVector<Value> next(carried);
    step(k, next, 0);
    return next;
  });
  for (int64_t u = 1; u < unroll; ++u)
    for (int64_t i = 0; i < count; ++i) first[i] = b.Add(first[i], sums[u * count + i]);
  return first;
}

void PackPanel(Builder& b, const MatrixSource& source, Value panel, Value depth, int64_t depth_tail,
               int64_t columns, double scale, Value first_row) {
  const int64_t lanes = b.lanes, full = columns / lanes * lanes;
  Value zero = b.Index(0);
  auto row_of = [&](Value k) { return first_row ? b.Add(first_row, k) : k; };
  auto scaled = [&](Value x) { return scale == 1 ? x : b.Mul(x, b.Constant(x.getType(), scale)); };
  auto element = [&](Value k, Value n) {
    return b.Add(b.Add(source.offset, b.Mul(k, source.k_stride)), b.Mul(n, source.n_stride));
  };

  if (source.n_stride == 1) {
    b.For(zero, depth, 1, [&](Value k) {
      Value row = element(k, zero);
      for (int64_t n = 0; n < columns; n += lanes) {
        Value at = b.Add(row, n);
        Value x = n < full ? b.LoadVector(source.buffer, at)
                           : b.LoadMasked(source.buffer, at, b.Mask(b.Index(columns - n)));
        b.StoreVector(scaled(x), panel, {row_of(k), b.Index(n)});
      }
    });
    return;
  }
  if (source.k_stride != 1) {
    b.For(zero, depth, 1, [&](Value k) {
      b.For(0, columns, 1, [&](Value n) {
        b.Store(scaled(b.Load(source.buffer, element(k, n))), panel, {row_of(k), n});
      });
    });
    return;
  }

  // Transposed in blocks of lanes x lanes. Columns past the end repeat the last one.
  auto block = [&](Value k, Value n, int64_t columns_here, int64_t depth_here) {
    SmallVector<Value> rows;
    Value corner = element(k, n);
    for (int64_t l = 0; l < lanes; ++l) {
      Value at = b.Add(corner, std::min(l, columns_here - 1) * source.n_stride);
      rows.push_back(depth_here == lanes
                         ? b.LoadVector(source.buffer, at)
                         : b.LoadMasked(source.buffer, at, b.Mask(b.Index(depth_here))));
    }
    b.TransposeRows(rows);
    for (int64_t l = 0; l < depth_here; ++l)
      b.StoreVector(scaled(rows[l]), panel, {row_of(b.Add(k, l)), n});
  };
  auto row_of_blocks = [&](Value k, int64_t depth_here) {
    if (full > 0) b.For(0, full, lanes, [&](Value n) { block(k, n, lanes, depth_here); });
    if (full < columns) block(k, b.Index(full), columns - full, depth_here);
  };
  Value whole = b.Mul(b.Div(depth, lanes), lanes);
  b.For(zero, whole, lanes, [&](Value k) { row_of_blocks(k, lanes); });
  if (depth_tail != 0) b.If(b.Less(whole, depth), [&] { row_of_blocks(whole, depth_tail); });
}

}  // namespace trama::cpu
