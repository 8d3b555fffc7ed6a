#include "passes/support/sequence_axis.h"

#include "ir/infer_util.h"
#include "llvm/ADT/TypeSwitch.h"

namespace trama {
namespace {
using llvm::ArrayRef;
using mlir::Operation;
using mlir::Value;

int RankOf(Value value) { return static_cast<int>(TypeOf(value).getRank()); }

int64_t Product(ArrayRef<int64_t> sizes) {
  int64_t product = 1;
  for (int64_t size : sizes) product *= size;
  return product;
}

// Operands aligned at the right, as NumPy broadcasts them.
Axis Broadcasting(Operation* op, ArrayRef<int> dims) {
  const Value y = op->getResult(0);
  Axis axis;
  for (auto [operand, dim] : llvm::zip_equal(op->getOperands(), dims)) {
    if (dim < 0) continue;
    const int at = RankOf(y) - RankOf(operand) + dim;
    if (axis.dim >= 0 && axis.dim != at) return {-1, "meets itself in another dimension"};
    axis.dim = at;
  }
  if (axis.dim < 0) return axis;
  for (auto [operand, dim] : llvm::zip_equal(op->getOperands(), dims)) {
    const int own = axis.dim - (RankOf(y) - RankOf(operand));
    if (dim < 0 && own >= 0 && ShapeOf(operand)[own] != 1)
      return {-1, "meets a tensor of fixed length along it"};
  }
  return axis;
}

Axis Reduction(ArrayRef<int64_t> dims, bool keepdim, int axis) {
  if (axis < 0) return {};
  if (llvm::is_contained(dims, axis)) return {-1, "is reduced"};
  const int before = llvm::count_if(dims, [&](int64_t dim) { return dim < axis; });
  return {keepdim ? axis : axis - before, ""};
}

// The dimension of the result with as many elements before and after it, at the same place where
// sizes of 1 leave a choice.
Axis Reshape(ReshapeOp op, int axis) {
  if (axis < 0) return {};
  const ArrayRef<int64_t> from = ShapeOf(op.getX()), to = ShapeOf(op.getY());
  const int64_t before = Product(from.take_front(axis)), size = from[axis];
  auto fits = [&](int dim) {
    return dim < static_cast<int>(to.size()) && to[dim] == size &&
           Product(to.take_front(dim)) == before;
  };
  if (fits(axis)) return {axis, ""};
  for (int dim = 0; dim < static_cast<int>(to.size()); ++dim)
    if (fits(dim)) return {dim, ""};
  return {-1, "is joined with another dimension"};
}

Axis Slice(SliceOp op, int axis) {
  if (axis < 0) return {};
  const bool whole = ShapeOf(op.getX())[axis] == ShapeOf(op.getY())[axis];
  return whole ? Axis{axis, ""} : Axis{-1, "is cut"};
}

Axis Concat(ConcatOp op, ArrayRef<int> dims) {
  Axis axis;
  for (int dim : dims) {
    if (dim == static_cast<int>(op.getDim())) return {-1, "is made longer"};
    if (dim != dims.front()) return {-1, "is in some operands only"};
    axis.dim = dim;
  }
  return axis;
}

Axis Matmul(MatmulOp op, ArrayRef<int> dims) {
  const int rank = RankOf(op.getY()), l = RankOf(op.getLhs()), r = RankOf(op.getRhs());
  int found = -1;
  // The operand's own free dimension, and the result's.
  auto place = [&](int dim, int operand_rank, int free, int result) -> Axis {
    if (dim < 0) return {};
    if (dim < operand_rank - 2) return {rank - operand_rank + dim, ""};
    if (dim == free) return {result, ""};
    return {-1, "is summed over"};
  };
  const Axis axes[] = {place(dims[0], l, op.getTransposeLhs() ? l - 1 : l - 2, rank - 2),
                       place(dims[1], r, op.getTransposeRhs() ? r - 2 : r - 1, rank - 1)};
  for (const Axis& axis : axes) {
    if (!axis.why.empty()) return axis;
    if (axis.dim < 0) continue;
    if (found >= 0 && found != axis.dim) return {-1, "meets itself in another dimension"};
    found = axis.dim;
  }
  return {found, ""};
}
}  // namespace

Axis FollowAxis(Operation* op, ArrayRef<int> dims, unsigned result) {
  if (llvm::all_of(dims, [](int dim) { return dim < 0; })) return {};
  if (op->hasTrait<OpTrait::Pointwise>()) return Broadcasting(op, dims);
  return llvm::TypeSwitch<Operation*, Axis>(op)
      .Case<SumOp, ReduceMaxOp, MeanOp>(
          [&](auto reduce) { return Reduction(reduce.getDims(), reduce.getKeepdim(), dims[0]); })
      .Case([&](ArgmaxOp argmax) {
        return Reduction({static_cast<int64_t>(argmax.getDim())}, argmax.getKeepdim(), dims[0]);
      })
      .Case([&](TopKOp top) {
        return dims[0] < RankOf(top.getX()) - 1 ? Axis{dims[0], ""} : Axis{-1, "is ranked"};
      })
      .Case<SoftmaxOp, LogSoftmaxOp>([&](auto softmax) {
        return dims[0] == static_cast<int>(softmax.getDim()) ? Axis{-1, "is normalised over"}
                                                             : Axis{dims[0], ""};
      })
      .Case([&](LayerNormOp norm) {
        return dims[0] < RankOf(norm.getX()) - 1 ? Axis{dims[0], ""}
                                                 : Axis{-1, "is normalised over"};
      })
      .Case([&](DropoutOp) {
        return Axis{dims[0], ""};
      })
      .Case([&](ReshapeOp reshape) { return Reshape(reshape, dims[0]); })
      .Case([&](TransposeOp transpose) {
        return Axis{static_cast<int>(llvm::find(transpose.getPermutation(), dims[0]) -
                                     transpose.getPermutation().begin()),
                    ""};
      })
      .Case([&](BroadcastOp broadcast) {
        return Axis{RankOf(broadcast.getY()) - RankOf(broadcast.getX()) + dims[0], ""};
      })
      .Case([&](SliceOp slice) { return Slice(slice, dims[0]); })
      .Case([&](PadOp pad) {
        return ShapeOf(pad.getX())[dims[0]] == ShapeOf(pad.getY())[dims[0]]
                   ? Axis{dims[0], ""}
                   : Axis{-1, "is made longer"};
      })
      .Case([&](ConcatOp concat) { return Concat(concat, dims); })
      .Case([&](EmbeddingOp embedding) {
        return dims[0] < 0 ? Axis{dims[1], ""} : Axis{-1, "is looked up by index"};
      })
      .Case([&](GatherOp gather) {
        if (dims[0] == static_cast<int>(gather.getDim())) return Axis{-1, "is looked up by index"};
        if (dims[0] >= 0 && dims[1] >= 0 && dims[0] != dims[1])
          return Axis{-1, "meets itself in another dimension"};
        return Axis{std::max(dims[0], dims[1]), ""};
      })
      .Case([&](MatmulOp matmul) { return Matmul(matmul, dims); })
      .Case([&](LinearOp linear) {
        if (dims[0] < 0) return Axis{-1, "is in the weights"};
        return dims[0] < RankOf(linear.getX()) - 1 ? Axis{dims[0], ""} : Axis{-1, "is summed over"};
      })
      .Case([&](AttentionOp attention) {
        // Batch and head: of all three alike. The queries' axis stays.
        const bool alike = dims[0] < 2 && dims[1] == dims[0] && dims[2] == dims[0];
        const bool queries = dims[0] == 2 && dims[1] < 0 && dims[2] < 0;
        return alike || queries ? Axis{dims[0], ""} : Axis{-1, "is attended over"};
      })
      .Default([](Operation*) {
        return Axis{-1, "is not followed through this op"};
      });
}

}  // namespace trama
