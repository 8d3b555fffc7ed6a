// embedding_grad: rows in order, threads split the columns, so that no two threads write one
// element and the order of every sum is that of the rows. The sums start from zeros, or from what
// the kernel adds to the table, which is copied where it does not lie there already.
#include "backends/codegen/table_grad.h"
#include "backends/cpu/kernel.h"
#include "backends/cpu/kernel_body.h"
#include "base/status_macros.h"

namespace trama::cpu {
namespace {
namespace arith = mlir::arith;
constexpr int64_t kFillFloats = 16384;  // of a task that starts the sums

// Calls `body` with the indices of each element of `shape` in row-major order.
void ForEachIndex(Builder& b, ArrayRef<int64_t> shape, SmallVector<Value>& at,
                  llvm::function_ref<void()> body) {
  if (at.size() == shape.size()) return body();
  b.For(0, shape[at.size()], 1, [&](Value i) {
    at.push_back(i);
    ForEachIndex(b, shape, at, body);
    at.pop_back();
  });
}

absl::StatusOr<Kernel> EmitEmbeddingGrad(mlir::func::FuncOp body, mlir::ModuleOp module,
                                         const Target& target) {
  auto op = FindAnchor<EmbeddingGradOp>(body);
  if (!op) return absl::InvalidArgumentError("embedding_grad: the body has none");
  const mlir::Type element = getElementTypeOrSelf(op.getY());
  if (!element.isF32() && !element.isF64())
    return absl::UnimplementedError("embedding_grad: sums of 16-bit floats");
  TRAMA_ASSIGN_OR_RETURN(const codegen::TableGrad table, codegen::TableGradOf(op, body));
  const Access &grad = table.grad, &ids = table.ids;
  const int64_t rows = ShapeOf(op.getY())[0], columns = ShapeOf(op.getY())[1];
  const int64_t lanes = target.lanes, whole = columns / lanes, rest = columns % lanes;
  const double elements =
      mlir::cast<mlir::RankedTensorType>(op.getGrad().getType()).getNumElements();
  Builder b(module, lanes);

  // over(begin, end, f): f(first column, live lanes) for the vectors [begin, end) of a row.
  auto over = [&](Value begin, Value end, llvm::function_ref<void(Value, int64_t)> f) {
    if (whole)
      b.For(begin, b.Min(end, b.Index(whole)), 1, [&](Value v) { f(b.Mul(v, lanes), lanes); });
    if (rest)
      b.If(b.Compare(arith::CmpIPredicate::sgt, end, b.Index(whole)),
           [&] { f(b.Index(whole * lanes), rest); });
  };
  const int64_t vectors = whole + (rest != 0);

  // Where the sums start in place there is nothing to do: counted as nothing.
  Phase start{"start", rows, std::max<int64_t>(1, kFillFloats / std::max<int64_t>(columns, 1)),
              table.StartsInPlace() ? 0 : static_cast<double>(rows) * columns};
  codegen::EmitPhase(b, start.symbol, body, [&](codegen::PhaseArguments& arguments) {
    const auto buffers = FlatBuffers(b, arguments);
    auto fill = [&] {
      b.For(arguments.begin, arguments.end, 1, [&](Value row) {
        over(b.Index(0), b.Index(vectors), [&](Value column, int64_t live) {
          Value x = table.start ? LoadLanes(b, buffers, *table.start, {row, column}, live)
                                : b.Constant(b.Vector(lanes, element), 0);
          for (const Access& y : table.tables) StoreLanes(b, x, buffers, y, {row, column}, live);
        });
      });
    };
    if (!table.StartsInPlace()) return fill();
    auto pointer = [&](const Access& access) -> Value {
      return mlir::memref::ExtractAlignedPointerAsIndexOp::create(b, buffers[access.buffer]);
    };
    b.If(b.Compare(arith::CmpIPredicate::ne, pointer(*table.start), pointer(table.tables[0])),
         fill);
  });
  Phase sum{"sum", vectors, std::max<int64_t>(1, (vectors + 3) / 4), elements};
  codegen::EmitPhase(b, sum.symbol, body, [&](codegen::PhaseArguments& arguments) {
    const auto buffers = FlatBuffers(b, arguments);
    SmallVector<Value> at;
    ForEachIndex(b, ShapeOf(op.getIds()), at, [&] {
      Value id = b.ToIndex(b.Load(buffers[ids.buffer], ElementIndex(b, ids, at)));
      Value known = b.And(b.Compare(arith::CmpIPredicate::sge, id, b.Index(0)),
                          b.Compare(arith::CmpIPredicate::slt, id, b.Index(rows)));
      b.If(known, [&] {
        over(arguments.begin, arguments.end, [&](Value column, int64_t live) {
          SmallVector<Value> from(at);
          from.push_back(column);
          Value x = LoadLanes(b, buffers, grad, from, live);
          for (const Access& y : table.tables) {
            Value old = LoadLanes(b, buffers, y, {id, column}, live);
            StoreLanes(b, b.Add(old, x), buffers, y, {id, column}, live);
          }
        });
      });
    });
  });
  Kernel kernel;
  kernel.phases = {start, sum};
  return kernel;
}

TRAMA_CPU_KERNEL("embedding_grad", EmitEmbeddingGrad);
}  // namespace
}  // namespace trama::cpu
