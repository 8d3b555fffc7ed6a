#include <algorithm>

#include "backends/vulkan/attention_grad.h"
#include "base/status_macros.h"

namespace trama::vulkan {
using codegen::Access;

namespace {

// Odd, so that invocations at the same quad of different rows use different banks.
int64_t RowPitch(int64_t columns) { return CeilDiv(columns, 4) | 1; }

int64_t SharedBytes(const AttentionGradInfo& info, int64_t own, int64_t other) {
  const int64_t quads = (own + other) * (RowPitch(info.D) + RowPitch(info.E));
  // Tiles, and the weights and score gradients of their pairs.
  return quads * 16 + 2 * (own + 1) * (other + 1) * 4;
}

// How `rows` x `quads` are dealt to invocations: each has those at its own row and column plus
// multiples of the grid's.
struct Deal {
  int64_t rows, quads;            // in all
  int64_t grid_rows, grid_quads;  // powers of two
  int64_t row_count() const { return CeilDiv(rows, grid_rows); }
  int64_t quad_count() const { return CeilDiv(quads, grid_quads); }
  int64_t count() const { return row_count() * quad_count(); }
};

Deal MakeDeal(int64_t rows, int64_t quads, int64_t invocations) {
  Deal best{rows, quads, invocations, 1};
  for (int64_t grid_quads = 2; grid_quads <= invocations; grid_quads *= 2) {
    const Deal deal{rows, quads, invocations / grid_quads, grid_quads};
    // Of equal work, the one that reads least: a factor a row and four numbers a quad.
    auto reads = [](const Deal& d) { return d.row_count() + 2 * d.quad_count(); };
    if (deal.count() < best.count() || (deal.count() == best.count() && reads(deal) < reads(best)))
      best = deal;
  }
  return best;
}

class TileEmitter {
 public:
  // of_keys: the workgroup's own rows are keys and the gradients dk and dv; dq otherwise.
  TileEmitter(PhaseBuilder& b, mlir::func::FuncOp body, const AttentionGradInfo& info,
              const GradTiles& tiles, bool of_keys)
      : b_(b),
        body_(body),
        info_(info),
        tiles_(tiles),
        of_keys_(of_keys),
        queries_(of_keys ? tiles.other : tiles.own),
        keys_(of_keys ? tiles.own : tiles.other),
        own_rows_(of_keys ? info.S : info.T),
        scores_(b, body, info) {}

  int64_t blocks() const { return CeilDiv(own_rows_, tiles_.own); }

  void Emit() {
    local_ = b_.LocalIndex();
    memory_ =
        b_.Shared({(queries_ + keys_) * (RowPitch(info_.D) + RowPitch(info_.E))}, b_.VectorF32(4));
    if (of_keys_) weights_ = b_.Shared({queries_ * (keys_ + 1)}, b_.F32());
    dscores_ = b_.Shared({queries_ * (keys_ + 1)}, b_.F32());
    q_ = Take(info_.q, queries_, info_.D, info_.scale);
    grad_ = Take(info_.grad, queries_, info_.E);
    k_ = Take(info_.k, keys_, info_.D);
    v_ = Take(info_.v, keys_, info_.E);
    scores_.Start(Divide(b_, b_.WorkgroupIndex(), blocks()));
    Value own = b_.Mul(Remainder(b_, b_.WorkgroupIndex(), blocks()), tiles_.own);
    if (of_keys_)
      EmitOfKeys(own);
    else
      EmitOfQueries(own);
  }

 private:
  // Rows of workgroup memory.
  struct Tile {
    std::unique_ptr<QuadRows> source;
    int64_t rows, columns, pitch, at;
    double scale;
  };
  Tile Take(const Access& access, int64_t rows, int64_t columns, double scale = 1) {
    Tile tile{std::make_unique<QuadRows>(b_, body_, access, columns),
              rows,
              columns,
              RowPitch(columns),
              taken_,
              scale};
    taken_ += rows * tile.pitch;
    return tile;
  }
  // Gradients in private memory.
  struct Sums {
    Deal deal;
    Value row, quad;  // the invocation's first
    Value values;
    int64_t columns;
  };

  SmallVector<Value> At(Value row) { return {scores_.batch(), scores_.head(), row}; }
  Value Load(const Tile& tile, Value row, Value quad) {
    return b_.Load(memory_, b_.Add(b_.Add(b_.Mul(row, tile.pitch), quad), tile.at));
  }
  Value PairIndex(Value query, Value key) { return b_.Add(b_.Mul(query, keys_ + 1), key); }

  // Copies the rows from `first` on, scaled, of `count` in all: past the last it repeats that.
  void Copy(const Tile& tile, Value first, int64_t count) {
    const int64_t quads = CeilDiv(tile.columns, 4);
    b_.For(local_, b_.Index(tile.rows * quads), tiles_.invocations, [&](Value i) {
      Value row = Divide(b_, i, quads), quad = Remainder(b_, i, quads);
      Value from = tile.source->Row(At(b_.Min(b_.Add(first, row), b_.Index(count - 1))));
      Value x = tile.source->Load(from, quad, QuadRows::kUnknown);
      if (tile.scale != 1) x = b_.Mul(x, b_.Splat(tile.scale, 4));
      b_.Store(x, memory_, b_.Add(b_.Add(b_.Mul(row, tile.pitch), quad), tile.at));
    });
  }

  void EmitOfKeys(Value own) {
    Copy(k_, own, info_.S);
    Copy(v_, own, info_.S);
    Sums dk = MakeSums(info_.D), dv = MakeSums(info_.E);
    Value first = b_.Mul(Divide(b_, scores_.FirstQuery(own), tiles_.other), tiles_.other);
    b_.For(first, b_.Index(info_.T), tiles_.other, [&](Value query) {
      b_.Barrier();  // all are done with the queries before
      Copy(q_, query, info_.T);
      Copy(grad_, query, info_.T);
      b_.Barrier();
      EmitPairs(query, own);
      b_.Barrier();
      Accumulate(dk, q_, [&](Value key, Value i) { return b_.Load(dscores_, PairIndex(i, key)); });
      Accumulate(dv, grad_,
                 [&](Value key, Value i) { return b_.Load(weights_, PairIndex(i, key)); });
    });
    Write(dk, own, info_.dk, 1);
    Write(dv, own, info_.dv, 1);
  }

  void EmitOfQueries(Value own) {
    Copy(q_, own, info_.T);
    Copy(grad_, own, info_.T);
    Sums dq = MakeSums(info_.D);
    Value last = b_.Min(b_.Add(own, tiles_.own - 1), b_.Index(info_.T - 1));
    b_.For(b_.Index(0), scores_.Limit(last), tiles_.other, [&](Value key) {
      b_.Barrier();
      Copy(k_, key, info_.S);
      Copy(v_, key, info_.S);
      b_.Barrier();
      EmitPairs(own, key);
      b_.Barrier();
      Accumulate(dq, k_,
                 [&](Value query, Value j) { return b_.Load(dscores_, PairIndex(query, j)); });
    });
    Write(dq, own, info_.dq, info_.scale);
  }

  // Weights and score gradients of the tiles at `query` and `key`.
  void EmitPairs(Value query, Value key) {
    const int64_t count = queries_ * keys_ / tiles_.invocations;
    int64_t key_count = 1;
    while (key_count * key_count < count) key_count *= 2;
    const int64_t query_count = count / key_count, grid_keys = keys_ / key_count,
                  grid_queries = queries_ / query_count;
    Value first_query = Divide(b_, local_, grid_keys), first_key = Remainder(b_, local_, grid_keys);
    auto query_at = [&](int64_t i) { return b_.Add(first_query, i * grid_queries); };
    auto key_at = [&](int64_t j) { return b_.Add(first_key, j * grid_keys); };
    auto products = [&](const Tile& left, const Tile& right) {
      Value sums = b_.Private({count}, b_.VectorF32(4));
      for (int64_t p = 0; p < count; ++p) b_.Store(b_.Splat(0, 4), sums, b_.Index(p));
      b_.For(0, CeilDiv(left.columns, 4), 1, [&](Value quad) {
        SmallVector<Value> x, y;
        for (int64_t i = 0; i < query_count; ++i) x.push_back(Load(left, query_at(i), quad));
        for (int64_t j = 0; j < key_count; ++j) y.push_back(Load(right, key_at(j), quad));
        for (int64_t p = 0; p < count; ++p) {
          Value sum = b_.Load(sums, b_.Index(p));
          b_.Store(b_.Fma(x[p / key_count], y[p % key_count], sum), sums, b_.Index(p));
        }
      });
      SmallVector<Value> scalars;
      for (int64_t p = 0; p < count; ++p)
        scalars.push_back(SumQuad(b_, b_.Load(sums, b_.Index(p))));
      return scalars;
    };
    SmallVector<Value> scores = products(q_, k_), dweights = products(grad_, v_);
    Value zero = b_.Constant(b_.F32(), 0);
    for (int64_t i = 0; i < query_count; ++i) {
      Value row = b_.Add(query, query_at(i));
      Value exists = b_.Less(row, b_.Index(info_.T));
      QueryGrad query_grad(b_, body_, info_, scores_, b_.Min(row, b_.Index(info_.T - 1)));
      for (int64_t j = 0; j < key_count; ++j) {
        const int64_t p = i * key_count + j;
        auto [weight, dscore] = query_grad.Keys(b_.Add(key, key_at(j)), scores[p], dweights[p])[0];
        Value at = PairIndex(query_at(i), key_at(j));
        if (of_keys_) b_.Store(b_.Select(exists, weight, zero), weights_, at);
        b_.Store(b_.Select(exists, dscore, zero), dscores_, at);
      }
    }
  }

  Sums MakeSums(int64_t columns) {
    Sums sums{MakeDeal(tiles_.own, CeilDiv(columns, 4), tiles_.invocations), nullptr, nullptr,
              nullptr, columns};
    sums.row = Divide(b_, local_, sums.deal.grid_quads);
    sums.quad = Remainder(b_, local_, sums.deal.grid_quads);
    sums.values = b_.Private({sums.deal.count()}, b_.VectorF32(4));
    for (int64_t i = 0; i < sums.deal.count(); ++i)
      b_.Store(b_.Splat(0, 4), sums.values, b_.Index(i));
    return sums;
  }
  Value RowOf(const Sums& sums, int64_t i) { return b_.Add(sums.row, i * sums.deal.grid_rows); }
  Value QuadOf(const Sums& sums, int64_t i) { return b_.Add(sums.quad, i * sums.deal.grid_quads); }

  // += factor(own row, other row) * the other row of `tile`, for all of its rows.
  void Accumulate(const Sums& sums, const Tile& tile,
                  llvm::function_ref<Value(Value, Value)> factor) {
    const int64_t quad_count = sums.deal.quad_count();
    b_.For(0, tiles_.other, 1, [&](Value other) {
      SmallVector<Value> factors, quads;
      // What lies outside is computed with anything that exists, and not stored.
      for (int64_t i = 0; i < sums.deal.row_count(); ++i) {
        Value row = b_.Min(RowOf(sums, i), b_.Index(tiles_.own - 1));
        factors.push_back(b_.Broadcast(factor(row, other), 4));
      }
      for (int64_t i = 0; i < quad_count; ++i)
        quads.push_back(Load(tile, other, b_.Min(QuadOf(sums, i), b_.Index(sums.deal.quads - 1))));
      for (int64_t i = 0; i < sums.deal.count(); ++i) {
        Value sum = b_.Load(sums.values, b_.Index(i));
        b_.Store(b_.Fma(factors[i / quad_count], quads[i % quad_count], sum), sums.values,
                 b_.Index(i));
      }
    });
  }

  void Write(const Sums& sums, Value own, ArrayRef<Access> outputs, double scale) {
    for (const Access& access : outputs) {
      QuadRows rows(b_, body_, access, sums.columns);
      for (int64_t i = 0; i < sums.deal.count(); ++i) {
        Value local_row = RowOf(sums, i / sums.deal.quad_count());
        Value quad = QuadOf(sums, i % sums.deal.quad_count()), row = b_.Add(own, local_row);
        Value exists = b_.And(
            b_.Less(local_row, b_.Index(tiles_.own)),
            b_.And(b_.Less(row, b_.Index(own_rows_)), b_.Less(quad, b_.Index(sums.deal.quads))));
        b_.If(exists, [&] {
          Value x = b_.Load(sums.values, b_.Index(i));
          if (scale != 1) x = b_.Mul(x, b_.Splat(scale, 4));
          rows.Store(x, rows.Row(At(row)), quad, QuadRows::kUnknown);
        });
      }
    }
  }

  PhaseBuilder& b_;
  mlir::func::FuncOp body_;
  const AttentionGradInfo& info_;
  const GradTiles& tiles_;
  const bool of_keys_;
  const int64_t queries_, keys_;  // of a tile
  const int64_t own_rows_;
  AttentionScores scores_;
  Value local_;
  Value memory_;             // quads of all tiles
  Value weights_, dscores_;  // [queries][keys + 1]
  Tile q_, grad_, k_, v_;
  int64_t taken_ = 0;
};
}  // namespace

GradTiles PlanGradTiles(const AttentionGradInfo& info, const Target& target) {
  if (target.is_cpu) return {};
  constexpr int64_t kLeast = 8;
  GradTiles tiles{32, 32};
  auto fits = [&] {
    return SharedBytes(info, tiles.own, tiles.other) <= static_cast<int64_t>(target.shared_bytes);
  };
  for (bool other = true; !fits(); other = !other) {
    int64_t& rows = other ? tiles.other : tiles.own;
    if (rows == kLeast) return {};
    rows /= 2;
  }
  tiles.invocations = std::min<int64_t>({128, target.max_invocations, tiles.own * tiles.other});
  return tiles;
}

absl::Status EmitGradByTiles(mlir::func::FuncOp body, mlir::ModuleOp module,
                             const AttentionGradInfo& info, const GradTiles& tiles,
                             const Target& target, Kernel& kernel) {
  for (bool of_keys : {true, false}) {
    PhaseBuilder b(module, body, target, kernel, of_keys ? "dkv" : "dq",
                   {static_cast<uint32_t>(tiles.invocations), 1, 1});
    TileEmitter emitter(b, body, info, tiles, of_keys);
    emitter.Emit();
    TRAMA_RETURN_IF_ERROR(b.Finish(info.B * info.H * emitter.blocks()));
  }
  return absl::OkStatus();
}

}  // namespace trama::vulkan
