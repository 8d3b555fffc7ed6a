// top_k: a task a row, which it reads in vectors where its elements lie side by side.
#include "backends/codegen/top_k.h"
#include "backends/cpu/kernel.h"
#include "backends/cpu/kernel_body.h"
#include "base/status_macros.h"

namespace trama::cpu {
namespace {

// `access` at `row`, a number among all dimensions but the last, and `column`.
SmallVector<Value> At(Builder& b, ArrayRef<int64_t> shape, Value row, Value column) {
  SmallVector<Value> at(shape.size(), column);
  for (size_t d = shape.size() - 1; d-- > 0;) {
    at[d] = d == 0 ? row : b.Rem(row, shape[d]);
    row = b.Div(row, shape[d]);
  }
  return at;
}

absl::StatusOr<Kernel> EmitTopK(mlir::func::FuncOp body, mlir::ModuleOp module,
                                const Target& target) {
  auto op = FindAnchor<TopKOp>(body);
  if (!op) return absl::InvalidArgumentError("top_k: the body has none");
  TRAMA_ASSIGN_OR_RETURN(const Access x, ReadAccess(op.getX()));
  TRAMA_ASSIGN_OR_RETURN(auto outputs, OutputsOf(body, op->getResults()));
  const ArrayRef<int64_t> shape = ShapeOf(op.getX());
  const int64_t columns = shape.back(), k = op.getK();
  const int64_t rows = llvm::product_of(shape.drop_back());
  const mlir::Type element = getElementTypeOrSelf(op.getX());
  // LLVM makes a masked load of bf16 from calls that no library has.
  const int64_t lanes = x.strides.back() == 1 && !element.isBF16() ? target.lanes : 1;
  Builder b(module, target.lanes);
  Phase phase{"rows", rows, 1, static_cast<double>(rows) * static_cast<double>(columns)};
  codegen::EmitPhase(b, phase.symbol, body, [&](codegen::PhaseArguments& arguments) {
    const auto buffers = FlatBuffers(b, arguments);
    codegen::TopKRow top(b, element, columns, lanes);
    const auto list = [&](mlir::Type type) -> Value {
      return mlir::memref::AllocaOp::create(b, mlir::MemRefType::get({top.segments()}, type));
    };
    const Value keys = list(codegen::TopKKeyType(b, element));
    const Value indices = list(b.Int(32));
    b.For(arguments.begin, arguments.end, 1, [&](Value row) {
      auto load = [&](Value column, Value mask) {
        const Value at = ElementIndex(b, x, At(b, shape, row, column));
        return mask ? b.LoadMasked(buffers[x.buffer], at, mask) : b.Load(buffers[x.buffer], at);
      };
      b.For(0, top.segments(), 1, [&](Value segment) {
        const codegen::TopKEntry first = top.First(segment, load);
        b.Store(first.key, keys, segment);
        b.Store(first.index, indices, segment);
      });
      top.Take(0, k, keys, indices, b.Index(0), load, [&](Value rank, Value index) {
        const Value from = ElementIndex(b, x, At(b, shape, row, b.ToIndex(index)));
        const Value results[] = {b.Load(buffers[x.buffer], from), index};
        for (int i = 0; i < 2; ++i)
          for (const Access& to : outputs[i])
            b.Store(results[i], buffers[to.buffer],
                    ElementIndex(b, to, At(b, ShapeOf(op.getValues()), row, rank)));
      });
    });
  });
  Kernel kernel;
  kernel.phases = {phase};
  return kernel;
}

TRAMA_CPU_KERNEL("top_k", EmitTopK);
}  // namespace
}  // namespace trama::cpu
