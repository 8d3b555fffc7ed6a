// A workgroup computes four columns: its invocations go along the depth, so that neighbours read
// neighbours, and add what they have by a reduction over the workgroup.
#include "backends/vulkan/dot_product.h"

#include "absl/strings/str_cat.h"
#include "backends/vulkan/product_operand.h"
#include "backends/vulkan/product_result.h"
#include "backends/vulkan/quads.h"

namespace trama::vulkan {

absl::Status AppendDotProduct(mlir::ModuleOp module, mlir::func::FuncOp body, const Product& p,
                              const Target& target, const ProductTile& t, const std::string& name,
                              Kernel& kernel) {
  using Values = SmallVector<Value>;
  PhaseBuilder b(module, body, target, kernel, absl::StrCat(name, "_product"),
                 {static_cast<uint32_t>(t.local), 1, 1});
  ProductOperand left(b, body, p, Side::kLeft), right(b, body, p, Side::kRight);
  ProductResult result(b, body, p);
  const int64_t rows = p.rows(), column_quads = CeilDiv(p.columns(), 4);
  const bool quads = p.depth % 4 == 0 && left.form() == OperandForm::kDepthQuads &&
                     right.form() == OperandForm::kDepthQuads;
  auto offset = [&](ProductOperand& side, Value free) {
    return quads ? side.QuadOffset(free) : side.ElementOffset(free);
  };
  auto load = [&](ProductOperand& side, Value at, Value depth) {
    return quads ? side.Quad(at, depth) : side.Element(at, depth);
  };

  Value column = b.Mul(Remainder(b, b.WorkgroupIndex(), column_quads), 4);
  const Values batch = result.BatchIndices(Divide(b, b.WorkgroupIndex(), column_quads));
  left.Start(batch);
  right.Start(batch);
  Values row_offsets, column_offsets;
  for (int64_t i = 0; i < rows; ++i) row_offsets.push_back(offset(left, b.Index(i)));
  for (int64_t c = 0; c < 4; ++c)
    column_offsets.push_back(offset(right, b.Min(b.Add(column, c), b.Index(p.columns() - 1))));

  const Value zero = b.Constant(quads ? Type(b.VectorF32()) : b.F32(), 0);
  const Values zeros(rows * 4, zero);
  const Values sums = b.For(b.LocalIndex(), b.Index(quads ? p.depth / 4 : p.depth), t.local, zeros,
                            [&](Value depth, ValueRange sums) {
                              Values x, next;
                              for (Value at : row_offsets) x.push_back(load(left, at, depth));
                              for (int64_t c = 0; c < 4; ++c) {
                                Value w = load(right, column_offsets[c], depth);
                                for (int64_t i = 0; i < rows; ++i)
                                  next.push_back(b.Fma(x[i], w, sums[c * rows + i]));
                              }
                              return next;
                            });
  Value first = b.Compare(mlir::arith::CmpIPredicate::eq, b.LocalIndex(), b.Index(0));
  for (int64_t i = 0; i < rows; ++i) {
    Values columns;
    for (int64_t c = 0; c < 4; ++c) {
      Value sum = sums[c * rows + i];
      columns.push_back(quads ? SumQuad(b, sum) : sum);
    }
    Value sum = b.ReduceWorkgroup(MakeQuad(b, columns),
                                  [&](Value x, Value y) -> Value { return b.Add(x, y); });
    b.If(first, [&] { result.Finish(batch, b.Index(i), column, sum); });
  }
  return b.Finish(p.batch() * column_quads);
}

}  // namespace trama::vulkan
