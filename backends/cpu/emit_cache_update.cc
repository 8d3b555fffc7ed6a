// cache_update: where the result is the cache's own buffer only the chunk is written; else the
// cache is copied first.
#include "backends/cpu/kernel.h"
#include "backends/cpu/kernel_body.h"
#include "base/status_macros.h"

namespace trama::cpu {
namespace {
namespace arith = mlir::arith;
using IP = arith::CmpIPredicate;

absl::StatusOr<Kernel> EmitCacheUpdate(mlir::func::FuncOp body, mlir::ModuleOp module,
                                       const Target& target) {
  auto op = FindAnchor<CacheUpdateOp>(body);
  if (!op) return absl::InvalidArgumentError("cache_update: the body has none");
  TRAMA_ASSIGN_OR_RETURN(const Access cache, ReadAccess(op.getCache()));
  TRAMA_ASSIGN_OR_RETURN(const Access x, ReadAccess(op.getX()));
  TRAMA_ASSIGN_OR_RETURN(const Access position, ReadAccess(op.getPosition()));
  TRAMA_ASSIGN_OR_RETURN(const Access length, ReadAccess(op.getLength()));
  TRAMA_ASSIGN_OR_RETURN(auto outputs, OutputsOf(body, op->getResults()));
  ArrayRef<int64_t> shape = ShapeOf(op.getCache());
  const int64_t batch = shape[0], heads = shape[1], slots = shape[2], depth = shape[3];
  const int64_t chunk = ShapeOf(op.getX())[2], lanes = target.lanes;
  Builder b(module, lanes);

  auto copy_row = [&](ArrayRef<Value> buffers, const Access& from, ValueRange from_at,
                      const Access& to, ValueRange to_at) {
    auto piece = [&](Value d, int64_t live) {
      SmallVector<Value> source(from_at), sink(to_at);
      source.push_back(d);
      sink.push_back(d);
      StoreLanes(b, LoadLanes(b, buffers, from, source, live), buffers, to, sink, live);
    };
    const int64_t whole = depth / lanes * lanes;
    b.For(0, whole, lanes, [&](Value d) { piece(d, lanes); });
    if (whole < depth) piece(b.Index(whole), depth - whole);
  };

  // Counts as nothing: where it copies at all, the caller's plan was not meant to be fast.
  Phase keep{"keep", batch * heads * slots, 1, 0};
  codegen::EmitPhase(b, keep.symbol, body, [&](codegen::PhaseArguments& arguments) {
    const auto buffers = FlatBuffers(b, arguments);
    auto pointer = [&](const Access& access) -> Value {
      return mlir::memref::ExtractAlignedPointerAsIndexOp::create(b, buffers[access.buffer]);
    };
    for (const Access& y : outputs[0]) {
      Value other = b.Compare(IP::ne, pointer(cache), pointer(y));
      if (cache.offset != y.offset || cache.strides != y.strides)
        other = b.IntConstant(b.Int(1), 1);
      b.If(other, [&] {
        b.For(arguments.begin, arguments.end, 1, [&](Value row) {
          SmallVector<Value> at{b.Div(row, heads * slots), b.Rem(b.Div(row, slots), heads),
                                b.Rem(row, slots)};
          copy_row(buffers, cache, at, y, at);
        });
      });
    }
  });
  const int64_t rows = batch * heads * chunk;
  Phase write{"write", rows, std::max<int64_t>(1, (rows + 3) / 4),
              static_cast<double>(rows) * depth};
  codegen::EmitPhase(b, write.symbol, body, [&](codegen::PhaseArguments& arguments) {
    const auto buffers = FlatBuffers(b, arguments);
    b.For(arguments.begin, arguments.end, 1, [&](Value row) {
      Value n = b.Div(row, heads * chunk), h = b.Rem(b.Div(row, chunk), heads);
      Value i = b.Rem(row, chunk);
      auto integer = [&](const Access& access) {
        return b.ToIndex(b.Load(buffers[access.buffer], ElementIndex(b, access, {n})));
      };
      Value slot = b.Add(integer(position), i);
      Value inside = b.And(
          b.Compare(IP::slt, i, integer(length)),
          b.And(b.Compare(IP::sge, slot, b.Index(0)), b.Compare(IP::slt, slot, b.Index(slots))));
      b.If(inside, [&] {
        for (const Access& y : outputs[0]) copy_row(buffers, x, {n, h, i}, y, {n, h, slot});
      });
    });
  });
  Kernel kernel;
  kernel.phases = {keep, write};
  return kernel;
}

TRAMA_CPU_KERNEL("cache_update", EmitCacheUpdate);
}  // namespace
}  // namespace trama::cpu
