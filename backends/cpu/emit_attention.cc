// attention, forward: the scores of a few queries against all keys they see stand in one strip of
// scratch, so the softmax is exact and nothing is rescaled; the T x S matrix never exists. Per
// batch and head K is packed transposed and V contiguous. A chunk of few queries (decoding) reads K
// and V in place instead, as each is used once; not where a gradient takes the scores again, by the
// other way's operations.
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

constexpr int64_t kFewQueries = 4;

class AttentionEmitter {
 public:
  AttentionEmitter(Builder& b, const AttentionInfo& info, ArrayRef<Access> y, ArrayRef<Access> lse,
                   const Target& target)
      : b_(b), info_(info), y_(y), lse_(lse), lanes_(target.lanes) {
    in_place_ =
        lse.empty() && info.T <= kFewQueries && info.k.strides[3] == 1 && info.v.strides[3] == 1;
    rows_ = in_place_ ? 1 : target.registers >= 32 ? 8 : 4;
    const int64_t heads = info.B * info.H;
    if (in_place_) {
      query_blocks_ = info.T;
    } else if (heads < 8) {
      query_blocks_ = std::clamp<int64_t>((7 + heads) / heads, 1, (info.T + 31) / 32);
    }
    block_rows_ = (info.T + query_blocks_ - 1) / query_blocks_;
    block_rows_ = (block_rows_ + rows_ - 1) / rows_ * rows_;
    query_blocks_ = (info.T + block_rows_ - 1) / block_rows_;
  }

  int64_t tasks() const { return info_.B * info_.H * query_blocks_; }
  double flops() const {
    const double all = 2.0 * info_.B * info_.H * info_.T * info_.S * (info_.D + info_.E);
    return info_.causal && !info_.position ? all / 2 : all;
  }

  void Emit(PhaseArguments& arguments) {
    buffers_ = FlatBuffers(b_, arguments);
    strip_ = arguments.scratch.Take(b_, {rows_, RoundUp(info_.S, width())});
    statistics_ = arguments.scratch.Take(b_, {2, lanes_});
    if (!in_place_) {
      queries_ = arguments.scratch.Take(b_, {rows_, RoundUp(info_.D, lanes_)});
      outputs_ = arguments.scratch.Take(b_, {rows_, RoundUp(info_.E, lanes_)});
      keys_ = arguments.scratch.Take(b_, {RoundUp(info_.S, width()) / width() * info_.D, width()});
      values_ = arguments.scratch.Take(b_, {info_.S, RoundUp(info_.E, lanes_)});
    }
    AttentionScores scores(b_, info_, buffers_);
    scores_ = &scores;
    b_.For(arguments.begin, arguments.end, 1, [&](Value task) {
      Value head = query_blocks_ == 1 ? task : b_.Div(task, query_blocks_);
      Value block = query_blocks_ == 1 ? b_.Index(0) : b_.Rem(task, query_blocks_);
      scores.Start(b_.Div(head, info_.H), b_.Rem(head, info_.H));
      if (in_place_) return EmitOneQuery(block);
      if (query_blocks_ == 1) {
        Pack();
      } else {  // a thread that goes on in the same head has it packed
        Value first = b_.Compare(mlir::arith::CmpIPredicate::eq, task, arguments.begin);
        Value begins = b_.Compare(mlir::arith::CmpIPredicate::eq, block, b_.Index(0));
        b_.If(b_.Or(first, begins), [&] { Pack(); });
      }
      Value begin = b_.Mul(block, block_rows_);
      Value end = b_.Min(b_.Add(begin, block_rows_), b_.Index(info_.T));
      b_.For(begin, end, rows_, [&](Value row) { EmitRows(row); });
    });
  }

 private:
  static int64_t RoundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
  int64_t width() const { return 2 * lanes_; }  // keys of a packed panel
  Value CeilDiv(Value n, int64_t by) { return b_.Div(b_.Add(n, by - 1), by); }
  Value At(const Access& access, Value row, Value column) {
    return ElementIndex(b_, access, {scores_->batch(), scores_->head(), row, column});
  }
  // Calls f(column, live lanes) for the vectors that cover n columns.
  void ForVectors(int64_t n, llvm::function_ref<void(int64_t, int64_t)> f) {
    for (int64_t c = 0; c < n; c += lanes_) f(c, std::min(lanes_, n - c));
  }

  // K as panels [D][width] of keys, V as rows.
  void Pack() {
    Value zero = b_.Index(0), needed = scores_->Limit(b_.Index(info_.T - 1));
    const int64_t panels = RoundUp(info_.S, width()) / width(), last = info_.S % width();
    b_.For(zero, CeilDiv(needed, width()), 1, [&](Value panel) {
      auto pack = [&](int64_t columns) {
        MatrixSource source{buffers_[info_.k.buffer], At(info_.k, b_.Mul(panel, width()), zero),
                            info_.k.strides[3], info_.k.strides[2]};
        PackPanel(b_, source, keys_, b_.Index(info_.D), info_.D % lanes_, columns, 1,
                  b_.Mul(panel, info_.D));
      };
      if (last == 0) return pack(width());
      b_.If(
          b_.Compare(mlir::arith::CmpIPredicate::eq, panel, b_.Index(panels - 1)),
          [&] { pack(last); }, [&] { pack(width()); });
    });
    MatrixSource source{buffers_[info_.v.buffer], At(info_.v, zero, zero), info_.v.strides[2],
                        info_.v.strides[3]};
    // Blocks that are transposed end where V does.
    const bool transposed = source.k_stride == 1 && source.n_stride != 1;
    PackPanel(b_, source, values_, transposed ? b_.Index(info_.S) : needed, info_.S % lanes_,
              info_.E);
  }

  void EmitRows(Value first) {
    Value zero = b_.Index(0), last_row = b_.Index(info_.T - 1);
    // Rows past the end repeat the last query; they are not stored.
    b_.For(0, rows_, 1, [&](Value i) {
      Value row = b_.Min(b_.Add(first, i), last_row);
      ForVectors(info_.D, [&](int64_t d, int64_t live) {
        Value q = LoadLanes(b_, buffers_, info_.q,
                            {scores_->batch(), scores_->head(), row, b_.Index(d)}, live);
        b_.StoreVector(b_.Mul(q, b_.Splat(info_.scale)), queries_, {i, b_.Index(d)});
      });
    });
    Value seen = scores_->Limit(b_.Min(b_.Add(first, rows_ - 1), last_row));
    Value panels = CeilDiv(seen, width());
    b_.For(zero, panels, 1, [&](Value panel) {
      Value key_row = b_.Mul(panel, info_.D);
      auto sums = TileProduct(
          b_, rows_, 2, zero, b_.Index(info_.D),
          [&](int64_t i, Value d) {
            return b_.Load(queries_, {b_.Index(i), d});
          },
          [&](Value d, int64_t v) {
            return b_.LoadVector(keys_, {b_.Add(key_row, d), b_.Index(v * lanes_)});
          });
      for (auto [i, sum] : llvm::enumerate(sums))
        b_.StoreVector(sum, strip_,
                       {b_.Index(i / 2), b_.Add(b_.Mul(panel, width()), (i % 2) * lanes_)});
    });
    Value rows = b_.Min(b_.Index(rows_), b_.Sub(b_.Index(info_.T), first));
    EmitSoftmax(first, rows, seen);
    const int64_t vectors = RoundUp(info_.E, lanes_) / lanes_;
    for (int64_t v0 = 0; v0 < vectors; v0 += 2) {
      const int64_t n = std::min<int64_t>(2, vectors - v0);
      auto sums = TileProduct(
          b_, rows_, n, zero, seen,
          [&](int64_t i, Value k) {
            return b_.Load(strip_, {b_.Index(i), k});
          },
          [&](Value k, int64_t v) {
            return b_.LoadVector(values_, {k, b_.Index((v0 + v) * lanes_)});
          });
      for (auto [i, sum] : llvm::enumerate(sums))
        b_.StoreVector(sum, outputs_, {b_.Index(i / n), b_.Index((v0 + i % n) * lanes_)});
    }
    b_.For(zero, rows, 1, [&](Value i) {
      Value inverse = b_.Broadcast(b_.Load(statistics_, {b_.Index(1), i}));
      ForVectors(info_.E, [&](int64_t e, int64_t live) {
        StoreOutput(b_.Mul(b_.LoadVector(outputs_, {i, b_.Index(e)}), inverse), b_.Add(first, i), e,
                    live);
      });
    });
  }

  // Decoding: 16 keys at a time are dot products with the one query, summed across lanes together.
  void EmitOneQuery(Value row) {
    Value zero = b_.Index(0), seen = scores_->Limit(row);
    SmallVector<Value> query;
    ForVectors(info_.D, [&](int64_t d, int64_t live) {
      Value q = LoadLanes(b_, buffers_, info_.q,
                          {scores_->batch(), scores_->head(), row, b_.Index(d)}, live);
      query.push_back(b_.Mul(q, b_.Splat(info_.scale)));
    });
    auto load = [&](const Access& access, Value key, int64_t d, int64_t live) {
      return LoadLanes(b_, buffers_, access, {scores_->batch(), scores_->head(), key, b_.Index(d)},
                       live);
    };
    auto group = [&](Value first, bool whole) {
      SmallVector<Value> sums;
      for (int64_t l = 0; l < lanes_; ++l) {
        Value key = b_.Add(first, l), sum;
        if (!whole) key = b_.Min(key, b_.Sub(seen, 1));
        ForVectors(info_.D, [&](int64_t d, int64_t live) {
          Value k = load(info_.k, key, d, live);
          sum = sum ? b_.Fma(query[d / lanes_], k, sum) : b_.Mul(query[d / lanes_], k);
        });
        sums.push_back(sum);
      }
      b_.StoreVector(b_.ReduceEach(sums, [&](Value x, Value y) { return b_.Add(x, y); }), strip_,
                     {zero, first});
    };
    Value whole = b_.Mul(b_.Div(seen, lanes_), lanes_);
    b_.For(zero, whole, lanes_, [&](Value first) { group(first, /*whole=*/true); });
    b_.If(b_.Less(whole, seen), [&] { group(whole, /*whole=*/false); });
    EmitSoftmax(row, b_.Index(1), seen);
    Value inverse = b_.Broadcast(b_.Load(statistics_, {b_.Index(1), zero}));
    const int64_t vectors = RoundUp(info_.E, lanes_) / lanes_;
    auto sums = TileProduct(
        b_, 1, vectors, zero, seen,
        [&](int64_t, Value k) {
          return b_.Load(strip_, {zero, k});
        },
        [&](Value k, int64_t v) {
          return load(info_.v, k, v * lanes_, std::min(lanes_, info_.E - v * lanes_));
        });
    ForVectors(info_.E, [&](int64_t e, int64_t live) {
      StoreOutput(b_.Mul(sums[e / lanes_], inverse), row, e, live);
    });
  }

  // Turns the scores of the `count` queries from `first` on, of which the last sees `seen` keys,
  // into weights but for the factors it leaves in statistics_[1]; stores lse. All rows go together:
  // their reductions across lanes then cost little more than one.
  void EmitSoftmax(Value first, Value count, Value seen) {
    Value zero = b_.Index(0), one = b_.Index(1), last_row = b_.Index(info_.T - 1);
    const double infinity = std::numeric_limits<double>::infinity();
    Value end = b_.Mul(CeilDiv(seen, lanes_), lanes_);
    // No row sees less than the first.
    Value from =
        info_.HasMaskOrBias() ? zero : b_.Mul(b_.Div(scores_->Limit(first), lanes_), lanes_);
    ForStrip(from, end, [&](Value i, Value c) {
      Value row = b_.Min(b_.Add(first, i), last_row);
      Value lanes_seen = scores_->Seen(scores_->Limit(row), c);
      b_.StoreVector(scores_->Masked(b_.LoadVector(strip_, {i, c}), row, c, lanes_seen), strip_,
                     {i, c});
    });
    auto score = [&](int64_t i, Value c) { return b_.LoadVector(strip_, {b_.Index(i), c}); };
    SmallVector<Value> maxima =
        b_.For(zero, end, lanes_, SmallVector<Value>(rows_, b_.Splat(-infinity)),
               [&](Value c, ValueRange carried) {
                 SmallVector<Value> next;
                 for (int64_t i = 0; i < rows_; ++i)
                   next.push_back(b_.FastMax(carried[i], score(i, c)));
                 return next;
               });
    Value max = b_.ReduceEach(maxima, [&](Value x, Value y) { return b_.FastMax(x, y); });
    // A query that sees no key: all weights are 0 and the log-sum-exp is -infinity.
    Value none = b_.Compare(mlir::arith::CmpFPredicate::OEQ, max, b_.Splat(-infinity));
    b_.StoreVector(b_.Select(none, b_.Splat(0), max), statistics_, {zero, zero});
    SmallVector<Value> shifts;
    for (int64_t i = 0; i < rows_; ++i)
      shifts.push_back(b_.Broadcast(b_.Load(statistics_, {zero, b_.Index(i)})));
    SmallVector<Value> sums = b_.For(zero, end, lanes_, SmallVector<Value>(rows_, b_.Splat(0)),
                                     [&](Value c, ValueRange carried) {
                                       SmallVector<Value> next;
                                       for (int64_t i = 0; i < rows_; ++i) {
                                         Value weight =
                                             codegen::Exp(b_, b_.Sub(score(i, c), shifts[i]));
                                         b_.StoreVector(weight, strip_, {b_.Index(i), c});
                                         next.push_back(b_.Add(carried[i], weight));
                                       }
                                       return next;
                                     });
    Value sum = b_.ReduceEach(sums, [&](Value x, Value y) { return b_.Add(x, y); });
    Value factor = b_.Div(b_.Splat(1 / (1 - info_.dropout)), sum);
    b_.StoreVector(b_.Select(none, b_.Splat(0), factor), statistics_, {one, zero});
    if (info_.dropout > 0) {
      ForStrip(zero, end, [&](Value i, Value c) {
        Value kept = scores_->Kept(b_.Min(b_.Add(first, i), last_row), c);
        b_.StoreVector(b_.Select(kept, b_.LoadVector(strip_, {i, c}), b_.Splat(0)), strip_, {i, c});
      });
    }
    if (lse_.empty()) return;
    b_.StoreVector(b_.Add(max, codegen::Log(b_, sum)), statistics_, {zero, zero});
    b_.For(zero, count, 1, [&](Value i) {
      Value value = b_.Load(statistics_, {zero, i});
      for (const Access& lse : lse_)
        b_.Store(value, buffers_[lse.buffer],
                 ElementIndex(b_, lse, {scores_->batch(), scores_->head(), b_.Add(first, i)}));
    });
  }

  // Calls f(row of the strip, column) for the vectors of all rows at columns [begin, end).
  void ForStrip(Value begin, Value end, llvm::function_ref<void(Value, Value)> f) {
    b_.For(0, rows_, 1, [&](Value i) { b_.For(begin, end, lanes_, [&](Value c) { f(i, c); }); });
  }

  void StoreOutput(Value y, Value row, int64_t column, int64_t live) {
    for (const Access& access : y_)
      StoreLanes(b_, y, buffers_, access,
                 {scores_->batch(), scores_->head(), row, b_.Index(column)}, live);
  }

  Builder& b_;
  const AttentionInfo& info_;
  const ArrayRef<Access> y_, lse_;
  const int64_t lanes_;
  bool in_place_ = false;
  int64_t rows_, query_blocks_ = 1, block_rows_;
  SmallVector<Value> buffers_;
  Value strip_, queries_, outputs_, keys_, values_;
  Value statistics_;  // a row's maximum and then its lse, and its factor
  AttentionScores* scores_ = nullptr;
};

absl::StatusOr<Kernel> EmitAttention(mlir::func::FuncOp body, mlir::ModuleOp module,
                                     const Target& target) {
  auto op = FindAnchor<AttentionOp>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_ASSIGN_OR_RETURN(AttentionInfo info, InfoOf(op));
  TRAMA_ASSIGN_OR_RETURN(auto outputs, OutputsOf(body, op->getResults()));
  Builder b(module, target.lanes);
  AttentionEmitter emitter(b, info, outputs[0], outputs[1], target);
  Phase phase{absl::StrCat(body.getSymName().str(), "_attention"), emitter.tasks(), 1,
              emitter.flops()};
  phase.grain = std::clamp<int64_t>(static_cast<int64_t>(100e3 * phase.tasks / (phase.flops + 1)),
                                    1, std::max<int64_t>(1, phase.tasks / 8));
  codegen::PhaseSizes sizes = codegen::EmitPhase(
      b, phase.symbol, body, [&](PhaseArguments& arguments) { emitter.Emit(arguments); });
  return Kernel{{phase}, sizes.workspace_floats, sizes.scratch_floats, /*optimization=*/0};
}
}  // namespace

TRAMA_CPU_KERNEL("attention", EmitAttention);

}  // namespace trama::cpu
