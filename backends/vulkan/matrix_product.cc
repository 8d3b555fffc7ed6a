// As workgroup_product.cc, with a subgroup's cooperative matrices instead of an invocation's sums.
// A workgroup copies what a tile needs of both sides to its memory as the operands lie there, by
// rows or by columns, in the matrices' element type and with zeros beyond the depth; so operands of
// any size, place and order are read. Sums go through workgroup memory to the epilogue.
#include "backends/vulkan/matrix_product.h"

#include "absl/strings/str_cat.h"
#include "backends/codegen/pointwise.h"
#include "backends/vulkan/matrix_fragments.h"
#include "backends/vulkan/product_operand.h"
#include "backends/vulkan/product_part.h"
#include "backends/vulkan/quads.h"

namespace trama::vulkan {
namespace {

// What a tile is cut into.
struct Geometry {
  Geometry(const ProductTile& t, uint32_t subgroup_size)
      : down(t.workgroup_rows), across(t.local / subgroup_size / down) {}
  const int64_t down, across;  // subgroups

  int64_t rows(const ProductTile& t) const { return down * t.rows * t.matrix.m; }
  int64_t columns(const ProductTile& t) const { return across * t.runs * t.matrix.n; }
  // Vectors of a row of sums of a subgroup, and of all subgroups' memory for them: they write one
  // row of matrices at a time.
  int64_t sum_quads(const ProductTile& t) const { return t.runs * t.matrix.n / 4; }
  int64_t all_sum_quads(const ProductTile& t) const {
    return down * across * t.matrix.m * sum_quads(t);
  }
};

// One side's part of a tile, in workgroup memory: its lines are rows or columns along the depth, or
// depths along these, whichever lie so in the operand.
class SideTile {
 public:
  SideTile(PhaseBuilder& b, mlir::func::FuncOp body, const Product& p, const ProductTile& t,
           Side side, int64_t size)
      : b_(b),
        p_(p),
        t_(t),
        side_(side),
        operand_(b, body, p, side),
        size_(size),
        along_depth_(operand_.form() == OperandForm::kDepthQuads ||
                     (operand_.form() == OperandForm::kElements && !operand_.free_in_order())),
        stride_(Stride(along_depth_ ? t.depth : size, t.matrix)),
        element_(MatrixElement(b, t.matrix.element)),
        memory_(b.Shared({(along_depth_ ? size : t.depth) * stride_}, b.Vector(4, element_))) {}

  void Start(ValueRange batch) { operand_.Start(batch); }

  // Vectors from one line to the next: 16 bytes more than there are, so that the lines of a matrix
  // begin in different banks.
  static int64_t Stride(int64_t elements, const MatrixShape& shape) {
    return elements / 4 + (shape.element == MatrixShape::kF32 ? 1 : 2);
  }

  // Fills the tile from row or column `first` on, at the depths from `depth` on.
  void Copy(Value local, Value first, Value depth) {
    const int64_t line = along_depth_ ? t_.depth / 4 : size_ / 4;
    const int64_t count = line * (along_depth_ ? size_ : t_.depth);
    for (int64_t begin = 0; begin < count; begin += t_.local) {
      Value e = b_.Add(local, begin), at = Remainder(b_, e, line), row = Divide(b_, e, line);
      auto copy = [&] {
        b_.Store(along_depth_ ? AlongDepth(b_.Add(first, row), depth, at)
                              : AlongFree(first, at, b_.Add(depth, row)),
                 memory_, b_.Add(b_.Mul(row, stride_), at));
      };
      if (begin + t_.local <= count)
        copy();
      else
        b_.If(b_.Less(e, b_.Index(count)), copy);
    }
  }

  // The matrix from row or column `place` and depth `k` of the tile on, both multiples of 4.
  Value Matrix(Value place, int64_t k) {
    const bool left = side_ == Side::kLeft;
    Value at = along_depth_ ? b_.Add(b_.Mul(place, stride_), k / 4)
                            : b_.Add(Divide(b_, place, 4), k * stride_);
    return LoadMatrix(b_, t_.matrix, left ? MatrixUse::kLeft : MatrixUse::kRight, memory_, at,
                      stride_, left == along_depth_ ? MatrixLayout::kRows : MatrixLayout::kColumns);
  }

 private:
  // Quad number `quad` from `depth` on of row or column `free`.
  Value AlongDepth(Value free, Value depth, Value quad) {
    free = b_.Min(free, b_.Index(operand_.free_size() - 1));
    if (operand_.form() == OperandForm::kDepthQuads) {
      Value at = b_.Add(Divide(b_, depth, 4), quad);
      Value safe = b_.Min(at, b_.Index((p_.depth - 1) / 4));
      Value x = Converted(operand_.StoredQuad(operand_.QuadOffset(free), safe));
      if (p_.depth % t_.depth == 0) return x;
      Value lanes = b_.Add(b_.Broadcast(b_.Mul(at, 4)), b_.LaneIndices(b_.getIndexType(), 4));
      Value inside = b_.Less(lanes, b_.Broadcast(b_.Index(p_.depth)));
      return b_.Select(inside, x, b_.Constant(x.getType(), 0));
    }
    SmallVector<Value> elements;
    for (int64_t l = 0; l < 4; ++l)
      elements.push_back(Element(free, b_.Add(b_.Add(depth, b_.Mul(quad, 4)), l)));
    return MakeQuad(b_, elements);
  }

  // Quad number `quad` from row or column `first` on at `depth`.
  Value AlongFree(Value first, Value quad, Value depth) {
    if (operand_.form() == OperandForm::kFreeQuads) {
      Value free =
          b_.Min(b_.Add(Divide(b_, first, 4), quad), b_.Index((operand_.free_size() - 1) / 4));
      Value safe = b_.Min(depth, b_.Index(p_.depth - 1));
      return Within(Converted(operand_.StoredQuad(operand_.QuadOffset(free), safe)), depth);
    }
    SmallVector<Value> elements;
    for (int64_t l = 0; l < 4; ++l) {
      Value free = b_.Add(b_.Add(first, b_.Mul(quad, 4)), l);
      elements.push_back(Element(b_.Min(free, b_.Index(operand_.free_size() - 1)), depth));
    }
    return MakeQuad(b_, elements);
  }

  Value Element(Value free, Value depth) {
    Value safe = b_.Min(depth, b_.Index(p_.depth - 1));
    return Within(Converted(operand_.StoredElement(operand_.ElementOffset(free), safe)), depth);
  }
  Value Within(Value x, Value depth) {
    if (p_.depth % t_.depth == 0) return x;
    return b_.Select(b_.Less(depth, b_.Index(p_.depth)), x, b_.Constant(x.getType(), 0));
  }
  Value Converted(Value x) { return codegen::CastElements(b_, x, element_); }

  PhaseBuilder& b_;
  const Product& p_;
  const ProductTile& t_;
  const Side side_;
  ProductOperand operand_;
  const int64_t size_;
  const bool along_depth_;
  const int64_t stride_;
  const Type element_;
  const Value memory_;
};

class MatrixProduct {
 public:
  MatrixProduct(PhaseBuilder& b, mlir::func::FuncOp body, const Product& p, const ProductTile& t)
      : b_(b),
        p_(p),
        t_(t),
        g_(t, b.target().matrix_subgroup_size),
        left_(b, body, p, t, Side::kLeft, g_.rows(t)),
        right_(b, body, p, t, Side::kRight, g_.columns(t)),
        part_(b, body, p, t, g_.rows(t), g_.columns(t)) {}

  int64_t workgroups() const { return part_.workgroups(); }

  void Emit() {
    part_.Start();
    Value first_column = b_.Mul(part_.column_tile(), g_.columns(t_));
    left_.Start(part_.batch());
    right_.Start(part_.batch());
    subgroup_ = mlir::gpu::SubgroupIdOp::create(b_, /*upper_bound=*/nullptr);
    // What of the tile is the subgroup's.
    Value row = b_.Mul(Divide(b_, subgroup_, g_.across), t_.rows * t_.matrix.m);
    Value column = b_.Mul(Remainder(b_, subgroup_, g_.across), t_.runs * t_.matrix.n);
    for (int64_t i = 0; i < t_.rows * t_.runs; ++i) sums_.emplace_back(b_, t_.matrix);

    Value local = b_.LocalIndex();
    b_.For(part_.begin(), part_.End(p_.depth), t_.depth, [&](Value depth) {
      left_.Copy(local, part_.first_row(), depth);
      right_.Copy(local, first_column, depth);
      b_.Barrier();
      for (int64_t k = 0; k < t_.depth; k += t_.matrix.k) Multiply(row, column, k);
      b_.Barrier();
    });
    Finish(b_.Add(part_.first_row(), row), b_.Add(first_column, column));
  }

 private:
  void Multiply(Value row, Value column, int64_t k) {
    SmallVector<Value> left;
    for (int64_t i = 0; i < t_.rows; ++i)
      left.push_back(left_.Matrix(b_.Add(row, i * t_.matrix.m), k));
    for (int64_t r = 0; r < t_.runs; ++r) {
      Value right = right_.Matrix(b_.Add(column, r * t_.matrix.n), k);
      for (int64_t i = 0; i < t_.rows; ++i) {
        MatrixSums& sums = sums_[i * t_.runs + r];
        sums.Store(MultiplyMatrices(b_, left[i], right, sums.Load()));
      }
    }
  }

  // One row of matrices at a time: to the subgroup's memory, and from there each invocation's share
  // of quads to the epilogue.
  void Finish(Value first_row, Value first_column) {
    const int64_t quads = g_.sum_quads(t_), count = t_.matrix.m * quads;
    Value memory = b_.Shared({g_.all_sum_quads(t_)}, b_.VectorF32());
    Value begin = b_.Mul(subgroup_, count);
    for (int64_t i = 0; i < t_.rows; ++i) {
      if (i) b_.Barrier();
      for (int64_t r = 0; r < t_.runs; ++r)
        StoreMatrix(b_, sums_[i * t_.runs + r].Load(), memory, b_.Add(begin, r * t_.matrix.n / 4),
                    quads);
      b_.Barrier();
      b_.For(b_.Lane(), b_.Index(count), b_.target().matrix_subgroup_size, [&](Value q) {
        Value sum = b_.Load(memory, b_.Add(begin, q));
        Value row = b_.Add(b_.Add(first_row, i * t_.matrix.m), Divide(b_, q, quads));
        Value column = b_.Add(first_column, b_.Mul(Remainder(b_, q, quads), 4));
        part_.Finish(row, column, sum);
      });
    }
  }

  PhaseBuilder& b_;
  const Product& p_;
  const ProductTile& t_;
  const Geometry g_;
  SideTile left_, right_;
  ProductPart part_;
  Value subgroup_;
  std::vector<MatrixSums> sums_;
};

}  // namespace

int64_t MatrixProductBytes(const ProductTile& t, uint32_t subgroup_size) {
  const Geometry g(t, subgroup_size);
  const int64_t quad = t.matrix.element == MatrixShape::kF32 ? 16 : 8;
  const auto side = [&](int64_t size) {
    const int64_t lines_of_depth = size * SideTile::Stride(t.depth, t.matrix);
    return std::max(lines_of_depth, t.depth * SideTile::Stride(size, t.matrix)) * quad;
  };
  return side(g.rows(t)) + side(g.columns(t)) + g.all_sum_quads(t) * 16;
}

absl::Status AppendMatrixProduct(mlir::ModuleOp module, mlir::func::FuncOp body,
                                 const Product& product, const Target& target,
                                 const ProductTile& tile, const std::string& name, Kernel& kernel) {
  PhaseBuilder b(module, body, target, kernel, absl::StrCat(name, "_product"),
                 {static_cast<uint32_t>(tile.local), 1, 1});
  MatrixProduct emitter(b, body, product, tile);
  emitter.Emit();
  return b.Finish(emitter.workgroups());
}

}  // namespace trama::vulkan
