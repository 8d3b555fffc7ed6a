// embedding_grad: each sum in the order of the rows, whoever computes it. On a processor an
// invocation takes some columns and goes through all ids, adding to the table; on a graphics
// processor a workgroup takes the first row of an id and looks for the others. The sums start from
// zeros, or from what the kernel adds to the table, which is copied where it does not lie there.
#include <algorithm>

#include "backends/codegen/table_grad.h"
#include "backends/vulkan/quads.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {
using codegen::Access;
using codegen::ShapeOf;
using IP = mlir::arith::CmpIPredicate;

class EmbeddingGrad {
 public:
  EmbeddingGrad(PhaseBuilder& b, mlir::func::FuncOp body, EmbeddingGradOp op,
                const codegen::TableGrad& table)
      : b_(b),
        body_(body),
        ids_(table.ids),
        shape_(ShapeOf(op.getIds())),
        rows_(ShapeOf(op.getY())[0]),
        grad_(b, body, table.grad, ShapeOf(op.getY())[1]) {
    const int64_t columns = ShapeOf(op.getY())[1];
    if (table.start) start_.emplace(b, body, *table.start, columns);
    for (const Access& y : table.tables) tables_.emplace_back(b, body, y, columns);
  }

  int64_t count() const { return llvm::product_of(shape_); }

  void Start(Value row, Value quad) {
    Store(start_ ? start_->Load(start_->Row(row), quad, QuadRows::kUnknown) : b_.Splat(0), row,
          quad);
  }

  // Adds all rows to the table's columns of `quad`.
  void AddAll(Value quad) {
    b_.For(0, count(), 1, [&](Value i) {
      Value id = Id(i);
      b_.If(IsKnown(id), [&] {
        Value row = b_.ToIndex(id);
        Value old = tables_[0].Load(tables_[0].Row(row), quad, QuadRows::kUnknown);
        Store(b_.Add(old, Grad(i, quad)), row, quad);
      });
    });
  }

  // Where row `first` is the first of its id, by the whole workgroup: writes the sum of all.
  void SumOf(Value first, int64_t quads) {
    const int64_t local = b_.invocations();
    Value id = Id(first), one = b_.IntConstant(b_.Int(32), 1), none = b_.IntConstant(b_.Int(32), 0);
    Value earlier = b_.For(b_.LocalIndex(), first, local, none,
                           [&](Value i, ValueRange found) -> SmallVector<Value> {
                             return {b_.Select(Same(Id(i), id), one, found[0])};
                           })[0];
    earlier = b_.ReduceWorkgroup(earlier, [&](Value x, Value y) { return b_.Or(x, y); });
    b_.If(b_.And(IsKnown(id), b_.Compare(IP::eq, earlier, none)), [&] {
      b_.For(b_.LocalIndex(), b_.Index(quads), local, [&](Value quad) {
        Value row = b_.ToIndex(id);
        Value old =
            start_ ? tables_[0].Load(tables_[0].Row(row), quad, QuadRows::kUnknown) : b_.Splat(0);
        Value sum = b_.For(first, b_.Index(count()), 1, old, [&](Value i, ValueRange sum) {
          return b_.IfValues(
              Same(Id(i), id),
              [&]() -> SmallVector<Value> { return {b_.Add(sum[0], Grad(i, quad))}; },
              [&] { return SmallVector<Value>(sum); });
        })[0];
        Store(sum, row, quad);
      });
    });
  }

 private:
  SmallVector<Value> At(Value i) {
    SmallVector<Value> at(shape_.size());
    for (size_t d = shape_.size(); d-- > 0;) {
      at[d] = d == 0 ? i : Remainder(b_, i, shape_[d]);
      i = Divide(b_, i, shape_[d]);
    }
    return at;
  }
  Value Id(Value i) { return LoadElement(b_, body_, ids_, At(i)); }
  Value Same(Value x, Value y) { return b_.Compare(IP::eq, x, y); }
  Value IsKnown(Value id) {
    return b_.And(b_.Compare(IP::sge, id, b_.IntConstant(id.getType(), 0)),
                  b_.Compare(IP::slt, id, b_.IntConstant(id.getType(), rows_)));
  }
  Value Grad(Value i, Value quad) { return grad_.Load(grad_.Row(At(i)), quad, QuadRows::kUnknown); }
  void Store(Value value, Value row, Value quad) {
    for (QuadRows& table : tables_) table.Store(value, table.Row(row), quad, QuadRows::kUnknown);
  }

  PhaseBuilder& b_;
  mlir::func::FuncOp body_;
  const Access ids_;
  const ArrayRef<int64_t> shape_;
  const int64_t rows_;
  QuadRows grad_;
  std::optional<QuadRows> start_;
  SmallVector<QuadRows, 1> tables_;
};

absl::StatusOr<Kernel> EmitEmbeddingGrad(mlir::func::FuncOp body, mlir::ModuleOp module,
                                         const Target& target) {
  auto op = codegen::FindAnchor<EmbeddingGradOp>(body);
  if (!op) return absl::InvalidArgumentError("embedding_grad: the body has none");
  if (!getElementTypeOrSelf(op.getY()).isF32())
    return absl::UnimplementedError("embedding_grad: element types other than f32");
  TRAMA_ASSIGN_OR_RETURN(const codegen::TableGrad table, codegen::TableGradOf(op, body));
  const int64_t rows = ShapeOf(op.getY())[0], quads = CeilDiv(ShapeOf(op.getY())[1], 4);
  const uint32_t local = std::min<uint32_t>(64, target.max_invocations);
  Kernel kernel;
  {
    PhaseBuilder b(module, body, target, kernel, "start", {local, 1, 1});
    EmbeddingGrad emitter(b, body, op, table);
    Value index = b.GlobalIndex();
    b.If(b.Less(index, b.Index(rows * quads)),
         [&] { emitter.Start(Divide(b, index, quads), Remainder(b, index, quads)); });
    TRAMA_RETURN_IF_ERROR(b.Finish(CeilDiv(rows * quads, local)));
    kernel.phases.back().is_copy = table.StartsInPlace();
  }
  const uint32_t few = std::min<uint32_t>(8, target.max_invocations);
  PhaseBuilder b(module, body, target, kernel, "sum", {target.is_cpu ? few : local, 1, 1});
  EmbeddingGrad emitter(b, body, op, table);
  if (target.is_cpu) {
    Value quad = b.GlobalIndex();
    b.If(b.Less(quad, b.Index(quads)), [&] { emitter.AddAll(quad); });
    TRAMA_RETURN_IF_ERROR(b.Finish(CeilDiv(quads, few)));
  } else {
    emitter.SumOf(b.WorkgroupIndex(), quads);
    TRAMA_RETURN_IF_ERROR(b.Finish(emitter.count()));
  }
  return kernel;
}

TRAMA_VULKAN_KERNEL("embedding_grad", EmitEmbeddingGrad);
}  // namespace
}  // namespace trama::vulkan
