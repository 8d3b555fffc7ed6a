#include "backends/cpu/dot_product.h"

#include <algorithm>

namespace trama::cpu {
namespace {
using codegen::PhaseArguments;

constexpr int64_t kMostRows = 4;
constexpr int64_t kTaskVectors = 4;  // of columns
// Sums that hide the latency of an addition.
constexpr int64_t kSums = 8;

class DotEmitter {
 public:
  DotEmitter(Builder& b, const Product& p, Lane lane)
      : b_(b), p_(p), lane_(lane), width_(b.lanes * DepthOf(lane)) {}

  int64_t tasks() const { return p_.batch() * blocks(); }

  void Emit(SmallVector<Value> buffers, PhaseArguments& arguments) {
    buffers_ = std::move(buffers);
    const int64_t lanes = b_.lanes, full = p_.columns() / lanes * lanes;
    sums_ = arguments.scratch.Take(b_, {p_.rows(), lanes, lanes});
    b_.For(arguments.begin, arguments.end, 1, [&](Value task) {
      batch_ = BatchIndices(b_, p_, b_.Div(task, blocks()));
      Value first = b_.Mul(b_.Rem(task, blocks()), kTaskVectors * lanes);
      Value end = b_.Min(b_.Add(first, kTaskVectors * lanes), b_.Index(p_.columns()));
      b_.For(first, end, lanes, [&](Value group) {
        Value count = b_.Min(b_.Sub(end, group), b_.Index(lanes));
        b_.For(b_.Index(0), count, 1, [&](Value c) { EmitColumn(b_.Add(group, c), c); });
        if (full == p_.columns()) return Finish(group, lanes);
        b_.If(
            b_.Less(group, b_.Index(full)), [&] { Finish(group, lanes); },
            [&] { Finish(group, p_.columns() - full); });
      });
    });
  }

 private:
  int64_t blocks() const {
    const int64_t width = kTaskVectors * b_.lanes;
    return (p_.columns() + width - 1) / width;
  }

  Value Start(const Access& access, Value row, Value column) {
    SmallVector<Value> at(batch_);
    at.append({row, column});
    return ElementIndex(b_, access, at);
  }

  // A register of the depth from `at` on; `live` elements of it, then 0.
  Value LoadDepth(Value buffer, Value at, int64_t live) {
    Value x = live == width_ ? b_.LoadVector(buffer, at, width_)
                             : b_.LoadMasked(buffer, at, b_.Mask(b_.Index(live), width_));
    return lane_ == Lane::kPair ? PairsOf(b_, x) : Widen(b_, x);
  }

  // sums[row][c] = the products of a row and column `n`, lane by lane.
  void EmitColumn(Value n, Value c) {
    const int64_t rows = p_.rows();
    const int64_t unroll = std::max<int64_t>(1, kSums / rows), step = unroll * width_;
    const int64_t main = p_.depth / step * step, whole = p_.depth / width_ * width_;
    Value right = Start(p_.right, b_.Index(0), n);
    SmallVector<Value> left;
    for (int64_t m = 0; m < rows; ++m) left.push_back(Start(p_.left, b_.Index(m), b_.Index(0)));

    // Adds `live` products from k on to sum `u` of each row.
    auto add = [&](Value k, int64_t live, int64_t u, SmallVector<Value>& sums) {
      auto load = [&](int64_t buffer, Value start) {
        return LoadDepth(buffers_[buffer], b_.Add(start, k), live);
      };
      Value column = load(p_.right.buffer, right);
      for (int64_t m = 0; m < rows; ++m) {
        Value& sum = sums[m * unroll + u];
        sum = MultiplyAdd(b_, lane_, load(p_.left.buffer, left[m]), column, sum);
      }
    };
    SmallVector<Value> sums(rows * unroll, b_.Splat(0));
    if (main > 0)
      sums = b_.For(b_.Index(0), b_.Index(main), step, sums, [&](Value k, ValueRange carried) {
        SmallVector<Value> next(carried);
        for (int64_t u = 0; u < unroll; ++u) add(b_.Add(k, u * width_), width_, u, next);
        return next;
      });
    for (int64_t k = main; k < p_.depth; k += width_)
      add(b_.Index(k), k < whole ? width_ : p_.depth - whole, (k - main) / width_, sums);
    for (int64_t m = 0; m < rows; ++m) {
      Value total = sums[m * unroll];
      for (int64_t u = 1; u < unroll; ++u) total = b_.Add(total, sums[m * unroll + u]);
      b_.StoreVector(total, sums_, {b_.Index(m), c, b_.Index(0)});
    }
  }

  void Finish(Value group, int64_t live) {
    for (int64_t m = 0; m < p_.rows(); ++m) {
      SmallVector<Value> columns, at(batch_);
      for (int64_t c = 0; c < b_.lanes; ++c)
        columns.push_back(b_.LoadVector(sums_, {b_.Index(m), b_.Index(c), b_.Index(0)}));
      at.append({b_.Index(m), group});
      FinishProduct(b_, p_, buffers_, at,
                    b_.ReduceEach(columns, [&](Value x, Value y) { return b_.Add(x, y); }), live);
    }
  }

  Builder& b_;
  const Product& p_;
  const Lane lane_;
  const int64_t width_;  // elements of the depth in a register
  SmallVector<Value> buffers_, batch_;
  Value sums_;
};
}  // namespace

bool IsDots(const Product& p, const Target& target) {
  return p.rows() <= kMostRows && p.left_depth_stride == 1 && p.right_depth_stride == 1 &&
         p.right.strides.back() != 1 && p.columns() >= target.lanes && p.depth >= target.lanes;
}

void AppendDots(Builder& b, mlir::func::FuncOp body, const Product& product, Lane lane,
                const std::string& name,
                llvm::function_ref<SmallVector<Value>(PhaseArguments&)> buffers, Kernel& kernel) {
  DotEmitter emitter(b, product, lane);
  AppendPhase(
      b, body, name + "_dots", emitter.tasks(), product.flops(),
      [&](PhaseArguments& arguments) { emitter.Emit(buffers(arguments), arguments); }, kernel);
}

}  // namespace trama::cpu
