// The work is cut into tasks of (split of the depth, batch, panel of columns, block of rows). A
// task packs its panel into the thread's scratch (unless B can be read as it lies) and runs tiles
// down the rows; A is read in place, one scalar a lane-wide multiply, or from where a phase before
// packed it (tiling.h). Narrow elements are multiplied as tile.h's Lane says: packing makes pairs
// of bf16 where the machine multiplies those, else floats. Deep products go by blocks of
// the depth whose sums stay in scratch; where outputs are few or A is larger than the cache the
// depth is split over tasks whose sums a second phase adds in order. The layout follows Goto and
// van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008).
#include "backends/cpu/product.h"

#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "backends/cpu/dot_product.h"
#include "backends/cpu/tile.h"
#include "backends/cpu/tiling.h"

namespace trama::cpu {
using codegen::PhaseArguments;

SmallVector<Value> BatchIndices(Builder& b, const Product& p, Value batch) {
  SmallVector<Value> indices(p.sizes.size() - 2);
  for (size_t d = indices.size(); d-- > 0;) {
    indices[d] = d == 0 ? batch : b.Rem(batch, p.sizes[d]);
    batch = b.Div(batch, p.sizes[d]);
  }
  return indices;
}

void FinishProduct(Builder& b, const Product& p, ArrayRef<Value> buffers, ValueRange at, Value x,
                   int64_t live) {
  if (p.accumulate) x = b.Add(x, LoadLanes(b, buffers, p.epilogue.outputs().front().to, at, live));
  if (p.bias) x = b.Add(x, LoadLanes(b, buffers, *p.bias, at, live));
  x = codegen::Activate(b, p.activation, x);
  EmitEpilogue(b, p.epilogue, buffers, at, x, live);
}

namespace {
constexpr double kSmallFlops = 20e3;       // one task
constexpr int64_t kPrefetchDepth = 16;     // steps of the depth, some 200 cycles of a full tile
constexpr int64_t kFetchFloats = 1 << 18;  // a right operand that is likely to come from memory
constexpr int64_t kFetchRows = 128;        // few
constexpr int64_t kLineBytes = 64;

class ProductEmitter {
 public:
  ProductEmitter(Builder& b, const Product& p, const Tiling& t)
      : b_(b), p_(p), t_(t), unit_(DepthOf(t.lane)) {}

  // Packing the left operand: a group of rows a task.
  int64_t left_tasks() const { return left_batch() * left_groups(); }
  double left_flops() const { return 4.0 * left_tasks() * b_.lanes * p_.depth; }
  int64_t tasks() const { return t_.splits * p_.batch() * panels() * row_blocks(); }
  int64_t sum_tasks() const { return p_.batch() * p_.rows(); }

  void EmitPackLeft(SmallVector<Value> buffers, PhaseArguments& arguments) {
    Prepare(std::move(buffers), arguments);
    b_.For(arguments.begin, arguments.end, 1, [&](Value task) {
      SmallVector<Value> at = BatchIndices(b_, p_, b_.Div(task, left_groups()));
      Value group = b_.Rem(task, left_groups());
      at.append({b_.Mul(group, b_.lanes), b_.Index(0)});
      const MatrixSource source{buffers_[p_.left.buffer], ElementIndex(b_, p_.left, at),
                                p_.left_depth_stride, left_row_stride()};
      auto pack = [&](int64_t rows) {
        PackLanes(source, left_, b_.Index(p_.depth), rows, b_.Mul(task, left_steps()));
      };
      const int64_t rest = p_.rows() % b_.lanes;
      if (rest == 0) return pack(b_.lanes);
      b_.If(
          b_.Compare(mlir::arith::CmpIPredicate::eq, group, b_.Index(left_groups() - 1)),
          [&] { pack(rest); }, [&] { pack(b_.lanes); });
    });
  }

  // The products of a range of tasks.
  void EmitProducts(SmallVector<Value> buffers, PhaseArguments& arguments) {
    Prepare(std::move(buffers), arguments);
    if (t_.pack) panel_ = arguments.scratch.Take(b_, {RoundUp(Steps(t_.depth_block)), width()});
    if (depth_blocks() > 1) sums_ = arguments.scratch.Take(b_, {t_.row_block, width()});
    if (t_.staged) stage_ = arguments.scratch.Take(b_, {t_.rows, width()});
    b_.For(arguments.begin, arguments.end, 1, [&](Value task) { EmitTask(task); });
  }

  // Adds the splits' partial sums in order, a row a task.
  void EmitSums(SmallVector<Value> buffers, PhaseArguments& arguments) {
    Prepare(std::move(buffers), arguments);
    b_.For(arguments.begin, arguments.end, 1, [&](Value task) {
      SmallVector<Value> at = BatchIndices(b_, p_, b_.Div(task, p_.rows()));
      at.push_back(b_.Rem(task, p_.rows()));
      auto vector = [&](Value n, int64_t live) {
        Value sum = b_.LoadVector(partial_, {b_.Index(0), task, n});
        for (int64_t s = 1; s < t_.splits; ++s)
          sum = b_.Add(sum, b_.LoadVector(partial_, {b_.Index(s), task, n}));
        at.push_back(n);
        Finish(at, sum, live);
        at.pop_back();
      };
      const int64_t full = p_.columns() / b_.lanes * b_.lanes;
      b_.For(0, full, b_.lanes, [&](Value n) { vector(n, b_.lanes); });
      if (full < p_.columns()) vector(b_.Index(full), p_.columns() - full);
    });
  }

 private:
  int64_t RoundUp(int64_t n) const { return (n + b_.lanes - 1) / b_.lanes * b_.lanes; }
  int64_t width() const { return t_.vectors * b_.lanes; }
  int64_t panels() const { return (p_.columns() + width() - 1) / width(); }
  int64_t row_blocks() const { return (p_.rows() + t_.row_block - 1) / t_.row_block; }
  int64_t depth_blocks() const { return (t_.split_depth + t_.depth_block - 1) / t_.depth_block; }
  // A step takes what a lane holds of the depth.
  int64_t Steps(int64_t depth) const { return (depth + unit_ - 1) / unit_; }
  Value Steps(Value depth) { return unit_ == 1 ? depth : b_.Div(b_.Add(depth, unit_ - 1), unit_); }

  // The left operand packed: [batch, group of `lanes` rows, step][row].
  int64_t left_row_stride() const { return p_.left.strides[p_.sizes.size() - 2]; }
  int64_t left_batch() const {
    const bool shared =
        llvm::all_of(llvm::drop_end(p_.left.strides, 2), [](int64_t s) { return s == 0; });
    return shared ? 1 : p_.batch();
  }
  int64_t left_groups() const { return (p_.rows() + b_.lanes - 1) / b_.lanes; }
  int64_t left_steps() const { return RoundUp(Steps(p_.depth)); }

  void PackLanes(const MatrixSource& source, Value panel, Value depth, int64_t columns,
                 Value first_row = nullptr) {
    const int64_t tail = p_.depth % (b_.lanes * unit_);
    if (t_.lane == Lane::kPair)
      return PackPairs(b_, source, panel, depth, tail, columns, first_row);
    PackPanel(b_, source, panel, depth, tail, columns, /*scale=*/1, first_row);
  }

  void Prepare(SmallVector<Value> buffers, PhaseArguments& arguments) {
    buffers_ = std::move(buffers);
    if (t_.pack_left) left_ = arguments.workspace.Take(b_, {left_tasks() * left_steps(), b_.lanes});
    if (t_.splits > 1)
      partial_ =
          arguments.workspace.Take(b_, {t_.splits, p_.batch() * p_.rows(), panels() * width()});
  }

  void EmitTask(Value task) {
    Value rest = task;
    auto take = [&](int64_t count) {
      if (count == 1) return b_.Index(0);
      Value index = b_.Rem(rest, count);
      rest = b_.Div(rest, count);
      return index;
    };
    // Rows outermost: the thread whose rows these are in the kernels before and after finds them in
    // its own cache.
    Value panel = take(panels());
    row_block_ = take(row_blocks());
    batch_index_ = take(p_.batch());
    split_ = rest;
    depth_begin_ = b_.Mul(split_, t_.split_depth);
    depth_end_ = t_.splits == 1 ? b_.Index(p_.depth)
                                : b_.Min(b_.Add(depth_begin_, t_.split_depth), b_.Index(p_.depth));
    batch_ = BatchIndices(b_, p_, batch_index_);
    column_ = b_.Mul(panel, width());
    const int64_t last = p_.columns() - (panels() - 1) * width();
    if (panels() == 1 || last == width()) return EmitPanel(last);
    b_.If(
        b_.Compare(mlir::arith::CmpIPredicate::eq, panel, b_.Index(panels() - 1)),
        [&] { EmitPanel(last); }, [&] { EmitPanel(width()); });
  }

  void EmitPanel(int64_t columns) {
    columns_ = columns;
    if (depth_blocks() == 1) {
      Value depth = b_.Sub(depth_end_, depth_begin_);
      if (t_.pack) Pack(depth_begin_, depth);
      EmitRows(depth_begin_, depth);
      return;
    }
    b_.For(depth_begin_, depth_end_, t_.depth_block, [&](Value k) {
      Value depth = b_.Min(b_.Index(t_.depth_block), b_.Sub(depth_end_, k));
      if (t_.pack) Pack(k, depth);
      EmitRows(k, depth);
    });
  }

  Value RightOffset(Value depth) {
    SmallVector<Value> at(batch_);
    at.append({b_.Index(0), column_});
    return b_.Add(ElementIndex(b_, p_.right, at), b_.Mul(depth, p_.right_depth_stride));
  }

  void Pack(Value depth_begin, Value depth) {
    PackLanes({buffers_[p_.right.buffer], RightOffset(depth_begin), p_.right_depth_stride,
               p_.right.strides.back()},
              panel_, depth, columns_);
  }

  int64_t column_stride() const { return p_.right.strides.back(); }

  // Whether the panel packed next is fetched while this one is used, a line a step of the depth of
  // the first tiles. It pays where packing would wait for the memory: along columns that lie along
  // the depth, and where a panel is used by few rows.
  bool Fetches() const {
    return t_.pack && p_.batch() == 1 && p_.columns() * p_.depth >= kFetchFloats &&
           t_.row_block / t_.rows >= FetchTiles() &&
           (column_stride() == 1 ? p_.rows() <= kFetchRows : p_.right_depth_stride == 1);
  }
  // Elements of a line, in which the right operand's lie.
  int64_t Line() const { return kLineBytes * 8 / p_.element.getIntOrFloatBitWidth(); }
  // Lines of the panel in one row along the columns; steps that a line along the depth lasts.
  int64_t RowLines() const { return (width() + Line() - 1) / Line(); }
  int64_t LineSteps() const { return Line() / unit_; }
  int64_t FetchTiles() const {
    return column_stride() == 1 ? unit_ * RowLines() : (width() + LineSteps() - 1) / LineSteps();
  }

  // Where the panel after this one begins: deeper down, or in the next columns.
  Value NextPanel(Value depth_begin, Value depth) {
    Value beside = b_.Add(RightOffset(depth_begin_), width() * column_stride());
    if (depth_blocks() == 1) return beside;
    Value below = b_.Add(depth_begin, depth);
    return b_.Select(b_.Less(below, depth_end_), RightOffset(below), beside);
  }

  // A function of the step k of the depth: the element whose line tile number `tile` fetches then,
  // always the same one after the first tiles.
  std::function<Value(Value)> FetchedBy(Value tile) {
    Value fetches = b_.Less(tile, b_.Index(FetchTiles()));
    auto or_zero = [&](Value x) { return b_.Select(fetches, x, b_.Index(0)); };
    if (column_stride() == 1) {
      Value line = b_.Mul(tile, Line());
      if (unit_ > 1)  // the lines of one row, then those of the step's next
        line = b_.Add(b_.Mul(b_.Rem(tile, RowLines()), Line()),
                      b_.Mul(b_.Div(tile, RowLines()), p_.right_depth_stride));
      Value first = b_.Add(next_panel_, or_zero(line));
      Value stride = or_zero(b_.Index(unit_ * p_.right_depth_stride));
      return [=, this](Value k) { return b_.Add(first, b_.Mul(k, stride)); };
    }
    // Lines along the depth: in the steps that they last those of as many columns.
    Value first = b_.Add(next_panel_, or_zero(b_.Mul(tile, LineSteps() * column_stride())));
    Value stride = or_zero(b_.Index(column_stride())), along = or_zero(b_.Index(unit_));
    return [=, this](Value k) {
      Value column = b_.Rem(k, LineSteps());
      return b_.Add(b_.Add(first, b_.Mul(column, stride)), b_.Mul(b_.Sub(k, column), along));
    };
  }

  void EmitRows(Value depth_begin, Value depth) {
    if (Fetches()) next_panel_ = NextPanel(depth_begin, depth);
    const int64_t whole = p_.rows() / t_.rows * t_.rows, rest = p_.rows() - whole;
    Value begin = b_.Mul(row_block_, t_.row_block);
    Value end =
        row_blocks() == 1 ? b_.Index(whole) : b_.Min(b_.Add(begin, t_.row_block), b_.Index(whole));
    b_.For(begin, end, t_.rows,
           [&](Value row) { EmitTile(row, t_.rows, depth_begin, depth, begin); });
    if (rest == 0) return;
    auto tail = [&] { EmitTile(b_.Index(whole), rest, depth_begin, depth, begin); };
    if (row_blocks() == 1) return tail();
    b_.If(b_.Compare(mlir::arith::CmpIPredicate::eq, row_block_, b_.Index(row_blocks() - 1)), tail);
  }

  int64_t Live(int64_t v) const { return std::min(b_.lanes, columns_ - v * b_.lanes); }

  void EmitTile(Value row, int64_t rows, Value depth_begin, Value depth, Value block_begin) {
    const int64_t vectors = (columns_ + b_.lanes - 1) / b_.lanes;
    const auto load_left = LeftOperand(row, depth_begin);
    Value right = t_.pack ? Value() : RightOffset(depth_begin);
    Prefetch(row, rows, vectors);
    std::function<Value(Value)> fetched;
    if (Fetches()) fetched = FetchedBy(b_.Div(b_.Sub(row, block_begin), t_.rows));
    SmallVector<Value> sums = TileProduct(
        b_, rows, vectors, b_.Index(0), Steps(depth),
        [&](int64_t i, Value k) {
          if (i == 0 && fetched) PrefetchLine(p_.right.buffer, fetched(k));
          return load_left(i, k);
        },
        [&](Value k, int64_t v) {
          if (t_.pack) return b_.LoadVector(panel_, {k, b_.Index(v * b_.lanes)});
          Value at = b_.Add(b_.Add(right, b_.Mul(k, unit_ * p_.right_depth_stride)), v * b_.lanes);
          if (t_.lane == Lane::kFloat) return Widen(b_, LoadRight(at, v));
          return Interleave(b_, LoadRight(at, v), LoadRight(b_.Add(at, p_.right_depth_stride), v));
        },
        t_.lane);
    if (depth_blocks() == 1) return FinishTile(row, rows, vectors, sums);

    Value local = b_.Sub(row, block_begin);
    auto each = [&](bool add, bool store) {
      SmallVector<Value> totals;
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t v = 0; v < vectors; ++v) {
          SmallVector<Value> at{b_.Add(local, i), b_.Index(v * b_.lanes)};
          Value x = sums[i * vectors + v];
          if (add) x = b_.Add(x, b_.LoadVector(sums_, at));
          if (store) b_.StoreVector(x, sums_, at);
          totals.push_back(x);
        }
      }
      return totals;
    };
    b_.If(
        b_.Compare(mlir::arith::CmpIPredicate::eq, depth_begin, depth_begin_),
        [&] { each(/*add=*/false, /*store=*/true); },
        [&] {
          Value end = b_.Add(depth_begin, depth);
          b_.If(
              b_.Less(end, depth_end_), [&] { each(/*add=*/true, /*store=*/true); },
              [&] { FinishTile(row, rows, vectors, each(/*add=*/true, /*store=*/false)); });
        });
  }

  // A function of row i of the tile at `row` and step k from `depth_begin` on: the left operand's
  // lane, in the bits of a float.
  std::function<Value(int64_t, Value)> LeftOperand(Value row, Value depth_begin) {
    if (t_.pack_left) {
      Value group = b_.Div(row, b_.lanes), first = b_.Rem(row, b_.lanes);
      if (left_batch() > 1) group = b_.Add(b_.Mul(batch_index_, left_groups()), group);
      Value step = b_.Add(b_.Mul(group, left_steps()), b_.Div(depth_begin, unit_));
      return [=, this](int64_t i, Value k) {
        return b_.Load(left_, {b_.Add(step, k), b_.Add(first, i)});
      };
    }
    SmallVector<Value> corner(batch_);
    corner.append({row, column_});
    Value left =
        b_.Add(ElementIndex(b_, p_.left, corner), b_.Mul(depth_begin, p_.left_depth_stride));
    Value buffer = buffers_[p_.left.buffer];
    const int64_t row_stride = left_row_stride();
    if (t_.lane == Lane::kFloat)
      return [=, this](int64_t i, Value k) {
        Value at = b_.Add(left, b_.Mul(k, p_.left_depth_stride));
        // A column's walk down the rows of A crosses pages, where no hardware prefetcher follows.
        if (i == 0 && p_.left_depth_stride > 64)
          PrefetchLine(p_.left.buffer, b_.Add(at, kPrefetchDepth * p_.left_depth_stride));
        return b_.Load(buffer, b_.Add(at, i * row_stride));
      };
    if (HoldsPairs(buffer)) {
      Value first = b_.Div(left, unit_);
      return [=, this](int64_t i, Value k) {
        return b_.Load(buffer, b_.Add(b_.Add(first, k), i * row_stride / unit_));
      };
    }
    return [=, this](int64_t i, Value k) -> Value {
      Value at = b_.Add(b_.Add(left, b_.Mul(k, unit_)), i * row_stride);
      return mlir::vector::ExtractOp::create(b_, PairsOf(b_, b_.LoadVector(buffer, at, unit_)), 0);
    };
  }

  // A vector of the right operand as it lies.
  Value LoadRight(Value at, int64_t v) {
    Value buffer = buffers_[p_.right.buffer];
    if (Live(v) == b_.lanes) return b_.LoadVector(buffer, at);
    return b_.LoadMasked(buffer, at, b_.Mask(b_.Index(Live(v))));
  }

  // What the epilogue reads has left the L2 cache since it was written: fetch it while the product
  // runs.
  void Prefetch(Value row, int64_t rows, int64_t vectors) {
    for (const Access* access : p_.epilogue.Reads()) {
      if (access->strides.back() != 1 || access->strides[p_.sizes.size() - 2] == 0) continue;
      for (int64_t i = 0; i < rows; ++i) {
        SmallVector<Value> at(batch_);
        at.append({b_.Add(row, i), column_});
        Value first = ElementIndex(b_, *access, at);
        for (int64_t v = 0; v < vectors; ++v)
          PrefetchLine(access->buffer, b_.Add(first, v * b_.lanes));
      }
    }
  }

  void PrefetchLine(int64_t buffer, Value index) {
    mlir::memref::PrefetchOp::create(b_, buffers_[buffer], ValueRange{index}, /*isWrite=*/false,
                                     /*localityHint=*/3, /*isDataCache=*/true);
  }

  void StorePartial(Value row, int64_t vectors, ArrayRef<Value> sums) {
    Value first = b_.Add(b_.Mul(batch_index_, p_.rows()), row);
    for (auto [i, sum] : llvm::enumerate(sums))
      b_.StoreVector(
          sum, partial_,
          {split_, b_.Add(first, i / vectors), b_.Add(column_, (i % vectors) * b_.lanes)});
  }

  void FinishTile(Value row, int64_t rows, int64_t vectors, ArrayRef<Value> sums) {
    if (t_.splits > 1) return StorePartial(row, vectors, sums);
    auto finish = [&](Value i, int64_t v, Value x) {
      SmallVector<Value> at(batch_);
      at.append({b_.Add(row, i), b_.Add(column_, v * b_.lanes)});
      Finish(at, x, Live(v));
    };
    if (!t_.staged) {
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t v = 0; v < vectors; ++v) finish(b_.Index(i), v, sums[i * vectors + v]);
      return;
    }
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t v = 0; v < vectors; ++v)
        b_.StoreVector(sums[i * vectors + v], stage_, {b_.Index(i), b_.Index(v * b_.lanes)});
    b_.For(0, rows, 1, [&](Value i) {
      for (int64_t v = 0; v < vectors; ++v)
        finish(i, v, b_.LoadVector(stage_, {i, b_.Index(v * b_.lanes)}));
    });
  }

  void Finish(ValueRange at, Value x, int64_t live) {
    FinishProduct(b_, p_, buffers_, at, x, live);
  }

  Builder& b_;
  const Product& p_;
  const Tiling& t_;
  const int64_t unit_;  // elements of the depth in a lane
  SmallVector<Value> buffers_;
  Value left_, panel_, sums_, stage_, partial_;
  Value next_panel_;  // index of its first element
  // The task at hand.
  Value row_block_, batch_index_, split_, column_;
  Value depth_begin_, depth_end_;
  SmallVector<Value> batch_;
  int64_t columns_ = 0;
};

}  // namespace

void AppendPhase(Builder& b, mlir::func::FuncOp body, const std::string& name, int64_t tasks,
                 double flops, llvm::function_ref<void(PhaseArguments&)> emit, Kernel& kernel) {
  Phase phase{absl::StrCat(body.getSymName().str(), "_", name), tasks, 1, flops};
  const int64_t most = std::max<int64_t>(tasks, 1);
  phase.grain =
      flops <= kSmallFlops
          ? most
          : std::clamp<int64_t>(static_cast<int64_t>(kTaskFlops * tasks / flops), 1, most);
  codegen::PhaseSizes sizes = codegen::EmitPhase(b, phase.symbol, body, emit);
  kernel.workspace_floats = std::max(kernel.workspace_floats, sizes.workspace_floats);
  kernel.scratch_floats = std::max(kernel.scratch_floats, sizes.scratch_floats);
  kernel.phases.push_back(std::move(phase));
}

void AppendProduct(Builder& b, mlir::func::FuncOp body, const Product& product,
                   const Target& target, const std::string& name,
                   llvm::function_ref<SmallVector<Value>(PhaseArguments&)> buffers,
                   Kernel& kernel) {
  kernel.optimization = 0;
  const auto computed = [&, own = body.getNumArguments() +
                                  body.getNumResults()](const Access& operand) {
    return !product.element.isF32() && operand.buffer >= own;
  };
  const Computed operands{computed(product.left), computed(product.right)};
  if (!operands.right && IsDots(product, target))
    return AppendDots(b, body, product, LaneOf(product.element, target), name, buffers, kernel);
  const Tiling tiling = ChooseTiling(product, operands, target);
  ProductEmitter emitter(b, product, tiling);
  if (tiling.pack_left)
    AppendPhase(
        b, body, absl::StrCat(name, "_pack"), emitter.left_tasks(), emitter.left_flops(),
        [&](PhaseArguments& arguments) { emitter.EmitPackLeft(buffers(arguments), arguments); },
        kernel);
  AppendPhase(
      b, body, absl::StrCat(name, "_product"), emitter.tasks(), product.flops(),
      [&](PhaseArguments& arguments) { emitter.EmitProducts(buffers(arguments), arguments); },
      kernel);
  if (tiling.splits == 1) return;
  AppendPhase(
      b, body, absl::StrCat(name, "_sum"), emitter.sum_tasks(),
      product.flops() / product.depth * tiling.splits,
      [&](PhaseArguments& arguments) { emitter.EmitSums(buffers(arguments), arguments); }, kernel);
}

}  // namespace trama::cpu
