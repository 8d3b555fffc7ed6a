#include "backends/cpu/tile.h"

#include <algorithm>

#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

namespace trama::cpu {
using codegen::Builder;
using codegen::SmallVector;
using codegen::Value;
using codegen::ValueRange;
namespace vector = mlir::vector;

Value MultiplyAdd(Builder& b, Lane lane, Value x, Value y, Value sums) {
  if (lane == Lane::kFloat) return b.Fma(x, y, sums);
  const mlir::VectorType pairs = b.Vector(2 * b.lanes, b.getBF16Type());
  return mlir::x86vector::DotBF16Op::create(b, sums.getType(), sums,
                                            vector::BitCastOp::create(b, pairs, x),
                                            vector::BitCastOp::create(b, pairs, y));
}

Value Widen(Builder& b, Value x) {
  if (mlir::getElementTypeOrSelf(x).isF32()) return x;
  return mlir::arith::ExtFOp::create(b, codegen::WithElement(x.getType(), b.F32()), x);
}

Value PairsOf(Builder& b, Value x) {
  const int64_t n = mlir::cast<mlir::VectorType>(x.getType()).getNumElements();
  return vector::BitCastOp::create(b, b.VectorF32(n / 2), x);
}

Value Interleave(Builder& b, Value low, Value high) {
  return PairsOf(b, vector::InterleaveOp::create(b, low, high));
}

bool HoldsPairs(Value buffer) {
  return mlir::cast<mlir::MemRefType>(buffer.getType()).getElementType().isF32();
}

Value LoadBf16(Builder& b, Value buffer, Value index, int64_t n, Value mask) {
  if (HoldsPairs(buffer)) {
    Value half = mlir::arith::DivUIOp::create(b, index, b.Index(2));
    return vector::BitCastOp::create(b, b.Vector(n, b.getBF16Type()),
                                     b.LoadVector(buffer, half, n / 2));
  }
  return mask ? b.LoadMasked(buffer, index, mask) : b.LoadVector(buffer, index, n);
}

SmallVector<Value> TileProduct(Builder& b, int64_t rows, int64_t vectors, Value begin, Value end,
                               llvm::function_ref<Value(int64_t, Value)> left,
                               llvm::function_ref<Value(Value, int64_t)> right, Lane lane) {
  const int64_t count = rows * vectors;
  auto step = [&](Value k, SmallVector<Value>& sums, int64_t first) {
    SmallVector<Value> vector;
    for (int64_t v = 0; v < vectors; ++v) vector.push_back(right(k, v));
    for (int64_t i = 0; i < rows; ++i) {
      Value scalar = b.Broadcast(left(i, k));
      for (int64_t v = 0; v < vectors; ++v) {
        Value& sum = sums[first + i * vectors + v];
        sum = MultiplyAdd(b, lane, scalar, vector[v], sum);
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
        b.StoreVector(scaled(Widen(b, x)), panel, {row_of(k), b.Index(n)});
      }
    });
    return;
  }
  if (source.k_stride != 1) {
    b.For(zero, depth, 1, [&](Value k) {
      b.For(0, columns, 1, [&](Value n) {
        Value x = Widen(b, b.Load(source.buffer, element(k, n)));
        b.Store(scaled(x), panel, {row_of(k), n});
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
      Value x = depth_here == lanes ? b.LoadVector(source.buffer, at)
                                    : b.LoadMasked(source.buffer, at, b.Mask(b.Index(depth_here)));
      rows.push_back(Widen(b, x));
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

void PackPairs(Builder& b, const MatrixSource& source, Value panel, Value depth, int64_t depth_tail,
               int64_t columns, Value first_row) {
  const int64_t lanes = b.lanes, full = columns / lanes * lanes;
  const mlir::Type bf16 = b.getBF16Type();
  Value zero = b.Index(0), pairs = b.Div(depth, 2);
  auto row_of = [&](Value pair) { return first_row ? b.Add(first_row, pair) : pair; };
  auto element = [&](Value k, Value n) {
    return b.Add(b.Add(source.offset, b.Mul(k, source.k_stride)), b.Mul(n, source.n_stride));
  };
  // pack(pair, whether its second element is there) for all pairs of the block.
  auto for_pairs = [&](llvm::function_ref<void(Value, bool)> pack) {
    b.For(zero, pairs, 1, [&](Value pair) { pack(pair, true); });
    if (depth_tail % 2 != 0) b.If(b.Less(b.Mul(pairs, 2), depth), [&] { pack(pairs, false); });
  };

  if (source.n_stride == 1) {
    for_pairs([&](Value pair, bool both) {
      Value low = element(b.Mul(pair, 2), zero), high = b.Add(low, source.k_stride);
      for (int64_t n = 0; n < columns; n += lanes) {
        Value mask = n < full ? Value() : b.Mask(b.Index(columns - n));
        auto load = [&](Value row) {
          return LoadBf16(b, source.buffer, b.Add(row, n), lanes, mask);
        };
        Value second = both ? load(high) : b.Constant(b.Vector(lanes, bf16), 0);
        b.StoreVector(Interleave(b, load(low), second), panel, {row_of(pair), b.Index(n)});
      }
    });
    return;
  }
  if (source.k_stride != 1) {
    for_pairs([&](Value pair, bool both) {
      b.For(0, columns, 1, [&](Value n) {
        Value at = element(b.Mul(pair, 2), n);
        Value first = b.Load(source.buffer, at);
        Value second = both ? b.Load(source.buffer, b.Add(at, source.k_stride))
                            : b.Constant(first.getType(), 0);
        Value both_of =
            vector::FromElementsOp::create(b, b.Vector(2, bf16), ValueRange{first, second});
        b.Store(vector::ExtractOp::create(b, PairsOf(b, both_of), 0), panel, {row_of(pair), n});
      });
    });
    return;
  }

  // Transposed in blocks of lanes x lanes pairs. Columns past the end repeat the last one.
  auto block = [&](Value k, Value n, int64_t columns_here, int64_t depth_here) {
    SmallVector<Value> rows;
    Value corner = element(k, n);
    Value mask = depth_here == 2 * lanes ? Value() : b.Mask(b.Index(depth_here), 2 * lanes);
    for (int64_t l = 0; l < lanes; ++l) {
      Value at = b.Add(corner, std::min(l, columns_here - 1) * source.n_stride);
      rows.push_back(PairsOf(b, LoadBf16(b, source.buffer, at, 2 * lanes, mask)));
    }
    b.TransposeRows(rows);
    Value first = b.Div(k, 2);
    for (int64_t l = 0; l < (depth_here + 1) / 2; ++l)
      b.StoreVector(rows[l], panel, {row_of(b.Add(first, l)), n});
  };
  auto row_of_blocks = [&](Value k, int64_t depth_here) {
    if (full > 0) b.For(0, full, lanes, [&](Value n) { block(k, n, lanes, depth_here); });
    if (full < columns) block(k, b.Index(full), columns - full, depth_here);
  };
  Value whole = b.Mul(b.Div(depth, 2 * lanes), 2 * lanes);
  b.For(zero, whole, 2 * lanes, [&](Value k) { row_of_blocks(k, 2 * lanes); });
  if (depth_tail != 0) b.If(b.Less(whole, depth), [&] { row_of_blocks(whole, depth_tail); });
}

}  // namespace trama::cpu
