// cache_update: the chunk is written; before that the cache is copied where the result is not the
// cache's own buffer.
#include <algorithm>

#include "backends/vulkan/quads.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {
using codegen::Access;
using codegen::ShapeOf;
using IP = mlir::arith::CmpIPredicate;

absl::StatusOr<Kernel> EmitCacheUpdate(mlir::func::FuncOp body, mlir::ModuleOp module,
                                       const Target& target) {
  auto op = codegen::FindAnchor<CacheUpdateOp>(body);
  if (!op) return absl::InvalidArgumentError("cache_update: the body has none");
  if (!getElementTypeOrSelf(op.getCache()).isF32())
    return absl::UnimplementedError("cache_update: element types other than f32");
  TRAMA_ASSIGN_OR_RETURN(const Access cache, codegen::ReadAccess(op.getCache()));
  TRAMA_ASSIGN_OR_RETURN(const Access x, codegen::ReadAccess(op.getX()));
  TRAMA_ASSIGN_OR_RETURN(const Access position, codegen::ReadAccess(op.getPosition()));
  TRAMA_ASSIGN_OR_RETURN(const Access length, codegen::ReadAccess(op.getLength()));
  TRAMA_ASSIGN_OR_RETURN(auto outputs, codegen::OutputsOf(body, op->getResults()));
  ArrayRef<int64_t> shape = ShapeOf(op.getCache());
  const int64_t batch = shape[0], heads = shape[1], slots = shape[2], depth = shape[3];
  const int64_t chunk = ShapeOf(op.getX())[2], quads = CeilDiv(depth, 4);
  const uint32_t local = std::min<uint32_t>(64, target.max_invocations);
  Kernel kernel;

  // One invocation a quad of `rows` rows: each(row, quad).
  auto over = [&](const char* name, int64_t rows, auto each) {
    PhaseBuilder b(module, body, target, kernel, name, {local, 1, 1});
    Value index = b.GlobalIndex();
    b.If(b.Less(index, b.Index(rows * quads)),
         [&] { each(b, Divide(b, index, quads), Remainder(b, index, quads)); });
    return b.Finish(CeilDiv(rows * quads, local));
  };
  for (const Access& y : outputs[0]) {
    TRAMA_RETURN_IF_ERROR(
        over("keep", batch * heads * slots, [&](PhaseBuilder& b, Value row, Value quad) {
          SmallVector<Value> at{Divide(b, row, heads * slots),
                                Remainder(b, Divide(b, row, slots), heads),
                                Remainder(b, row, slots)};
          QuadRows from(b, body, cache, depth), to(b, body, y, depth);
          to.Store(from.Load(from.Row(at), quad, QuadRows::kUnknown), to.Row(at), quad,
                   QuadRows::kUnknown);
        }));
    kernel.phases.back().is_copy = cache.offset == y.offset && cache.strides == y.strides;
  }
  TRAMA_RETURN_IF_ERROR(
      over("write", batch * heads * chunk, [&](PhaseBuilder& b, Value row, Value quad) {
        Value n = Divide(b, row, heads * chunk), h = Remainder(b, Divide(b, row, chunk), heads);
        Value i = Remainder(b, row, chunk);
        auto integer = [&](const Access& access) {
          return b.ToIndex(LoadElement(b, body, access, {n}));
        };
        Value slot = b.Add(integer(position), i);
        Value inside = b.And(b.Less(i, integer(length)), b.And(b.Compare(IP::sge, slot, b.Index(0)),
                                                               b.Less(slot, b.Index(slots))));
        b.If(inside, [&] {
          QuadRows from(b, body, x, depth);
          Value value = from.Load(from.Row({n, h, i}), quad, QuadRows::kUnknown);
          for (const Access& y : outputs[0]) {
            QuadRows to(b, body, y, depth);
            to.Store(value, to.Row({n, h, slot}), quad, QuadRows::kUnknown);
          }
        });
      }));
  return kernel;
}

TRAMA_VULKAN_KERNEL("cache_update", EmitCacheUpdate);
}  // namespace
}  // namespace trama::vulkan
