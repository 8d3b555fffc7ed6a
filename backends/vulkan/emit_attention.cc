// attention, forward: softmax along the way (Milakov and Gimelshein 2018; Dao et al. 2022), so the
// T x S matrix never exists. An invocation keeps one query row and its running maximum, sum and
// output. What there is beside that is for devices to be busy: several invocations share a row by
// taking every other group of keys, and several workgroups by taking a chunk of the keys each; all
// merge their states at the end, always in the same order.
#include <algorithm>
#include <limits>

#include "backends/codegen/vector_math.h"
#include "backends/vulkan/attention_scores.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {
using codegen::Access;
namespace arith = mlir::arith;

// How a device computes an attention of given sizes.
struct Plan {
  int64_t rows;        // queries of a workgroup, a power of two
  int64_t sharers;     // invocations a query, a power of two
  int64_t group = 4;   // keys between two updates of the running maximum
  int64_t tile = 0;    // keys that the workgroup copies to its memory at once; 0: read in place
  int64_t chunks = 1;  // workgroups that share the keys of a query
  int64_t chunk_keys;  // each, a multiple of tile and of a step

  int64_t invocations() const { return rows * sharers; }
  int64_t step() const { return sharers * group; }  // keys that all sharers take in one round
};

// Odd, so that invocations at the same quad of different rows use different banks.
int64_t RowPitch(int64_t columns) { return CeilDiv(columns, 4) | 1; }

// Quads of workgroup memory: tiles of keys and values, later the states that are merged.
int64_t SharedQuads(const AttentionInfo& info, const Plan& plan) {
  const int64_t tiles = plan.tile * (RowPitch(info.D) + RowPitch(info.E));
  return std::max(tiles, plan.sharers / 2 * plan.rows * RowPitch(info.E + 4));
}

Plan MakePlan(const AttentionInfo& info, const Target& target) {
  Plan plan;
  const int64_t heads = info.B * info.H;
  if (target.is_cpu) {
    // A workgroup is a subgroup, whose invocations are the lanes of the processor's vectors and
    // read keys together. What is not unrolled compiles sooner, and two keys at a time gained
    // little.
    const int64_t lanes = std::max<int64_t>(8, target.subgroup_size);
    plan.group = 1;
    plan.rows = std::min(lanes, PowerOfTwo(info.T));
    plan.sharers = lanes / plan.rows;
  } else {
    const int64_t most = std::min<int64_t>(128, target.max_invocations);
    plan.rows = std::min<int64_t>(32, PowerOfTwo(info.T));
    // No more than a subgroup, as a rule, share a query: merging them is work too.
    plan.sharers =
        std::min<int64_t>({32, most / plan.rows, PowerOfTwo(CeilDiv(info.S, plan.group))});
    // Fewer rows would not use what they copy often enough.
    if (plan.rows >= 8) plan.tile = std::max<int64_t>(32, plan.step());
  }
  auto fits = [&] {
    return SharedQuads(info, plan) * 16 <= static_cast<int64_t>(target.shared_bytes);
  };
  while (!fits() && plan.tile > plan.step()) plan.tile /= 2;
  while (!fits() && plan.sharers > 1) {
    plan.sharers /= 2;
    if (plan.tile > 0) plan.tile = plan.step();
  }
  if (!fits()) plan.tile = 0;

  const int64_t unit = std::max(plan.tile, plan.step());
  if (!target.is_cpu) {
    constexpr int64_t kBusy = 256;  // workgroups that keep a large device busy
    const int64_t workgroups = heads * CeilDiv(info.T, plan.rows);
    const int64_t most = std::max<int64_t>(1, info.S / std::max<int64_t>(unit, 64));
    plan.chunks = std::clamp<int64_t>(kBusy / workgroups, 1, most);
  }
  plan.chunk_keys = RoundUp(CeilDiv(info.S, plan.chunks), unit);
  plan.chunks = CeilDiv(info.S, plan.chunk_keys);
  return plan;
}

// A query's running softmax over the keys so far: maximum, sum of exp(score - maximum) and output
// times that sum, in private memory.
class State {
 public:
  State(PhaseBuilder& b, int64_t columns)
      : b_(b),
        columns_(columns),
        statistics_(b.Private({2}, b.F32())),
        output_(b.Private({CeilDiv(columns, 4)}, b.VectorF32(4))) {
    SetMax(b.Constant(b.F32(), -std::numeric_limits<double>::infinity()));
    SetSum(b.Constant(b.F32(), 0));
    ForQuads(b, columns, [&](Value quad, int64_t) { b.Store(b.Splat(0, 4), output_, quad); });
  }

  Value max() { return b_.Load(statistics_, b_.Index(0)); }
  Value sum() { return b_.Load(statistics_, b_.Index(1)); }
  Value output(Value quad) { return b_.Load(output_, quad); }

  // Factors that bring a state of maximum `old` to one of `max`: 0 where either saw no key.
  static Value Rescale(PhaseBuilder& b, Value old, Value max) {
    return codegen::Exp(b, b.Sub(old, Finite(b, max)));
  }
  static Value IsNone(PhaseBuilder& b, Value max) {
    return b.Compare(arith::CmpFPredicate::OEQ, max,
                     b.Constant(b.F32(), -std::numeric_limits<double>::infinity()));
  }
  // What to subtract from scores: -infinity less itself is no number.
  static Value Finite(PhaseBuilder& b, Value max) {
    return b.Select(IsNone(b, max), b.Constant(b.F32(), 0), max);
  }

  // Takes in keys of the scores given; weights: by what each multiplies its value vector, of which
  // value(i, quad, live) gives a quad.
  void Add(ArrayRef<Value> scores, ArrayRef<Value> dropout,
           llvm::function_ref<Value(int64_t, Value, int64_t)> value) {
    Value old = max(), most = old;
    for (Value score : scores) most = b_.FastMax(score, most);
    Value kept = Rescale(b_, old, most), shift = Finite(b_, most), total = b_.Mul(sum(), kept);
    SmallVector<Value> weights;
    for (auto [i, score] : llvm::enumerate(scores)) {
      Value weight = codegen::Exp(b_, b_.Sub(score, shift));
      total = b_.Add(total, weight);
      if (!dropout.empty()) weight = b_.Mul(weight, dropout[i]);
      weights.push_back(b_.Broadcast(weight, 4));
    }
    SetMax(most);
    SetSum(total);
    kept = b_.Broadcast(kept, 4);
    ForQuads(b_, columns_, [&](Value quad, int64_t live) {
      Value y = b_.Mul(output(quad), kept);
      for (size_t i = 0; i < weights.size(); ++i) y = b_.Fma(weights[i], value(i, quad, live), y);
      b_.Store(y, output_, quad);
    });
  }

  // Takes in another state.
  void Merge(Value other_max, Value other_sum,
             llvm::function_ref<Value(Value, int64_t)> other_output) {
    Value old = max(), most = b_.FastMax(other_max, old);
    Value mine = Rescale(b_, old, most), other = Rescale(b_, other_max, most);
    SetSum(b_.Add(b_.Mul(sum(), mine), b_.Mul(other_sum, other)));
    SetMax(most);
    mine = b_.Broadcast(mine, 4), other = b_.Broadcast(other, 4);
    ForQuads(b_, columns_, [&](Value quad, int64_t live) {
      Value y = b_.Mul(output(quad), mine);
      b_.Store(b_.Fma(other, other_output(quad, live), y), output_, quad);
    });
  }

 private:
  void SetMax(Value x) { b_.Store(x, statistics_, b_.Index(0)); }
  void SetSum(Value x) { b_.Store(x, statistics_, b_.Index(1)); }

  PhaseBuilder& b_;
  const int64_t columns_;
  Value statistics_, output_;
};

class AttentionEmitter {
 public:
  AttentionEmitter(mlir::func::FuncOp body, mlir::ModuleOp module, const AttentionInfo& info,
                   ArrayRef<Access> y, ArrayRef<Access> lse, const Target& target)
      : body_(body),
        module_(module),
        info_(info),
        y_(y),
        lse_(lse),
        target_(target),
        plan_(MakePlan(info, target)) {}

  absl::StatusOr<Kernel> Emit() {
    TRAMA_RETURN_IF_ERROR(EmitRows());
    if (plan_.chunks > 1) TRAMA_RETURN_IF_ERROR(EmitMerge());
    return std::move(kernel_);
  }

 private:
  absl::Status EmitRows() {
    const auto local_size = static_cast<uint32_t>(plan_.invocations());
    PhaseBuilder b(module_, body_, target_, kernel_, "attention", {local_size, 1, 1});
    const int64_t blocks = CeilDiv(info_.T, plan_.rows);
    Value workgroup = b.WorkgroupIndex(), local = b.LocalIndex();
    Value chunk = Remainder(b, workgroup, plan_.chunks);
    workgroup = Divide(b, workgroup, plan_.chunks);
    // The last queries see most keys where attention is causal: they go first.
    Value block = b.Sub(b.Index(blocks - 1), Remainder(b, workgroup, blocks));
    Value first_row = b.Mul(block, plan_.rows);
    Value row = b.Add(first_row, Remainder(b, local, plan_.rows));
    Value sharer = plan_.sharers == 1 ? b.Index(0) : Divide(b, local, plan_.rows);
    Value last = b.Index(info_.T - 1), query = b.Min(row, last);
    AttentionScores scores(b, body_, info_);
    scores.Start(Divide(b, workgroup, blocks));

    Value q = b.Private({CeilDiv(info_.D, 4)}, b.VectorF32(4));
    QuadRows queries(b, body_, info_.q, info_.D);
    Value from = queries.Row({scores.batch(), scores.head(), query});
    ForQuads(b, info_.D, [&](Value quad, int64_t live) {
      b.Store(b.Mul(queries.Load(from, quad, live), b.Splat(info_.scale, 4)), q, quad);
    });

    State state(b, info_.E);
    Value shared;
    if (const int64_t quads = SharedQuads(info_, plan_); quads > 0)
      shared = b.Shared({quads}, b.VectorF32(4));
    Value limit = scores.Limit(query);
    Value begin = b.Mul(chunk, plan_.chunk_keys);
    Value end = b.Min(b.Add(begin, plan_.chunk_keys),
                      scores.Limit(b.Min(b.Add(first_row, plan_.rows - 1), last)));
    Value first = b.Mul(sharer, plan_.group);
    codegen::WideIndex dropout;
    if (info_.dropout > 0) dropout = scores.DropoutRow(query);

    using LoadQuad = llvm::function_ref<Value(int64_t, Value, int64_t)>;
    // The keys of one group from `key` on.
    auto add_group = [&](Value key, LoadQuad k, LoadQuad v) {
      Value sums = b.Private({plan_.group}, b.VectorF32(4));
      for (int64_t g = 0; g < plan_.group; ++g) b.Store(b.Splat(0, 4), sums, b.Index(g));
      ForQuads(b, info_.D, [&](Value quad, int64_t live) {
        Value x = b.Load(q, quad);
        for (int64_t g = 0; g < plan_.group; ++g)
          b.Store(b.Fma(x, k(g, quad, live), b.Load(sums, b.Index(g))), sums, b.Index(g));
      });
      SmallVector<Value> group;
      for (int64_t g = 0; g < plan_.group; ++g)
        group.push_back(
            scores.Masked(SumQuad(b, b.Load(sums, b.Index(g))), query, b.Add(key, g), limit));
      SmallVector<Value> factors;
      if (info_.dropout > 0) factors = scores.DropoutFactors(dropout, key, plan_.group);
      state.Add(group, factors, v);
    };

    QuadRows keys(b, body_, info_.k, info_.D), values(b, body_, info_.v, info_.E);
    auto row_of = [&](QuadRows& rows, Value key) {
      return rows.Row({scores.batch(), scores.head(), b.Min(key, b.Index(info_.S - 1))});
    };
    if (plan_.tile == 0) {
      b.For(begin, end, plan_.step(), [&](Value step) {
        Value key = b.Add(step, first);
        SmallVector<RowReader> key_rows, value_rows;
        for (int64_t g = 0; g < plan_.group; ++g) {
          const bool common = plan_.sharers == 1;
          key_rows.emplace_back(b, keys, row_of(keys, b.Add(key, g)), common);
          value_rows.emplace_back(b, values, row_of(values, b.Add(key, g)), common);
        }
        add_group(
            key, [&](int64_t g, Value quad, int64_t live) { return key_rows[g].Load(quad, live); },
            [&](int64_t g, Value quad, int64_t live) { return value_rows[g].Load(quad, live); });
      });
    } else {
      const int64_t key_pitch = RowPitch(info_.D), value_pitch = RowPitch(info_.E);
      const int64_t values_at = plan_.tile * key_pitch;
      // Copies rows of the tile at `key`; past the last it repeats that.
      auto copy = [&](QuadRows& rows, Value key, int64_t columns, int64_t at, int64_t pitch) {
        const int64_t quads = CeilDiv(columns, 4);
        b.For(local, b.Index(plan_.tile * quads), plan_.invocations(), [&](Value i) {
          Value r = Divide(b, i, quads), quad = Remainder(b, i, quads);
          Value x = rows.Load(row_of(rows, b.Add(key, r)), quad, QuadRows::kUnknown);
          b.Store(x, shared, b.Add(b.Add(b.Mul(r, pitch), quad), at));
        });
      };
      b.For(begin, end, plan_.tile, [&](Value tile) {
        b.Barrier();
        copy(keys, tile, info_.D, 0, key_pitch);
        copy(values, tile, info_.E, values_at, value_pitch);
        b.Barrier();
        b.For(first, b.Index(plan_.tile), plan_.step(), [&](Value local_key) {
          auto from_tile = [&](int64_t pitch, int64_t at) {
            Value row = b.Add(b.Mul(local_key, pitch), at);
            return [&b, shared, pitch, row](int64_t g, Value quad, int64_t) {
              return b.Load(shared, b.Add(b.Add(row, quad), g * pitch));
            };
          };
          add_group(b.Add(tile, local_key), from_tile(key_pitch, 0),
                    from_tile(value_pitch, values_at));
        });
      });
    }

    MergeSharers(b, state, shared, local, sharer);
    Value stores = b.Less(row, b.Index(info_.T));
    if (plan_.sharers > 1)
      stores = b.And(stores, b.Compare(arith::CmpIPredicate::eq, sharer, b.Index(0)));
    b.If(stores, [&] {
      if (plan_.chunks == 1) return StoreRow(b, scores, row, state);
      // The state of this chunk, for EmitMerge.
      Value at = ChunkRow(b, scores, row, chunk);
      auto [statistics, outputs] = Chunks(b);
      b.Store(state.max(), statistics, b.Mul(at, 2));
      b.Store(state.sum(), statistics, b.Add(b.Mul(at, 2), 1));
      Value first_quad = b.Mul(at, CeilDiv(info_.E, 4));
      ForQuads(b, info_.E, [&](Value quad, int64_t) {
        b.Store(state.output(quad), outputs, b.Add(first_quad, quad));
      });
    });
    return b.Finish(info_.B * info_.H * blocks * plan_.chunks);
  }

  // The second half of the sharers gives its states to the first, until one is left.
  void MergeSharers(PhaseBuilder& b, State& state, Value shared, Value local, Value sharer) {
    const int64_t pitch = RowPitch(info_.E + 4);
    const int64_t quads = CeilDiv(info_.E, 4);
    for (int64_t half = plan_.sharers / 2; half > 0; half /= 2) {
      b.Barrier();  // all have read what lies there
      Value gives = b.And(b.Less(b.Index(half - 1), sharer), b.Less(sharer, b.Index(2 * half)));
      b.If(gives, [&] {
        Value at = b.Mul(b.Sub(local, half * plan_.rows), pitch);
        ForQuads(b, info_.E, [&](Value quad, int64_t) {
          b.Store(state.output(quad), shared, b.Add(at, quad));
        });
        Value zero = b.Constant(b.F32(), 0);
        b.Store(MakeQuad(b, {state.max(), state.sum(), zero, zero}), shared, b.Add(at, quads));
      });
      b.Barrier();
      b.If(b.Less(sharer, b.Index(half)), [&] {
        Value at = b.Mul(local, pitch), statistics = b.Load(shared, b.Add(at, quads));
        state.Merge(mlir::vector::ExtractOp::create(b, statistics, 0),
                    mlir::vector::ExtractOp::create(b, statistics, 1),
                    [&](Value quad, int64_t) { return b.Load(shared, b.Add(at, quad)); });
      });
    }
  }

  // One invocation a query.
  absl::Status EmitMerge() {
    constexpr int64_t kInvocations = 32;
    PhaseBuilder b(module_, body_, target_, kernel_, "merge", {kInvocations, 1, 1});
    const int64_t queries = info_.B * info_.H * info_.T;
    Value query = b.GlobalIndex();
    b.If(b.Less(query, b.Index(queries)), [&] {
      AttentionScores scores(b, body_, info_);
      scores.Start(Divide(b, query, info_.T));
      Value row = Remainder(b, query, info_.T);
      State state(b, info_.E);
      auto [statistics, outputs] = Chunks(b);
      b.For(0, plan_.chunks, 1, [&, statistics = statistics, outputs = outputs](Value chunk) {
        Value at = ChunkRow(b, scores, row, chunk), first = b.Mul(at, CeilDiv(info_.E, 4));
        state.Merge(b.Load(statistics, b.Mul(at, 2)), b.Load(statistics, b.Add(b.Mul(at, 2), 1)),
                    [&](Value quad, int64_t) { return b.Load(outputs, b.Add(first, quad)); });
      });
      StoreRow(b, scores, row, state);
    });
    return b.Finish(CeilDiv(queries, kInvocations));
  }

  // Memory for the states of chunks: (maximum, sum) and outputs.
  std::pair<Value, Value> Chunks(PhaseBuilder& b) {
    const int64_t count = info_.B * info_.H * info_.T * plan_.chunks;
    return {b.Workspace("statistics", b.F32(), count * 2),
            b.Workspace("outputs", b.F32(), count * RoundUp(info_.E, 4), 4)};
  }
  Value ChunkRow(PhaseBuilder& b, AttentionScores& scores, Value row, Value chunk) {
    Value head = b.Add(b.Mul(scores.batch(), info_.H), scores.head());
    return b.Add(b.Mul(b.Add(b.Mul(head, info_.T), row), plan_.chunks), chunk);
  }

  // A query that sees no key gives zeros and a log-sum-exp of -infinity.
  void StoreRow(PhaseBuilder& b, AttentionScores& scores, Value row, State& state) {
    Value none = State::IsNone(b, state.max()), one = b.Constant(b.F32(), 1);
    Value sum = b.Select(none, one, state.sum()), factor = b.Broadcast(b.Div(one, sum), 4);
    for (const Access& access : y_) {
      QuadRows rows(b, body_, access, info_.E);
      Value to = rows.Row({scores.batch(), scores.head(), row});
      ForQuads(b, info_.E, [&](Value quad, int64_t live) {
        rows.Store(b.Mul(state.output(quad), factor), to, quad, live);
      });
    }
    if (lse_.empty()) return;
    Value lse = b.Add(state.max(), codegen::Log(b, sum));
    for (const Access& access : lse_)
      StoreElement(b, body_, lse, access, {scores.batch(), scores.head(), row});
  }

  const mlir::func::FuncOp body_;
  const mlir::ModuleOp module_;
  const AttentionInfo& info_;
  const ArrayRef<Access> y_, lse_;
  const Target& target_;
  const Plan plan_;
  Kernel kernel_;
};

absl::StatusOr<Kernel> EmitAttention(mlir::func::FuncOp body, mlir::ModuleOp module,
                                     const Target& target) {
  auto op = codegen::FindAnchor<AttentionOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(const AttentionInfo info, codegen::InfoOf(op));
  TRAMA_ASSIGN_OR_RETURN(const auto outputs, codegen::OutputsOf(body, op->getResults()));
  return AttentionEmitter(body, module, info, outputs[0], outputs[1], target).Emit();
}
}  // namespace

TRAMA_VULKAN_KERNEL("attention", EmitAttention);

}  // namespace trama::vulkan
