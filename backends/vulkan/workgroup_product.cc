// A workgroup computes a tile of the result. For each piece of the depth it copies what it needs of
// both sides to its memory, from where an invocation reads `rows` rows and `runs` quads of columns:
// each element that is loaded serves a row or column of invocations.
#include "backends/vulkan/workgroup_product.h"

#include "absl/strings/str_cat.h"
#include "backends/vulkan/product_operand.h"
#include "backends/vulkan/product_part.h"
#include "backends/vulkan/quads.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {

class WorkgroupProduct {
 public:
  WorkgroupProduct(PhaseBuilder& b, mlir::func::FuncOp body, const Product& p, const ProductTile& t)
      : b_(b),
        p_(p),
        t_(t),
        left_(b, body, p, Side::kLeft),
        right_(b, body, p, Side::kRight),
        part_(b, body, p, t, tile_rows(), tile_columns()) {}

  int64_t workgroups() const { return part_.workgroups(); }

  void Emit() {
    part_.Start();
    first_column_ = b_.Mul(part_.column_tile(), tile_columns());
    left_.Start(part_.batch());
    right_.Start(part_.batch());
    local_ = b_.LocalIndex();
    x_ = Remainder(b_, local_, across());
    y_ = Divide(b_, local_, across());
    left_tile_ = b_.Shared({t_.depth, tile_rows()}, b_.F32());
    right_tile_ = b_.Shared({t_.depth, tile_columns()}, b_.F32());
    Finish(Sums());
  }

 private:
  using Values = SmallVector<Value>;

  int64_t across() const { return t_.local / t_.workgroup_rows; }  // invocations in a row
  int64_t tile_rows() const { return t_.workgroup_rows * t_.rows; }
  int64_t tile_columns() const { return across() * t_.runs * 4; }

  // Copies `size` rows or columns from `first` on, at the tile's depths from `depth` on, to
  // `tile` [depth, size]. What lies beyond the depth becomes 0.
  void Copy(ProductOperand& side, Value first, int64_t size, Value depth, Value tile) {
    const bool quads = side.form() != OperandForm::kElements;
    const bool along_depth = side.form() == OperandForm::kDepthQuads;
    const int64_t depths = along_depth ? t_.depth / 4 : t_.depth;
    const int64_t places = quads && !along_depth ? size / 4 : size;
    const int64_t last_free = side.free_size() - 1, last_depth = p_.depth - 1;
    const int64_t count = depths * places;
    for (int64_t begin = 0; begin < count; begin += t_.local) {
      Value e = b_.Add(local_, begin);
      // Neighbours in a buffer go to neighbouring invocations.
      Value k = along_depth ? Remainder(b_, e, depths) : Divide(b_, e, places);
      Value place = along_depth ? Divide(b_, e, depths) : Remainder(b_, e, places);
      auto copy = [&] {
        if (!quads) {
          Value free = b_.Min(b_.Add(first, place), b_.Index(last_free));
          Value at = b_.Add(depth, k);
          Value x = side.Element(side.ElementOffset(free), b_.Min(at, b_.Index(last_depth)));
          b_.Store(Within(x, at), tile, {k, place});
          return;
        }
        Value x, free = along_depth ? b_.Add(first, place) : b_.Add(Divide(b_, first, 4), place);
        free = b_.Min(free, b_.Index(along_depth ? last_free : last_free / 4));
        Value at = b_.Add(along_depth ? Divide(b_, depth, 4) : depth, k);
        x = side.Quad(side.QuadOffset(free),
                      b_.Min(at, b_.Index(along_depth ? last_depth / 4 : last_depth)));
        for (int64_t c = 0; c < 4; ++c) {
          Value element = mlir::vector::ExtractOp::create(b_, x, c);
          if (along_depth)
            b_.Store(Within(element, b_.Add(b_.Mul(at, 4), c)), tile,
                     {b_.Add(b_.Mul(k, 4), c), place});
          else
            b_.Store(Within(element, at), tile, {k, b_.Add(b_.Mul(place, 4), c)});
        }
      };
      if (begin + t_.local <= count)
        copy();
      else
        b_.If(b_.Less(e, b_.Index(count)), copy);
    }
  }

  Value Within(Value x, Value depth) {
    if (p_.depth % t_.depth == 0) return x;
    return b_.Select(b_.Less(depth, b_.Index(p_.depth)), x, b_.Constant(b_.F32(), 0));
  }

  // The first column of the invocation's quad `run`: those of neighbours are neighbours.
  Value Column(int64_t run) { return b_.Mul(b_.Add(x_, run * across()), 4); }

  Values Sums() {
    const Values zeros(t_.rows * t_.runs, b_.Splat(0));
    return b_.For(part_.begin(), part_.End(p_.depth), t_.depth, zeros,
                  [&](Value depth, ValueRange sums) {
                    Copy(left_, part_.first_row(), tile_rows(), depth, left_tile_);
                    Copy(right_, first_column_, tile_columns(), depth, right_tile_);
                    b_.Barrier();
                    Values next = b_.For(b_.Index(0), b_.Index(t_.depth), 1, sums,
                                         [&](Value k, ValueRange sums) { return Step(k, sums); });
                    b_.Barrier();
                    return next;
                  });
  }

  Values Step(Value k, ValueRange sums) {
    Values right, next(sums);
    for (int64_t r = 0; r < t_.runs; ++r) {
      Values quad;
      for (int64_t l = 0; l < 4; ++l)
        quad.push_back(b_.Load(right_tile_, {k, b_.Add(Column(r), l)}));
      right.push_back(MakeQuad(b_, quad));
    }
    for (int64_t i = 0; i < t_.rows; ++i) {
      Value x = b_.Load(left_tile_, {k, b_.Add(b_.Mul(y_, t_.rows), i)});
      for (int64_t r = 0; r < t_.runs; ++r)
        next[i * t_.runs + r] = b_.Fma(b_.Broadcast(x), right[r], next[i * t_.runs + r]);
    }
    return next;
  }

  void Finish(ArrayRef<Value> sums) {
    Value row = b_.Add(part_.first_row(), b_.Mul(y_, t_.rows));
    for (int64_t i = 0; i < t_.rows; ++i)
      for (int64_t r = 0; r < t_.runs; ++r)
        part_.Finish(b_.Add(row, i), b_.Add(first_column_, Column(r)), sums[i * t_.runs + r]);
  }

  PhaseBuilder& b_;
  const Product& p_;
  const ProductTile& t_;
  ProductOperand left_, right_;
  ProductPart part_;
  Value first_column_, local_, x_, y_;
  Value left_tile_, right_tile_;
};

}  // namespace

absl::Status AppendWorkgroupProduct(mlir::ModuleOp module, mlir::func::FuncOp body,
                                    const Product& product, const Target& target,
                                    const ProductTile& tile, const std::string& name,
                                    Kernel& kernel) {
  PhaseBuilder b(module, body, target, kernel, absl::StrCat(name, "_product"),
                 {static_cast<uint32_t>(tile.local), 1, 1});
  WorkgroupProduct emitter(b, body, product, tile);
  emitter.Emit();
  return b.Finish(emitter.workgroups());
}

}  // namespace trama::vulkan
