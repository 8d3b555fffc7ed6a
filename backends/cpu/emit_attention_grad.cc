// attention_grad: the weights of a block of queries and keys are recomputed from the saved
// log-sum-exp, so the T x S matrix never exists (Dao, "FlashAttention-2", 2023). Blocks of keys are
// outermost: their dK and dV stay in L1 while the queries that see them pass by; dQ is added up.
// One task a head, so every sum has a fixed order.
#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "backends/cpu/attention_scores.h"
#include "backends/cpu/kernel.h"
#include "backends/cpu/kernel_body.h"
#include "backends/cpu/tile.h"

namespace trama::cpu {
namespace {
using codegen::PhaseArguments;

constexpr int64_t kMaxDepth = 256;  // what one running sum takes before it loses digits

class AttentionGradEmitter {
 public:
  AttentionGradEmitter(Builder& b, const AttentionInfo& info, Access grad, Access y, Access lse,
                       ArrayRef<SmallVector<Access>> outputs, const Target& target)
      : b_(b),
        info_(info),
        grad_(std::move(grad)),
        y_(std::move(y)),
        lse_(std::move(lse)),
        outputs_(outputs),
        lanes_(target.lanes),
        rows_(target.registers >= 32 ? 8 : 4),
        width_(2 * lanes_) {
    const int64_t key_step = std::max(rows_, width_);  // both are powers of two
    block_queries_ = std::min<int64_t>(64, RoundUp(info.T, rows_));
    block_keys_ = std::min<int64_t>(std::max<int64_t>(64, key_step), RoundUp(info.S, key_step));
  }

  int64_t tasks() const { return info_.B * info_.H; }
  double flops() const {
    const double all = 2.0 * info_.B * info_.H * info_.T * info_.S * (3 * info_.D + 2 * info_.E);
    return info_.causal && !info_.position ? all / 2 : all;
  }

  void Emit(PhaseArguments& arguments) {
    buffers_ = FlatBuffers(b_, arguments);
    const int64_t queries = RoundUp(info_.T, rows_), keys = RoundUp(info_.S, block_keys_);
    const int64_t d = RoundUp(info_.D, lanes_), e = RoundUp(info_.E, lanes_);
    auto take = [&](ArrayRef<int64_t> shape) { return arguments.scratch.Take(b_, shape); };
    dk_ = take({block_keys_, d}), dv_ = take({block_keys_, e});
    weights_ = take({block_queries_, block_keys_}), dscores_ = take({block_queries_, block_keys_});
    k_rows_ = take({keys, d});
    k_panels_ = take({keys / width_ * info_.D, width_});
    v_panels_ = take({keys / width_ * info_.E, width_});
    q_rows_ = take({queries, d}), grad_rows_ = take({queries, e}), dq_ = take({queries, d});
    shift_ = take({queries}), delta_ = take({queries});
    AttentionScores scores(b_, info_, buffers_);
    scores_ = &scores;
    b_.For(arguments.begin, arguments.end, 1, [&](Value task) {
      scores.Start(b_.Div(task, info_.H), b_.Rem(task, info_.H));
      EmitHead();
    });
  }

 private:
  static int64_t RoundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
  void ForVectors(int64_t n, llvm::function_ref<void(int64_t, int64_t)> f) {
    for (int64_t c = 0; c < n; c += lanes_) f(c, std::min(lanes_, n - c));
  }
  SmallVector<Value> At(Value row, Value column) {
    return {scores_->batch(), scores_->head(), row, column};
  }
  Value LoadRow(const Access& access, Value row, int64_t column, int64_t live) {
    return LoadLanes(b_, buffers_, access, At(row, b_.Index(column)), live);
  }
  void Fill(Value rows, int64_t begin, int64_t end, int64_t columns) {
    b_.For(begin, end, 1, [&](Value row) {
      ForVectors(columns, [&](int64_t c, int64_t) {
        b_.StoreVector(b_.Splat(0), rows, {row, b_.Index(c)});
      });
    });
  }
  Value FloorTo(Value n, int64_t to) { return b_.Mul(b_.Div(n, to), to); }

  void EmitHead() {
    PackKeys();
    PackQueries();
    Value zero = b_.Index(0), queries = b_.Index(RoundUp(info_.T, rows_));
    b_.For(zero, b_.Index(info_.S), block_keys_, [&](Value key) {
      Fill(dk_, 0, block_keys_, info_.D);
      Fill(dv_, 0, block_keys_, info_.E);
      Value first = FirstTile(key);
      b_.For(FloorTo(first, block_queries_), queries, block_queries_, [&](Value query) {
        EmitBlock(query, key, b_.Max(first, query), b_.Min(b_.Add(query, block_queries_), queries));
      });
      Value count = b_.Min(b_.Index(block_keys_), b_.Sub(b_.Index(info_.S), key));
      b_.For(zero, count, 1, [&](Value j) {
        StoreRow(1, j, b_.Add(key, j), dk_, info_.D);
        StoreRow(2, j, b_.Add(key, j), dv_, info_.E);
      });
    });
    b_.For(0, info_.T, 1, [&](Value row) { StoreRow(0, row, row, dq_, info_.D); });
  }

  // The first tile of queries of which one sees `key`; past the last where none does.
  Value FirstTile(Value key) {
    if (!info_.causal) return b_.Index(0);
    Value first = b_.Max(b_.Sub(key, scores_->offset()), b_.Index(0));
    return b_.Select(b_.Less(first, b_.Index(info_.T)), FloorTo(first, rows_),
                     b_.Index(RoundUp(info_.T, rows_)));
  }

  void StoreRow(int output, Value from, Value row, Value rows, int64_t columns) {
    ForVectors(columns, [&](int64_t c, int64_t live) {
      Value x = b_.LoadVector(rows, {from, b_.Index(c)});
      for (const Access& access : outputs_[output])
        StoreLanes(b_, x, buffers_, access, At(row, b_.Index(c)), live);
    });
  }

  // K and V transposed as panels [D or E][width] of keys; scale K as rows.
  void PackKeys() {
    Value zero = b_.Index(0);
    const int64_t panels = RoundUp(info_.S, width_) / width_, last = info_.S % width_;
    b_.For(0, panels, 1, [&](Value panel) {
      Value key = b_.Mul(panel, width_);
      auto pack = [&](int64_t columns) {
        auto one = [&](const Access& access, Value to, int64_t depth) {
          MatrixSource source{buffers_[access.buffer], ElementIndex(b_, access, At(key, zero)),
                              access.strides[3], access.strides[2]};
          PackPanel(b_, source, to, b_.Index(depth), depth % lanes_, columns, 1,
                    b_.Mul(panel, depth));
        };
        one(info_.k, k_panels_, info_.D);
        one(info_.v, v_panels_, info_.E);
      };
      if (last == 0) return pack(width_);
      b_.If(
          b_.Compare(mlir::arith::CmpIPredicate::eq, panel, b_.Index(panels - 1)),
          [&] { pack(last); }, [&] { pack(width_); });
    });
    b_.For(0, info_.S, 1, [&](Value key) {
      ForVectors(info_.D, [&](int64_t d, int64_t live) {
        Value x = b_.Mul(LoadRow(info_.k, key, d, live), b_.Splat(info_.scale));
        b_.StoreVector(x, k_rows_, {key, b_.Index(d)});
      });
    });
  }

  // scale Q, the gradients and what is known of each row. Rows past the last query are zeros whose
  // weights are zeros.
  void PackQueries() {
    const int64_t queries = RoundUp(info_.T, rows_);
    const double infinity = std::numeric_limits<double>::infinity();
    b_.For(0, info_.T, 1, [&](Value row) {
      ForVectors(info_.D, [&](int64_t d, int64_t live) {
        Value q = b_.Mul(LoadRow(info_.q, row, d, live), b_.Splat(info_.scale));
        b_.StoreVector(q, q_rows_, {row, b_.Index(d)});
      });
      ForVectors(info_.E, [&](int64_t e, int64_t live) {
        b_.StoreVector(LoadRow(grad_, row, e, live), grad_rows_, {row, b_.Index(e)});
      });
      // A query that sees no key: exp(score - infinity) is 0.
      Value lse = b_.Load(buffers_[lse_.buffer],
                          ElementIndex(b_, lse_, {scores_->batch(), scores_->head(), row}));
      Value none =
          b_.Compare(mlir::arith::CmpFPredicate::OEQ, lse, b_.Constant(b_.F32(), -infinity));
      b_.Store(b_.Select(none, b_.Constant(b_.F32(), infinity), lse), shift_, row);
    });
    if (info_.T < queries) {
      Fill(q_rows_, info_.T, queries, info_.D);
      Fill(grad_rows_, info_.T, queries, info_.E);
      b_.For(info_.T, queries, 1,
             [&](Value row) { b_.Store(b_.Constant(b_.F32(), infinity), shift_, row); });
    }
    b_.For(0, queries, rows_, [&](Value row) { EmitDeltas(row); });
    Fill(dq_, 0, queries, info_.D);
  }

  // delta = dY Y of rows_ queries, in the order of EmitTile's dP = dY V: where one weight is 1, Y
  // is its row of V, and dS is 0 and not the difference of two roundings.
  void EmitDeltas(Value first) {
    SmallVector<Value> deltas(rows_, b_.Constant(b_.F32(), 0));
    for (int64_t begin = 0; begin < info_.E; begin += kMaxDepth) {
      SmallVector<Value> sums(rows_, b_.Constant(b_.F32(), 0));
      sums = b_.For(b_.Index(begin), b_.Index(std::min(info_.E, begin + kMaxDepth)), 1, sums,
                    [&](Value e, ValueRange carried) {
                      SmallVector<Value> next;
                      for (int64_t i = 0; i < rows_; ++i) {
                        Value row = b_.Add(first, i);
                        Value query = b_.Min(row, b_.Index(info_.T - 1));
                        Value y = b_.Load(buffers_[y_.buffer], ElementIndex(b_, y_, At(query, e)));
                        next.push_back(b_.Fma(b_.Load(grad_rows_, {row, e}), y, carried[i]));
                      }
                      return next;
                    });
      for (auto [delta, sum] : llvm::zip(deltas, sums)) delta = begin ? b_.Add(sum, delta) : sum;
    }
    for (auto [i, delta] : llvm::enumerate(deltas)) b_.Store(delta, delta_, b_.Add(first, i));
  }

  // Queries [low, high) of the block at `query`, keys of the block at `key`.
  void EmitBlock(Value query, Value key, Value low, Value high) {
    Value zero = b_.Index(0);
    b_.For(low, high, rows_, [&](Value row) {
      Value count = KeysSeen(row, key);
      b_.For(zero, count, width_, [&](Value c) { EmitTile(row, b_.Sub(row, query), key, c); });
    });
    Value keys = b_.Min(b_.Index(block_keys_), b_.Sub(b_.Index(info_.S), key));
    b_.For(zero, keys, rows_, [&](Value j) {
      Value first = b_.Max(low, FirstTile(b_.Add(key, j)));
      auto left = [&](Value weights) {
        return [=, this](int64_t i, Value row) {
          return b_.Load(weights, {b_.Sub(row, query), b_.Add(j, i)});
        };
      };
      Accumulate(dv_, j, first, high, info_.E, left(weights_), grad_rows_, zero);
      Accumulate(dk_, j, first, high, info_.D, left(dscores_), q_rows_, zero);
    });
    b_.For(low, high, rows_, [&](Value row) {
      Value local = b_.Sub(row, query);
      Accumulate(
          dq_, row, zero, KeysSeen(row, key), info_.D,
          [&](int64_t i, Value k) {
            return b_.Load(dscores_, {b_.Add(local, i), k});
          },
          k_rows_, key);
    });
  }

  // The keys of the block at `key` that any of the rows from `row` on sees.
  Value KeysSeen(Value row, Value key) {
    Value limit = scores_->Limit(b_.Min(b_.Add(row, rows_ - 1), b_.Index(info_.T - 1)));
    return b_.Min(b_.Index(block_keys_), b_.Sub(limit, key));
  }

  // sums[row + i] += left(i, k) * right[first_right + k] over k in [begin, end).
  void Accumulate(Value sums, Value row, Value begin, Value end, int64_t columns,
                  llvm::function_ref<Value(int64_t, Value)> left, Value right, Value first_right) {
    const int64_t vectors = RoundUp(columns, lanes_) / lanes_;
    for (int64_t v0 = 0; v0 < vectors; v0 += 2) {
      const int64_t n = std::min<int64_t>(2, vectors - v0);
      auto tile = TileProduct(b_, rows_, n, begin, end, left, [&](Value k, int64_t v) {
        return b_.LoadVector(right, {b_.Add(first_right, k), b_.Index((v0 + v) * lanes_)});
      });
      for (auto [i, x] : llvm::enumerate(tile)) {
        SmallVector<Value> at{b_.Add(row, i / n), b_.Index((v0 + i % n) * lanes_)};
        b_.StoreVector(b_.Add(x, b_.LoadVector(sums, at)), sums, at);
      }
    }
  }

  // Weights and score gradients of rows x width: P = exp(S - lse), dS = P (dP - delta), S by the
  // forward's operations in its order: of two roundings of a score of 1e6, exp makes anything. With
  // dropout W = P kept / (1 - p) stands for P in dV = W^T dY and dS = W dP - P delta.
  void EmitTile(Value row, Value local, Value key, Value c) {
    Value column = b_.Add(key, c), panel = b_.Div(column, width_);
    auto product = [&](Value rows, Value panels, int64_t depth, int64_t max_depth) {
      Value first = b_.Mul(panel, depth);
      SmallVector<Value> sums;
      for (int64_t begin = 0; begin < depth; begin += max_depth) {
        auto part = TileProduct(
            b_, rows_, 2, b_.Index(begin), b_.Index(std::min(depth, begin + max_depth)),
            [&](int64_t i, Value d) {
              return b_.Load(rows, {b_.Add(row, i), d});
            },
            [&](Value d, int64_t v) {
              return b_.LoadVector(panels, {b_.Add(first, d), b_.Index(v * lanes_)});
            });
        for (auto [sum, x] : llvm::zip(sums, part)) x = b_.Add(sum, x);
        sums = part;
      }
      return sums;
    };
    auto at = [&](Value i, int64_t v) {
      return SmallVector<Value>{b_.Add(local, i), b_.Add(c, v * lanes_)};
    };
    auto weight = [&](Value i, int64_t v, Value score) {
      Value query = b_.Min(b_.Add(row, i), b_.Index(info_.T - 1));
      Value first = b_.Add(column, v * lanes_);
      Value x = scores_->Masked(score, query, first, scores_->Seen(scores_->Limit(query), first));
      Value p = codegen::Exp(b_, b_.Sub(x, b_.Broadcast(b_.Load(shift_, b_.Add(row, i)))));
      if (info_.dropout > 0) {
        Value delta = b_.Broadcast(b_.Load(delta_, b_.Add(row, i)));
        b_.StoreVector(b_.Mul(p, delta), dscores_, at(i, v));
        p = b_.Select(scores_->Kept(query, first), b_.Mul(p, b_.Splat(1 / (1 - info_.dropout))),
                      b_.Splat(0));
      }
      b_.StoreVector(p, weights_, at(i, v));
    };
    auto scores = product(q_rows_, k_panels_, info_.D, info_.D);
    if (info_.dropout == 0 && !info_.HasMaskOrBias()) {
      for (auto [i, x] : llvm::enumerate(scores)) weight(b_.Index(i / 2), i % 2, x);
    } else {  // too much code to repeat for each row
      for (auto [i, x] : llvm::enumerate(scores))
        b_.StoreVector(x, weights_, at(b_.Index(i / 2), i % 2));
      b_.For(0, rows_, 1, [&](Value i) {
        for (int64_t v = 0; v < 2; ++v) weight(i, v, b_.LoadVector(weights_, at(i, v)));
      });
    }
    auto dweights = product(grad_rows_, v_panels_, info_.E, kMaxDepth);
    for (int64_t i = 0; i < rows_; ++i) {
      Value delta = b_.Broadcast(b_.Load(delta_, b_.Add(row, i)));
      for (int64_t v = 0; v < 2; ++v) {
        SmallVector<Value> place = at(b_.Index(i), v);
        Value p = b_.LoadVector(weights_, place), dp = dweights[2 * i + v];
        Value ds = info_.dropout > 0 ? b_.Sub(b_.Mul(p, dp), b_.LoadVector(dscores_, place))
                                     : b_.Mul(p, b_.Sub(dp, delta));
        b_.StoreVector(ds, dscores_, place);
      }
    }
  }

  Builder& b_;
  const AttentionInfo& info_;
  const Access grad_, y_, lse_;
  const ArrayRef<SmallVector<Access>> outputs_;  // dq, dk, dv
  const int64_t lanes_, rows_, width_;           // a tile: rows_ queries, width_ keys
  int64_t block_queries_, block_keys_;
  SmallVector<Value> buffers_;
  Value dk_, dv_, dq_, weights_, dscores_, k_rows_, k_panels_, v_panels_, q_rows_, grad_rows_;
  Value shift_, delta_;
  AttentionScores* scores_ = nullptr;
};

absl::StatusOr<Kernel> EmitAttentionGrad(mlir::func::FuncOp body, mlir::ModuleOp module,
                                         const Target& target) {
  auto op = FindAnchor<AttentionGradOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(AttentionInfo info, InfoOf(op));
  TRAMA_ASSIGN_OR_RETURN(Access grad, ReadAccess(op.getGrad()));
  TRAMA_ASSIGN_OR_RETURN(Access y, ReadAccess(op.getY()));
  TRAMA_ASSIGN_OR_RETURN(Access lse, ReadAccess(op.getLse()));
  TRAMA_ASSIGN_OR_RETURN(auto outputs, OutputsOf(body, op->getResults()));
  Builder b(module, target.lanes);
  AttentionGradEmitter emitter(b, info, grad, y, lse, outputs, target);
  Phase phase{absl::StrCat(body.getSymName().str(), "_attention_grad"), emitter.tasks(), 1,
              emitter.flops()};
  phase.grain = std::clamp<int64_t>(static_cast<int64_t>(200e3 * phase.tasks / (phase.flops + 1)),
                                    1, std::max<int64_t>(1, phase.tasks / 8));
  codegen::PhaseSizes sizes = codegen::EmitPhase(
      b, phase.symbol, body, [&](PhaseArguments& arguments) { emitter.Emit(arguments); });
  return Kernel{{phase}, sizes.workspace_floats, sizes.scratch_floats, /*optimization=*/0};
}
}  // namespace

TRAMA_CPU_KERNEL("attention_grad", EmitAttentionGrad);

}  // namespace trama::cpu
