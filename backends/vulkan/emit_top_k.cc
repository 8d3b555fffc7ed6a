// top_k. On a processor an invocation takes a segment, then one a row takes the largest from their
// list (codegen/top_k.h). On a graphics processor an element's place is how many come before it: a
// row is cut into parts, an invocation counts for one element in its part, and those among the
// first k of each part go on to the next round, until there is one part.
#include "backends/codegen/top_k.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/vulkan/loop_limit.h"
#include "backends/vulkan/quads.h"
#include "base/status_macros.h"

namespace trama::vulkan {
namespace {
using codegen::Access;
using codegen::ShapeOf;
using codegen::TopKEntry;
using IP = mlir::arith::CmpIPredicate;

class TopK {
 public:
  TopK(mlir::ModuleOp module, mlir::func::FuncOp body, TopKOp op, const Target& target, Access x,
       SmallVector<SmallVector<Access>> outputs)
      : module_(module),
        body_(body),
        op_(op),
        target_(target),
        x_(std::move(x)),
        outputs_(std::move(outputs)),
        k_(static_cast<int64_t>(op.getK())),
        columns_(ShapeOf(op.getX()).back()),
        rows_(llvm::product_of(ShapeOf(op.getX()).drop_back())) {}

  // Whether a few phases of one invocation a row do.
  bool IsForProcessor() { return target_.is_cpu && k_ <= 8 * RanksAPhase(); }

  absl::StatusOr<Kernel> ForProcessor() {
    const uint32_t few = std::min<uint32_t>(8, target_.max_invocations);
    int64_t segments = 0;
    {
      PhaseBuilder b(module_, body_, target_, kernel_, "segments", {few, 1, 1});
      codegen::TopKRow top(b, element(), columns_, /*lanes=*/1);
      segments = top.segments();
      const Lists lists = Workspaces(b, "", rows_ * segments);
      Value at = b.GlobalIndex();
      b.If(b.Less(at, b.Index(rows_ * segments)), [&] {
        Value row = Divide(b, at, segments);
        const TopKEntry first = top.First(Remainder(b, at, segments), [&](Value column, Value) {
          return LoadElement(b, body_, x_, At(b, ShapeOf(op_.getX()), row, column));
        });
        b.Store(first.key, lists.keys, at);
        b.Store(first.index, lists.indices, at);
      });
      TRAMA_RETURN_IF_ERROR(b.Finish(CeilDiv(rows_ * segments, few)));
    }
    for (int64_t from = 0; from < k_;) {
      const int64_t to = std::min(k_, from + RanksAPhase());
      TRAMA_RETURN_IF_ERROR(Take(from, to, segments));
      from = to;
    }
    return std::move(kernel_);
  }

  absl::StatusOr<Kernel> ForGraphics() {
    const int64_t k = k_, local = std::min<int64_t>(256, target_.max_invocations);
    // Fewer rounds with large parts, fewer comparisons with small ones.
    const int64_t part = RoundUp(std::max(2 * k, std::min<int64_t>(16 * k, 1024)), local);
    if (target_.is_cpu && std::min(part, columns_) + part / local > kMostIterations)
      return absl::UnimplementedError(
          absl::StrCat("top_k: the ", k, " largest of ", columns_, " on a processor's driver"));
    int64_t count = columns_;
    for (int round = 0;; ++round) {
      const int64_t parts = CeilDiv(count, part);
      const int64_t left = (parts - 1) * k + std::min(k, count - (parts - 1) * part);
      TRAMA_RETURN_IF_ERROR(Round(round, count, std::min(part, RoundUp(count, local)), parts, left,
                                  static_cast<uint32_t>(local)));
      if (parts == 1) return std::move(kernel_);
      count = left;
    }
  }

 private:
  struct Lists {
    Value keys, indices;
  };

  int64_t RanksAPhase() {
    mlir::OpBuilder builder(op_);
    codegen::Builder b(op_.getLoc(), builder, /*lanes=*/1);
    return std::max<int64_t>(
        kMostIterations / codegen::TopKRow(b, element(), columns_, /*lanes=*/1).iterations(), 1);
  }

  // The next ranks of each row.
  absl::Status Take(int64_t from, int64_t to, int64_t segments) {
    PhaseBuilder b(module_, body_, target_, kernel_, absl::StrCat("take", from), {1, 1, 1});
    codegen::TopKRow top(b, element(), columns_, /*lanes=*/1);
    const Lists lists = Workspaces(b, "", rows_ * segments);
    Value row = b.WorkgroupIndex();
    top.Take(
        from, to, lists.keys, lists.indices, b.Mul(row, segments),
        [&](Value column, Value) {
          return LoadElement(b, body_, x_, At(b, ShapeOf(op_.getX()), row, column));
        },
        [&](Value rank, Value index) { Write(b, row, rank, index); });
    return b.Finish(rows_);
  }

  Type element() { return getElementTypeOrSelf(op_.getX()); }

  Lists Workspaces(PhaseBuilder& b, const std::string& name, int64_t elements) {
    return {b.Workspace("keys" + name, codegen::TopKKeyType(b, element()), elements),
            b.Workspace("indices" + name, b.Int(32), elements)};
  }

  SmallVector<Value> At(PhaseBuilder& b, ArrayRef<int64_t> shape, Value row, Value column) {
    SmallVector<Value> at(shape.size(), column);
    for (size_t d = shape.size() - 1; d-- > 0;) {
      at[d] = d == 0 ? row : Remainder(b, row, shape[d]);
      row = Divide(b, row, shape[d]);
    }
    return at;
  }

  void Write(PhaseBuilder& b, Value row, Value rank, Value index) {
    const Value results[] = {
        LoadElement(b, body_, x_, At(b, ShapeOf(op_.getX()), row, b.ToIndex(index))), index};
    for (int i = 0; i < 2; ++i)
      for (const Access& to : outputs_[i])
        StoreElement(b, body_, results[i], to, At(b, ShapeOf(op_.getValues()), row, rank));
  }

  // Of each row's `count` elements, the first k of each part go to the workspace of the next round,
  // those of an only part to the results. Where keys are equal, places are in the order of indices.
  absl::Status Round(int round, int64_t count, int64_t part, int64_t parts, int64_t left,
                     uint32_t local) {
    PhaseBuilder b(module_, body_, target_, kernel_, absl::StrCat("round", round), {local, 1, 1});
    const int64_t k = k_, pieces = part / local;
    const Lists from = round ? Workspaces(b, absl::StrCat(round), rows_ * count) : Lists();
    const Value group = b.WorkgroupIndex();
    const Value piece = Remainder(b, group, pieces), rest = Divide(b, group, pieces);
    const Value number = Remainder(b, rest, parts), row = Divide(b, rest, parts);
    const Value first = b.Mul(number, part);  // of the part
    const Value own = b.Add(b.Mul(piece, local), b.LocalIndex());
    const auto key_of = [&](Value place) -> Value {
      const Value at = b.Min(b.Add(first, place), b.Index(count - 1));
      if (round) return b.Load(from.keys, b.Add(b.Mul(row, count), at));
      return codegen::TopKKey(b, LoadElement(b, body_, x_, At(b, ShapeOf(op_.getX()), row, at)));
    };
    const Value size = b.Min(b.Sub(b.Index(count), first), b.Index(part));
    const Value key = key_of(own);
    const TopKEntry entry{key, b.FromIndex(own, b.Int(32))};
    const Value keys = b.Shared({local}, key.getType());
    const Value zero = b.IntConstant(b.Int(32), 0), one = b.IntConstant(b.Int(32), 1);
    const Value rank = b.For(
        b.Index(0), b.Index(part), local, zero,
        [&](Value begin, ValueRange before) -> SmallVector<Value> {
          b.Store(key_of(b.Add(begin, b.LocalIndex())), keys, b.LocalIndex());
          b.Barrier();
          const Value end = b.Min(b.Sub(size, begin), b.Index(local));
          const auto sum =
              b.For(b.Index(0), end, 1, before, [&](Value i, ValueRange sum) -> SmallVector<Value> {
                const TopKEntry other{b.Load(keys, i), b.FromIndex(b.Add(begin, i), b.Int(32))};
                return {b.Add(sum[0], b.Select(ComesBefore(b, other, entry), one, zero))};
              });
          b.Barrier();
          return sum;
        })[0];
    const Value goes_on = b.And(b.Less(own, size), b.Less(rank, b.IntConstant(b.Int(32), k)));
    b.If(goes_on, [&] {
      const Value place = b.Add(first, own);
      const Value index = round ? b.Load(from.indices, b.Add(b.Mul(row, count), place))
                                : b.FromIndex(place, b.Int(32));
      if (parts == 1) return Write(b, row, b.ToIndex(rank), index);
      const Lists to = Workspaces(b, absl::StrCat(round + 1), rows_ * left);
      const Value at = b.Add(b.Add(b.Mul(row, left), b.Mul(number, k)), b.ToIndex(rank));
      b.Store(key, to.keys, at);
      b.Store(index, to.indices, at);
    });
    return b.Finish(rows_ * parts * pieces);
  }

  mlir::ModuleOp module_;
  mlir::func::FuncOp body_;
  TopKOp op_;
  const Target& target_;
  const Access x_;
  const SmallVector<SmallVector<Access>> outputs_;
  const int64_t k_, columns_, rows_;
  Kernel kernel_;
};

absl::StatusOr<Kernel> EmitTopK(mlir::func::FuncOp body, mlir::ModuleOp module,
                                const Target& target) {
  auto op = codegen::FindAnchor<TopKOp>(body);
  if (!op) return absl::InvalidArgumentError("top_k: the body has none");
  TRAMA_ASSIGN_OR_RETURN(Access x, codegen::ReadAccess(op.getX()));
  TRAMA_ASSIGN_OR_RETURN(auto outputs, codegen::OutputsOf(body, op->getResults()));
  TopK emitter(module, body, op, target, std::move(x), std::move(outputs));
  return emitter.IsForProcessor() ? emitter.ForProcessor() : emitter.ForGraphics();
}

TRAMA_VULKAN_KERNEL("top_k", EmitTopK);
}  // namespace
}  // namespace trama::vulkan
