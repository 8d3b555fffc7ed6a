// matmul and linear: C = epilogue(A B) by register tiles over packed panels of B.
//
// The work is cut into tasks of (batch, panel of columns, block of rows). A task packs its panel
// into the thread's scratch (unless B can be read as it lies) and runs tiles down the rows; A is
// read in place, one scalar a lane-wide multiply. Deep products go by blocks of the depth whose
// sums stay in scratch; few outputs with a very long depth split the depth over tasks and add up in
// a second phase. The layout follows Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication" (2008).
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/codegen/vector_math.h"
#include "backends/cpu/kernel.h"
#include "backends/cpu/kernel_body.h"
#include "backends/cpu/tile.h"
#include "base/status_macros.h"

namespace trama::cpu {
namespace {
using codegen::PhaseArguments;

// The product in one form for all: dimensions batch.., rows, columns and the inner depth.
struct Product {
  SmallVector<int64_t> sizes;  // batch.., rows, columns
  int64_t depth = 0;
  Access left, right;  // over `sizes`: 0 along columns and rows respectively
  int64_t left_depth_stride = 0, right_depth_stride = 0;
  std::optional<Access> bias;
  Activation activation = Activation::none;
  Epilogue epilogue;

  int64_t rows() const { return sizes[sizes.size() - 2]; }
  int64_t columns() const { return sizes.back(); }
  int64_t batch() const {
    int64_t count = 1;
    for (size_t d = 0; d + 2 < sizes.size(); ++d) count *= sizes[d];
    return count;
  }
  double flops() const { return 2.0 * batch() * rows() * columns() * depth; }
  int64_t right_column_stride() const { return right.strides.back(); }
  SmallVector<Access*> Accesses() {
    SmallVector<Access*> all = epilogue.Accesses();
    all.push_back(&left);
    all.push_back(&right);
    if (bias) all.push_back(&*bias);
    return all;
  }
};

// `operand` [.., m, k] over the dimensions of the result, without its last two or with `row`.
SmallVector<int64_t> OverResult(ArrayRef<int64_t> shape, ArrayRef<int64_t> strides, size_t rank) {
  SmallVector<int64_t> over(rank, 0);
  const size_t leading = shape.size() - 2;
  for (size_t d = 0; d < leading; ++d)
    if (shape[d] != 1) over[rank - 2 - leading + d] = strides[d];
  return over;
}

absl::StatusOr<Product> ProductOf(MatmulOp op, mlir::func::FuncOp body) {
  Product p;
  TRAMA_ASSIGN_OR_RETURN(p.left, ReadAccess(op.getLhs()));
  TRAMA_ASSIGN_OR_RETURN(p.right, ReadAccess(op.getRhs()));
  TRAMA_ASSIGN_OR_RETURN(p.epilogue, Epilogue::Create(body, op.getY()));
  p.sizes.assign(ShapeOf(op.getY()).begin(), ShapeOf(op.getY()).end());
  const size_t rank = p.sizes.size();
  const size_t l = ShapeOf(op.getLhs()).size(), r = ShapeOf(op.getRhs()).size();
  const size_t left_depth = op.getTransposeLhs() ? l - 2 : l - 1;
  const size_t right_depth = op.getTransposeRhs() ? r - 1 : r - 2;
  p.depth = ShapeOf(op.getLhs())[left_depth];
  p.left_depth_stride = p.left.strides[left_depth];
  p.right_depth_stride = p.right.strides[right_depth];
  const int64_t row_stride = p.left.strides[2 * l - 3 - left_depth];
  const int64_t column_stride = p.right.strides[2 * r - 3 - right_depth];
  p.left.strides = OverResult(ShapeOf(op.getLhs()), p.left.strides, rank);
  p.right.strides = OverResult(ShapeOf(op.getRhs()), p.right.strides, rank);
  p.left.strides[rank - 2] = row_stride;
  p.right.strides[rank - 1] = column_stride;
  return p;
}

absl::StatusOr<Product> ProductOf(LinearOp op, mlir::func::FuncOp body) {
  Product p;
  TRAMA_ASSIGN_OR_RETURN(p.left, ReadAccess(op.getX()));
  TRAMA_ASSIGN_OR_RETURN(p.right, ReadAccess(op.getWeight()));
  TRAMA_ASSIGN_OR_RETURN(p.epilogue, Epilogue::Create(body, op.getY()));
  p.sizes.assign(ShapeOf(op.getY()).begin(), ShapeOf(op.getY()).end());
  p.depth = ShapeOf(op.getX()).back();
  p.left_depth_stride = p.left.strides.back();
  p.left.strides.back() = 0;
  p.right_depth_stride = p.right.strides[op.getTransposeWeight() ? 1 : 0];
  const int64_t column_stride = p.right.strides[op.getTransposeWeight() ? 0 : 1];
  p.right.strides.assign(p.sizes.size(), 0);
  p.right.strides.back() = column_stride;
  if (op.getBias()) {
    TRAMA_ASSIGN_OR_RETURN(p.bias, ReadAccess(op.getBias()));
    const int64_t stride = p.bias->strides.back();
    p.bias->strides.assign(p.sizes.size(), 0);
    p.bias->strides.back() = stride;
  }
  p.activation = op.getActivation();
  if (p.sizes.size() == 1) {  // one row
    p.sizes.insert(p.sizes.begin(), 1);
    for (Access* access : p.Accesses()) access->strides.insert(access->strides.begin(), 0);
  }
  return p;
}

// Merges dimensions and turns the product round where its result is contiguous along the rows.
void Normalize(Product& p) {
  MergeDimensions(p.sizes, p.Accesses());
  const size_t rank = p.sizes.size(), row = rank - 2, column = rank - 1;
  SmallVector<Access*> outputs = p.epilogue.Accesses();
  const Access& first = *outputs.front();
  const bool by_rows = first.strides[row] == 1 && p.sizes[row] > 1 &&
                       (p.sizes[column] == 1 || first.strides[column] != 1);
  if (by_rows) {
    for (Access* access : p.Accesses()) std::swap(access->strides[row], access->strides[column]);
    std::swap(p.sizes[row], p.sizes[column]);
    std::swap(p.left, p.right);
    std::swap(p.left_depth_stride, p.right_depth_stride);
  }
  // A dimension of one element has any stride: one that makes vectors of it.
  if (p.sizes[column] == 1) {
    for (Access* access : p.Accesses()) access->strides[column] = 1;
    p.left.strides[column] = 0;
  }
  if (p.depth == 1 && p.right_column_stride() != 1) p.right_depth_stride = 1;
}

struct Tiling {
  int64_t rows = 8, vectors = 3;  // of one tile
  int64_t row_block = 0;          // rows of a task, a multiple of `rows` unless all
  int64_t depth_block = 0;        // depth of a packed panel
  int64_t splits = 1;             // tasks that share one output, each with one depth block
  bool pack = true;
  bool staged = false;  // the epilogue runs from memory, not from the accumulators
};

constexpr double kSmallFlops = 20e3;  // one task
constexpr double kTaskFlops = 150e3;  // not worth cutting further
constexpr int64_t kTasks = 12;        // enough to keep a few threads equally busy
constexpr int64_t kMaxDepth = 1536;   // a panel of 48 columns then takes a third of L2; also what
                                      // one running sum may take before it loses digits
constexpr int64_t kMaxRowBlock = 1024;

Tiling ChooseTiling(const Product& p, const Target& target) {
  Tiling t;
  const int64_t lanes = target.lanes, rows = p.rows(), depth = p.depth;
  const int64_t all_vectors = (p.columns() + lanes - 1) / lanes;
  const bool wide = target.registers >= 32, contiguous = p.right_column_stride() == 1;
  t.staged = p.epilogue.IsHeavy() ||
             (p.activation != Activation::none && p.activation != Activation::relu);

  if (rows <= 4 && contiguous) {
    // Decoding: every weight is read once, in rows as long as the registers allow.
    const int64_t most = (wide ? 16 : 8) / rows;
    t.vectors = std::min(all_vectors, most);
    while (t.vectors > 4 && p.batch() * ((all_vectors + t.vectors - 1) / t.vectors) < 8)
      t.vectors = (t.vectors + 1) / 2;
    t.rows = rows;
  } else {
    t.vectors = std::min<int64_t>(all_vectors, wide ? 3 : 2);
    if (wide && all_vectors == 4) t.vectors = 2;
    const int64_t most = t.vectors == 1 ? (wide ? 16 : 8) : wide ? 8 : 6;
    const int64_t tiles = (rows + most - 1) / most;
    t.rows = (rows + tiles - 1) / tiles;
  }
  const int64_t panels = (all_vectors + t.vectors - 1) / t.vectors;
  const int64_t tiles = (rows + t.rows - 1) / t.rows;

  // Rows are cut where the panels alone are too few, but not so far that packing shows.
  const int64_t wanted =
      std::clamp<int64_t>(static_cast<int64_t>(p.flops() / kTaskFlops), 1, kTasks);
  const int64_t least_tiles = contiguous ? 8 : 24;
  int64_t blocks = std::max<int64_t>(1, (wanted + p.batch() * panels - 1) / (p.batch() * panels));
  blocks = std::clamp<int64_t>(blocks, 1, std::max<int64_t>(1, tiles / least_tiles));
  blocks = std::max(blocks, (rows + kMaxRowBlock - 1) / kMaxRowBlock);
  const int64_t block_tiles = (tiles + blocks - 1) / blocks;
  t.row_block = block_tiles * t.rows;

  const bool panel_as_it_lies =
      panels == 1 && p.columns() % lanes == 0 && p.right_depth_stride <= 2 * t.vectors * lanes;
  t.pack = !contiguous || (block_tiles > 2 && !panel_as_it_lies);

  t.depth_block = std::max<int64_t>(depth, 1);
  if (p.batch() * panels * tiles <= 4 && depth >= 4096) {
    t.splits = std::clamp<int64_t>(depth / 1024, 2, 16);
    t.depth_block = (depth + t.splits - 1) / t.splits;
  } else if (depth > kMaxDepth) {
    const int64_t count = (depth + 1023) / 1024;
    t.depth_block = (depth + count - 1) / count;
  }
  if (t.depth_block < depth) {
    t.depth_block = (t.depth_block + lanes - 1) / lanes * lanes;
    if (t.splits > 1) t.splits = (depth + t.depth_block - 1) / t.depth_block;
  }
  return t;
}

class MatmulEmitter {
 public:
  MatmulEmitter(Builder& b, const Product& p, const Tiling& t) : b_(b), p_(p), t_(t) {}

  int64_t tasks() const { return t_.splits * p_.batch() * panels() * row_blocks(); }
  int64_t sum_tasks() const { return p_.batch() * p_.rows(); }

  // The products of a range of tasks.
  void EmitProducts(PhaseArguments& arguments) {
    Prepare(arguments);
    if (t_.pack) panel_ = arguments.scratch.Take(b_, {RoundUp(t_.depth_block), width()});
    if (depth_blocks() > 1) sums_ = arguments.scratch.Take(b_, {t_.row_block, width()});
    if (t_.staged) stage_ = arguments.scratch.Take(b_, {t_.rows, width()});
    first_task_ = arguments.begin;
    b_.For(arguments.begin, arguments.end, 1, [&](Value task) { EmitTask(task); });
  }

  // Adds the splits' partial sums in order, a row a task.
  void EmitSums(PhaseArguments& arguments) {
    Prepare(arguments);
    b_.For(arguments.begin, arguments.end, 1, [&](Value task) {
      SmallVector<Value> at = BatchIndices(b_.Div(task, p_.rows()));
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
  int64_t depth_blocks() const {
    return t_.splits > 1 ? 1 : (p_.depth + t_.depth_block - 1) / t_.depth_block;
  }

  void Prepare(PhaseArguments& arguments) {
    buffers_ = FlatBuffers(b_, arguments);
    if (t_.splits > 1)
      partial_ =
          arguments.workspace.Take(b_, {t_.splits, p_.batch() * p_.rows(), panels() * width()});
  }

  SmallVector<Value> BatchIndices(Value batch) {
    SmallVector<Value> indices(p_.sizes.size() - 2);
    for (size_t d = indices.size(); d-- > 0;) {
      indices[d] = d == 0 ? batch : b_.Rem(batch, p_.sizes[d]);
      batch = b_.Div(batch, p_.sizes[d]);
    }
    return indices;
  }

  void EmitTask(Value task) {
    // Blocks of rows innermost: a thread that goes on in the same panel keeps it packed.
    row_block_ = b_.Index(0);
    Value rest = task;
    if (row_blocks() > 1) {
      row_block_ = b_.Rem(task, row_blocks());
      rest = b_.Div(task, row_blocks());
    }
    needs_packing_ = b_.Or(b_.Compare(mlir::arith::CmpIPredicate::eq, task, first_task_),
                           b_.Compare(mlir::arith::CmpIPredicate::eq, row_block_, b_.Index(0)));
    Value panel = b_.Index(0);
    if (panels() > 1) {
      panel = b_.Rem(rest, panels());
      rest = b_.Div(rest, panels());
    }
    batch_index_ = rest;
    depth_begin_ = b_.Index(0);
    if (t_.splits > 1) {
      batch_index_ = b_.Rem(rest, p_.batch());
      split_ = b_.Div(rest, p_.batch());
      depth_begin_ = b_.Mul(split_, t_.depth_block);
    }
    batch_ = BatchIndices(batch_index_);
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
      Value depth = b_.Index(p_.depth);
      if (t_.splits > 1)
        depth = b_.Min(b_.Index(t_.depth_block), b_.Sub(b_.Index(p_.depth), depth_begin_));
      if (t_.pack && row_blocks() > 1)
        b_.If(needs_packing_, [&] { Pack(depth_begin_, depth); });
      else if (t_.pack)
        Pack(depth_begin_, depth);
      EmitRows(depth_begin_, depth);
      return;
    }
    b_.For(0, p_.depth, t_.depth_block, [&](Value k) {
      Value depth = b_.Min(b_.Index(t_.depth_block), b_.Sub(b_.Index(p_.depth), k));
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
    PackPanel(b_,
              {buffers_[p_.right.buffer], RightOffset(depth_begin), p_.right_depth_stride,
               p_.right_column_stride()},
              panel_, depth, p_.depth % b_.lanes, columns_);
  }

  void EmitRows(Value depth_begin, Value depth) {
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
    SmallVector<Value> corner(batch_);
    corner.append({row, column_});
    Value left =
        b_.Add(ElementIndex(b_, p_.left, corner), b_.Mul(depth_begin, p_.left_depth_stride));
    const int64_t row_stride = p_.left.strides[p_.sizes.size() - 2];
    Value right = t_.pack ? Value() : RightOffset(depth_begin);
    SmallVector<Value> sums = TileProduct(
        b_, rows, vectors, b_.Index(0), depth,
        [&](int64_t i, Value k) {
          Value at = b_.Add(left, b_.Mul(k, p_.left_depth_stride));
          return b_.Load(buffers_[p_.left.buffer], b_.Add(at, i * row_stride));
        },
        [&](Value k, int64_t v) {
          if (t_.pack) return b_.LoadVector(panel_, {k, b_.Index(v * b_.lanes)});
          Value at = b_.Add(b_.Add(right, b_.Mul(k, p_.right_depth_stride)), v * b_.lanes);
          if (Live(v) == b_.lanes) return b_.LoadVector(buffers_[p_.right.buffer], at);
          return b_.LoadMasked(buffers_[p_.right.buffer], at, b_.Mask(b_.Index(Live(v))));
        });
    if (t_.splits > 1) return StorePartial(row, vectors, sums);
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
        b_.Compare(mlir::arith::CmpIPredicate::eq, depth_begin, b_.Index(0)),
        [&] { each(/*add=*/false, /*store=*/true); },
        [&] {
          Value end = b_.Add(depth_begin, depth);
          b_.If(
              b_.Less(end, b_.Index(p_.depth)), [&] { each(/*add=*/true, /*store=*/true); },
              [&] { FinishTile(row, rows, vectors, each(/*add=*/true, /*store=*/false)); });
        });
  }

  void StorePartial(Value row, int64_t vectors, ArrayRef<Value> sums) {
    Value first = b_.Add(b_.Mul(batch_index_, p_.rows()), row);
    for (auto [i, sum] : llvm::enumerate(sums))
      b_.StoreVector(
          sum, partial_,
          {split_, b_.Add(first, i / vectors), b_.Add(column_, (i % vectors) * b_.lanes)});
  }

  void FinishTile(Value row, int64_t rows, int64_t vectors, ArrayRef<Value> sums) {
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
    if (p_.bias) x = b_.Add(x, LoadLanes(b_, buffers_, *p_.bias, at, live));
    switch (p_.activation) {
      case Activation::none:
        break;
      case Activation::relu:
        x = b_.Max(x, b_.Splat(0));
        break;
      case Activation::gelu:
        x = codegen::Gelu(b_, x, /*tanh_form=*/false);
        break;
      case Activation::gelu_tanh:
        x = codegen::Gelu(b_, x, /*tanh_form=*/true);
        break;
      case Activation::tanh:
        x = codegen::Tanh(b_, x);
        break;
      case Activation::sigmoid:
        x = codegen::Sigmoid(b_, x);
        break;
    }
    p_.epilogue.Emit(b_, buffers_, at, x, live);
  }

  Builder& b_;
  const Product& p_;
  const Tiling& t_;
  SmallVector<Value> buffers_;
  Value panel_, sums_, stage_, partial_;
  // The task at hand.
  Value first_task_, row_block_, needs_packing_, batch_index_, split_, depth_begin_, column_;
  SmallVector<Value> batch_;
  int64_t columns_ = 0;
};

absl::Status CheckFloat32(mlir::Operation* op) {
  for (Value value : op->getOperands())
    if (!mlir::getElementTypeOrSelf(value).isF32())
      return absl::UnimplementedError(
          absl::StrCat(op->getName().getStringRef().str(), ": element types other than f32"));
  return absl::OkStatus();
}

template <typename Op>
absl::StatusOr<Kernel> EmitProductOf(mlir::func::FuncOp body, mlir::ModuleOp module,
                                     const Target& target) {
  Op op = FindAnchor<Op>(body);
  if (!op) return absl::InternalError("a kernel without its anchor");
  TRAMA_RETURN_IF_ERROR(CheckFloat32(op));
  TRAMA_ASSIGN_OR_RETURN(Product product, ProductOf(op, body));
  Normalize(product);
  const Tiling tiling = ChooseTiling(product, target);
  Builder b(module, target.lanes);
  MatmulEmitter emitter(b, product, tiling);

  Kernel kernel;
  auto phase = [&](absl::string_view suffix, int64_t tasks, double flops,
                   llvm::function_ref<void(PhaseArguments&)> emit) {
    Phase phase{absl::StrCat(body.getSymName().str(), suffix), tasks, 1, flops};
    if (tasks > 0)
      phase.grain =
          std::clamp<int64_t>(static_cast<int64_t>(kTaskFlops * tasks / (flops + 1)), 1, tasks);
    if (flops <= kSmallFlops) phase.grain = std::max<int64_t>(tasks, 1);
    codegen::PhaseSizes sizes = codegen::EmitPhase(b, phase.symbol, body, emit);
    kernel.workspace_floats = std::max(kernel.workspace_floats, sizes.workspace_floats);
    kernel.scratch_floats = std::max(kernel.scratch_floats, sizes.scratch_floats);
    kernel.phases.push_back(std::move(phase));
  };
  phase("_product", emitter.tasks(), product.flops(),
        [&](PhaseArguments& arguments) { emitter.EmitProducts(arguments); });
  if (tiling.splits > 1)
    phase("_sum", emitter.sum_tasks(), product.flops() / product.depth * tiling.splits,
          [&](PhaseArguments& arguments) { emitter.EmitSums(arguments); });
  return kernel;
}

absl::StatusOr<Kernel> EmitMatmul(mlir::func::FuncOp body, mlir::ModuleOp module,
                                  const Target& target) {
  return EmitProductOf<MatmulOp>(body, module, target);
}
absl::StatusOr<Kernel> EmitLinear(mlir::func::FuncOp body, mlir::ModuleOp module,
                                  const Target& target) {
  return EmitProductOf<LinearOp>(body, module, target);
}
}  // namespace

TRAMA_CPU_KERNEL("matmul", EmitMatmul);
TRAMA_CPU_KERNEL("linear", EmitLinear);

}  // namespace trama::cpu
