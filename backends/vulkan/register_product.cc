// An invocation computes `rows` rows of a few columns. It steps down the depth: the right
// side's values are its own, those of the left side are the same for the whole workgroup. Drivers
// on processors run a subgroup's invocations in the lanes of a vector and load for each lane one by
// one, from one address too, which costs far more than the arithmetic. There the workgroup is one
// subgroup that loads different values of the left side and shuffles them.
#include "backends/vulkan/register_product.h"

#include "absl/strings/str_cat.h"
#include "backends/vulkan/product_operand.h"
#include "backends/vulkan/product_part.h"
#include "backends/vulkan/quads.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {

class RegisterProduct {
 public:
  RegisterProduct(PhaseBuilder& b, mlir::func::FuncOp body, const Product& p, const ProductTile& t)
      : b_(b),
        p_(p),
        t_(t),
        left_(b, body, p, Side::kLeft),
        right_(b, body, p, Side::kRight),
        part_(b, body, p, t, t.rows, t.runs * t.local * t.run) {}

  int64_t workgroups() const { return part_.workgroups(); }

  void Emit() {
    part_.Start();
    left_.Start(part_.batch());
    right_.Start(part_.batch());
    lane_ = t_.shuffle ? b_.Lane() : b_.LocalIndex();
    for (int64_t r = 0; r < t_.runs; ++r) {
      Value run = b_.Add(b_.Mul(part_.column_tile(), t_.runs * t_.local), r * t_.local);
      columns_.push_back(b_.Mul(b_.Add(run, lane_), t_.run));
    }
    PrepareLeft();
    PrepareRight();
    Finish(Sums());
  }

 private:
  using Values = SmallVector<Value>;

  bool left_in_quads() const { return left_.form() == OperandForm::kDepthQuads && t_.step == 4; }
  // Steps for which a subgroup loads the left side at once; 0: each step for
  // itself.
  int64_t block_steps() const {
    if (!t_.shuffle || left_.form() == OperandForm::kFreeQuads) return 0;
    return left_in_quads() ? t_.local : t_.local / t_.step;
  }

  // ---- the left side

  void PrepareLeft() {
    if (left_.form() == OperandForm::kFreeQuads) {
      // With shuffles lane l has rows 4l, 4l + 1, ..; without, every invocation all of them.
      const int64_t quads = CeilDiv(t_.rows, 4),
                    loads = t_.shuffle ? CeilDiv(quads, t_.local) : quads;
      for (int64_t q = 0; q < loads; ++q) {
        Value row = t_.shuffle ? b_.Mul(b_.Add(lane_, q * t_.local), 4) : b_.Index(4 * q);
        row = b_.Min(b_.Add(part_.first_row(), row), b_.Index((p_.rows() - 1) / 4 * 4));
        row_offsets_.push_back(left_.QuadOffset(Divide(b_, row, 4)));
      }
      return;
    }
    for (int64_t i = 0; i < t_.rows; ++i) {
      Value row = b_.Add(part_.first_row(), i);
      if (i && p_.rows() % t_.rows) row = b_.Min(row, b_.Index(p_.rows() - 1));
      row_offsets_.push_back(left_in_quads() ? left_.QuadOffset(row) : left_.ElementOffset(row));
    }
  }

  // left[i * count + c]: rows i at the `count` depths from `depth` on.
  Values LeftAlone(Value depth, int64_t count) {
    Values values(t_.rows * count);
    if (left_.form() == OperandForm::kFreeQuads) {
      for (int64_t c = 0; c < count; ++c) {
        Values quads;
        for (Value offset : row_offsets_) quads.push_back(left_.Quad(offset, b_.Add(depth, c)));
        for (int64_t i = 0; i < t_.rows; ++i) {
          const int64_t quad = i / 4;
          Value x = Extract(quads[t_.shuffle ? quad / t_.local : quad], i % 4);
          if (t_.shuffle) x = b_.Shuffle(x, b_.IntConstant(b_.Int(32), quad % t_.local));
          values[i * count + c] = x;
        }
      }
      return values;
    }
    for (int64_t i = 0; i < t_.rows; ++i) {
      Value quad;
      if (left_in_quads()) quad = left_.Quad(row_offsets_[i], Divide(b_, depth, 4));
      for (int64_t c = 0; c < count; ++c)
        values[i * count + c] =
            quad ? Extract(quad, c) : left_.Element(row_offsets_[i], b_.Add(depth, c));
    }
    return values;
  }

  // What a subgroup loads for block_steps() steps from `depth` on: lane l the quad, or the element,
  // l places further.
  Values LoadBlock(Value depth) {
    Values block;
    Value last = b_.Index(left_in_quads() ? CeilDiv(p_.depth, 4) - 1 : p_.depth - 1);
    Value at = b_.Min(b_.Add(left_in_quads() ? Divide(b_, depth, 4) : depth, lane_), last);
    for (Value offset : row_offsets_)
      block.push_back(left_in_quads() ? left_.Quad(offset, at) : left_.Element(offset, at));
    return block;
  }

  // As LeftAlone, from a block, for its step number `step`.
  Values LeftFromBlock(ArrayRef<Value> block, Value step, int64_t count) {
    Values values, lanes;
    Value lane = b_.FromIndex(step, b_.Int(32));
    for (int64_t c = 0; c < count; ++c)
      lanes.push_back(left_in_quads() ? lane : b_.Add(b_.Mul(lane, t_.step), c));
    for (Value x : block)
      for (int64_t c = 0; c < count; ++c)
        values.push_back(b_.Shuffle(left_in_quads() ? Extract(x, c) : x, lanes[c]));
    return values;
  }

  // ---- the right side

  void PrepareRight() {
    const int64_t last = p_.columns() - 1;
    for (Value column : columns_) {
      if (right_.form() == OperandForm::kFreeQuads) {
        Value first = b_.Min(column, b_.Index(last / 4 * 4));
        column_offsets_.push_back(right_.QuadOffset(Divide(b_, first, 4)));
        continue;
      }
      for (int64_t q = 0; q < t_.run; ++q) {
        Value at = b_.Min(b_.Add(column, q), b_.Index(last));
        column_offsets_.push_back(right_.form() == OperandForm::kDepthQuads
                                      ? right_.QuadOffset(at)
                                      : right_.ElementOffset(at));
      }
    }
  }

  // right[c * runs + r]: run r of the columns, a vector where it has four, at depth + c.
  Values Right(Value depth, int64_t count) {
    Values values(count * t_.runs);
    if (right_.form() == OperandForm::kFreeQuads) {
      for (int64_t c = 0; c < count; ++c)
        for (int64_t r = 0; r < t_.runs; ++r)
          values[c * t_.runs + r] = right_.Quad(column_offsets_[r], b_.Add(depth, c));
      return values;
    }
    for (int64_t r = 0; r < t_.runs; ++r) {
      SmallVector<Values, 4> at_depth(count);
      for (int64_t q = 0; q < t_.run; ++q) {
        Value offset = column_offsets_[r * t_.run + q], quad;
        if (right_.form() == OperandForm::kDepthQuads)
          quad = right_.Quad(offset, Divide(b_, depth, 4));
        for (int64_t c = 0; c < count; ++c)
          at_depth[c].push_back(quad ? Extract(quad, c) : right_.Element(offset, b_.Add(depth, c)));
      }
      for (int64_t c = 0; c < count; ++c)
        values[c * t_.runs + r] = t_.run == 1 ? at_depth[c][0] : MakeQuad(b_, at_depth[c]);
    }
    return values;
  }

  // ---- sums

  // Adds `count` depths from `depth` on: one sum after the other, so that few are in registers.
  Values Step(ArrayRef<Value> left, Value depth, int64_t count, ValueRange sums) {
    const Values right = Right(depth, count);
    Values next(sums);
    for (int64_t i = 0; i < t_.rows; ++i) {
      Values factors;
      for (int64_t c = 0; c < count; ++c)
        factors.push_back(t_.run == 1 ? left[i * count + c] : b_.Broadcast(left[i * count + c]));
      for (int64_t r = 0; r < t_.runs; ++r)
        for (int64_t c = 0; c < count; ++c)
          next[i * t_.runs + r] = b_.Fma(factors[c], right[c * t_.runs + r], next[i * t_.runs + r]);
    }
    return next;
  }

  Values Sums() {
    const int64_t step = t_.step, whole = p_.depth / step * step, tail = p_.depth - whole;
    Value begin = part_.begin(), end = part_.End(whole);
    Type type = t_.run == 1 ? b_.F32() : Type(b_.VectorF32());
    Values sums(t_.rows * t_.runs, b_.Constant(type, 0));
    if (const int64_t steps = block_steps()) {
      sums = b_.For(begin, end, step * steps, sums, [&](Value depth, ValueRange sum) {
        const Values block = LoadBlock(depth);
        Value left = b_.Min(b_.Index(steps), Divide(b_, b_.Sub(end, depth), step));
        return b_.For(b_.Index(0), left, 1, sum, [&](Value i, ValueRange sum) {
          return Step(LeftFromBlock(block, i, step), b_.Add(depth, b_.Mul(i, step)), step, sum);
        });
      });
    } else {
      sums = b_.For(begin, end, step, sums, [&](Value depth, ValueRange sum) {
        return Step(LeftAlone(depth, step), depth, step, sum);
      });
    }
    if (tail == 0) return sums;
    auto rest = [&]() -> Values {
      Value depth = b_.Index(whole);
      Values left = block_steps() ? LeftFromBlock(LoadBlock(depth), b_.Index(0), tail)
                                  : LeftAlone(depth, tail);
      return Step(left, depth, tail, sums);
    };
    if (t_.splits == 1) return rest();
    Value last = b_.Compare(mlir::arith::CmpIPredicate::eq, part_.split(), b_.Index(t_.splits - 1));
    return b_.IfValues(last, rest, [&] { return sums; });
  }

  void Finish(ArrayRef<Value> sums) {
    // From memory in a loop: the code of the results once, not once a sum.
    Value memory = b_.Private({static_cast<int64_t>(sums.size())}, sums[0].getType());
    for (auto [i, sum] : llvm::enumerate(sums)) b_.Store(sum, memory, b_.Index(i));
    b_.For(0, t_.rows, 1, [&](Value i) {
      Value row = b_.Add(part_.first_row(), i);
      for (int64_t r = 0; r < t_.runs; ++r) {
        Value sum = b_.Load(memory, b_.Add(b_.Mul(i, t_.runs), r));
        part_.Finish(row, columns_[r], sum);
      }
    });
  }

  Value Extract(Value quad, int64_t l) { return mlir::vector::ExtractOp::create(b_, quad, l); }

  PhaseBuilder& b_;
  const Product& p_;
  const ProductTile& t_;
  ProductOperand left_, right_;
  ProductPart part_;
  Value lane_;
  Values columns_;         // of each run, the first
  Values row_offsets_;     // of what an invocation loads of the left side
  Values column_offsets_;  // of each run's quads, or of each column
};

}  // namespace

absl::Status AppendRegisterProduct(mlir::ModuleOp module, mlir::func::FuncOp body,
                                   const Product& product, const Target& target,
                                   const ProductTile& tile, const std::string& name,
                                   Kernel& kernel) {
  PhaseBuilder b(module, body, target, kernel, absl::StrCat(name, "_product"),
                 {static_cast<uint32_t>(tile.local), 1, 1});
  RegisterProduct emitter(b, body, product, tile);
  emitter.Emit();
  return b.Finish(emitter.workgroups());
}

}  // namespace trama::vulkan
