// square_sum: a partial sum a chunk of 16384 elements, then the partial sums in order, so that the
// result does not depend on threads.
#include "backends/cpu/fused_emitter.h"
#include "backends/cpu/kernel_body.h"
#include "base/status_macros.h"

namespace trama::cpu {
namespace {
namespace arith = mlir::arith;
constexpr int64_t kChunk = 16384;

struct Operand {
  Access access;
  int64_t elements, first_chunk;
};

// The sum of squares of elements [begin, end) of one operand; `rest`: lanes after `end` that count.
Value SumOfSquares(Builder& b, Value buffer, int64_t offset, Value begin, Value end, Value rest) {
  SmallVector<Value> sums(4, b.Splat(0));
  const int64_t step = 4 * b.lanes;
  auto add = [&](Value x, Value sum) { return b.Fma(x, x, sum); };
  Value whole = b.Add(begin, b.Mul(b.Div(b.Sub(end, begin), step), step));
  sums = b.For(begin, whole, step, sums, [&](Value i, ValueRange carried) {
    SmallVector<Value> next;
    for (int u = 0; u < 4; ++u)
      next.push_back(add(b.LoadVector(buffer, b.Add(i, offset + u * b.lanes)), carried[u]));
    return next;
  });
  Value sum = b.Add(b.Add(sums[0], sums[1]), b.Add(sums[2], sums[3]));
  sum = b.For(whole, end, b.lanes, sum, [&](Value i, ValueRange carried) {
    return SmallVector<Value>{add(b.LoadVector(buffer, b.Add(i, offset)), carried[0])};
  })[0];
  if (rest) sum = add(b.LoadMasked(buffer, b.Add(end, offset), b.Mask(rest)), sum);
  return b.ReduceAdd(sum);
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
  Phase partial{"partial", chunks, 16, 2 * elements};
  Kernel kernel;
  const auto sizes = codegen::EmitPhase(b, partial.symbol, body, [&](codegen::PhaseArguments& a) {
    const auto buffers = FlatBuffers(b, a);
    Value partials = a.workspace.Take(b, {std::max<int64_t>(chunks, 1)});
    for (const Operand& operand : operands) {
      Value buffer = buffers[operand.access.buffer];
      const int64_t n = operand.elements, whole = n / target.lanes * target.lanes;
      const int64_t full_chunks = n / kChunk;
      Value first = b.Index(operand.first_chunk);
      Value end_full = b.Add(first, full_chunks);
      b.For(b.Max(a.begin, first), b.Min(a.end, end_full), 1, [&](Value chunk) {
        Value begin = b.Mul(b.Sub(chunk, first), kChunk);
        b.Store(
            SumOfSquares(b, buffer, operand.access.offset, begin, b.Add(begin, kChunk), nullptr),
            partials, chunk);
      });
      if (n % kChunk == 0) continue;
      Value mine = b.And(b.Compare(arith::CmpIPredicate::sle, a.begin, end_full),
                         b.Compare(arith::CmpIPredicate::slt, end_full, a.end));
      b.If(mine, [&] {
        Value rest = n > whole ? b.Index(n - whole) : Value();
        b.Store(SumOfSquares(b, buffer, operand.access.offset, b.Index(full_chunks * kChunk),
                             b.Index(whole), rest),
                partials, end_full);
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
  kernel.workspace_floats = sizes.workspace_floats;
  return kernel;
}

TRAMA_CPU_KERNEL("square_sum", EmitSquareSum);
}  // namespace
}  // namespace trama::cpu
