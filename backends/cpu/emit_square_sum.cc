// square_sum: a partial sum a chunk of 16384 elements, then the partial sums in order, so that the
// result does not depend on threads.
#include "backends/cpu/fused_emitter.h"
#include "backends/cpu/kernel_body.h"
#include "base/status_macros.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace trama::cpu {
namespace {
namespace arith = mlir::arith;
constexpr int64_t kChunk = 16384;

struct Operand {
  Access access;
  int64_t elements, first_chunk;
};

// A function of (memref<kChunk x f32>, begin, end): the sum of squares of elements [begin, end),
// which may lie beyond the first kChunk. One for all operands: a model has hundreds of them.
mlir::func::FuncOp EmitSumOfSquares(Builder& b) {
  const mlir::Type index = b.getIndexType();
  auto function = mlir::func::FuncOp::create(
      b, "sum_of_squares",
      b.getFunctionType({mlir::MemRefType::get({kChunk}, b.F32()), index, index}, {b.F32()}));
  function->setAttr("llvm.linkage", mlir::LLVM::LinkageAttr::get(
                                        b.getContext(), mlir::LLVM::linkage::Linkage::Internal));
  Builder::InsertionGuard guard(b);
  mlir::Block* block = function.addEntryBlock();
  b.setInsertionPointToStart(block);
  Value buffer = block->getArgument(0), begin = block->getArgument(1), end = block->getArgument(2);
  const int64_t step = 4 * b.lanes;
  Value whole = b.Add(begin, b.Mul(b.Div(b.Sub(end, begin), step), step));
  const SmallVector<Value> sums = b.For(begin, whole, step, SmallVector<Value>(4, b.Splat(0)),
                                        [&](Value i, ValueRange carried) {
                                          SmallVector<Value> next;
                                          for (int u = 0; u < 4; ++u) {
                                            Value x = b.LoadVector(buffer, b.Add(i, u * b.lanes));
                                            next.push_back(b.Fma(x, x, carried[u]));
                                          }
                                          return next;
                                        });
  Value sum = b.Add(b.Add(sums[0], sums[1]), b.Add(sums[2], sums[3]));
  sum = b.For(whole, end, b.lanes, sum, [&](Value i, ValueRange carried) {
    Value x = b.LoadMasked(buffer, i, b.Mask(b.Sub(end, i)));
    return SmallVector<Value>{b.Fma(x, x, carried[0])};
  })[0];
  mlir::func::ReturnOp::create(b, b.ReduceAdd(sum));
  return function;
}

absl::StatusOr<Kernel> EmitSquareSum(mlir::func::FuncOp body, mlir::ModuleOp module,
                                     const Target& target) {
  auto op = FindAnchor<SquareSumOp>(body);
  if (!op) return absl::InvalidArgumentError("square_sum: the body has none");
  auto outputs = OutputsOf(body, op->getResults());
  bool simple = outputs.ok();
  std::vector<Operand> operands;
  int64_t chunks = 0;
  double elements = 0;
  for (Value x : op.getXs()) {
    auto type = mlir::cast<mlir::RankedTensorType>(x.getType());
    auto access = ReadAccess(x);
    simple = simple && access.ok() && type.getElementType().isF32();
    if (!simple) break;
    int64_t stride = 1;
    for (size_t d = type.getRank(); d-- > 0;) {
      simple = simple && (type.getDimSize(d) == 1 || access->strides[d] == stride);
      stride *= type.getDimSize(d);
    }
    if (type.getNumElements() == 0) continue;
    operands.push_back({*access, type.getNumElements(), chunks});
    chunks += (type.getNumElements() + kChunk - 1) / kChunk;
    elements += static_cast<double>(type.getNumElements());
  }
  if (!simple) return EmitFused(body, module, target);

  Builder b(module, target.lanes);
  mlir::func::FuncOp sum_of_squares = EmitSumOfSquares(b);
  Phase partial{"partial", chunks, 16, 2 * elements};
  Kernel kernel;
  const auto sizes = codegen::EmitPhase(b, partial.symbol, body, [&](codegen::PhaseArguments& a) {
    const auto buffers = FlatBuffers(b, a);
    Value partials = a.workspace.Take(b, {std::max<int64_t>(chunks, 1)});
    for (const Operand& operand : operands) {
      const int64_t n = operand.elements, offset = operand.access.offset;
      Value first = b.Index(operand.first_chunk), last = b.Add(first, (n + kChunk - 1) / kChunk);
      b.For(b.Max(a.begin, first), b.Min(a.end, last), 1, [&](Value chunk) {
        Value begin = b.Add(b.Mul(b.Sub(chunk, first), kChunk), offset);
        Value end = b.Min(b.Add(begin, kChunk), b.Index(offset + n));
        Value buffer = b.View(buffers[operand.access.buffer], {kChunk});
        b.Store(mlir::func::CallOp::create(b, sum_of_squares, ValueRange{buffer, begin, end})
                    .getResult(0),
                partials, chunk);
      });
    }
  });
  Phase total{"total", 1, 1, 0};
  codegen::EmitPhase(b, total.symbol, body, [&](codegen::PhaseArguments& a) {
    const auto buffers = FlatBuffers(b, a);
    Value partials = a.workspace.Take(b, {std::max<int64_t>(chunks, 1)});
    mlir::Type f64 = b.getF64Type();
    Value sum =
        b.For(b.Index(0), b.Index(chunks), 1, b.Constant(f64, 0), [&](Value i, ValueRange carried) {
          Value x = arith::ExtFOp::create(b, f64, b.Load(partials, i));
          return SmallVector<Value>{b.Add(carried[0], x)};
        })[0];
    Value result = arith::TruncFOp::create(b, b.F32(), sum);
    b.For(a.begin, a.end, 1, [&](Value) {
      for (const Access& y : (*outputs)[0]) b.Store(result, buffers[y.buffer], b.Index(y.offset));
    });
  });
  kernel.phases = {partial, total};
  kernel.optimization = 0;  // vectors already, and much code where a model has many parameters
  kernel.workspace_floats = sizes.workspace_floats;
  return kernel;
}

TRAMA_CPU_KERNEL("square_sum", EmitSquareSum);
}  // namespace
}  // namespace trama::cpu
