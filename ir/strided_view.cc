#include "ir/strided_view.h"

#include "base/shape.h"

namespace trama {
namespace {
using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Value;

ArrayRef<int64_t> ShapeOf(Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType()).getShape();
}

SmallVector<int64_t> RowMajor(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

// Inverts one view step: from the view of the op's result to that of its operand.
struct Step {
  Value operand;
  // Index map: operand element = offset + sum over result dims of i_d * strides_d.
  int64_t offset = 0;
  SmallVector<int64_t> strides;
};

std::optional<Step> OneStep(Value value, ArrayRef<int64_t> base) {
  // `base`: the strides of the operand's dimensions.
  mlir::Operation* op = value.getDefiningOp();
  if (auto transpose = mlir::dyn_cast_or_null<TransposeOp>(op)) {
    Step step{transpose.getX(), 0, {}};
    for (int64_t dim : transpose.getPermutation()) step.strides.push_back(base[dim]);
    return step;
  }
  if (auto slice = mlir::dyn_cast_or_null<SliceOp>(op)) {
    Step step{slice.getX(), 0, {}};
    for (auto [dim, stride] : llvm::enumerate(base)) {
      step.offset += slice.getStarts()[dim] * stride;
      step.strides.push_back(slice.getStrides()[dim] * stride);
    }
    return step;
  }
  if (auto broadcast = mlir::dyn_cast_or_null<BroadcastOp>(op)) {
    ArrayRef<int64_t> from = ShapeOf(broadcast.getX()), to = ShapeOf(value);
    Step step{broadcast.getX(), 0, SmallVector<int64_t>(to.size(), 0)};
    for (size_t d = 0; d < from.size(); ++d)
      step.strides[to.size() - from.size() + d] = from[d] == 1 ? 0 : base[d];
    return step;
  }
  if (auto reshape = mlir::dyn_cast_or_null<ReshapeOp>(op)) {
    auto strides = ReshapeStrides(ShapeOf(reshape.getX()), base, ShapeOf(value));
    if (!strides) return std::nullopt;
    return Step{reshape.getX(), 0, *strides};
  }
  return std::nullopt;
}

bool IsView(mlir::Operation* op) {
  return op && mlir::isa<TransposeOp, SliceOp, BroadcastOp, ReshapeOp>(op);
}
}  // namespace

std::optional<SmallVector<int64_t>> ReshapeStrides(ArrayRef<int64_t> from,
                                                   ArrayRef<int64_t> strides,
                                                   ArrayRef<int64_t> to) {
  SmallVector<int64_t> result(to.size(), 0);
  size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    // The smallest groups of dimensions with equal products on both sides.
    size_t i_end = i, j_end = j;
    int64_t from_size = 1, to_size = 1;
    do {
      if (from_size <= to_size && i_end < from.size())
        from_size *= from[i_end++];
      else if (j_end < to.size())
        to_size *= to[j_end++];
      else if (i_end < from.size())
        from_size *= from[i_end++];
      else
        return std::nullopt;
    } while (from_size != to_size);
    // Sizes of 1 that follow belong to this group.
    while (i_end < from.size() && from[i_end] == 1) ++i_end;
    while (j_end < to.size() && to[j_end] == 1) ++j_end;
    int64_t inner = 0;
    bool first = true;
    int64_t expected = 0;
    for (size_t d = i_end; d-- > i;) {
      if (from[d] == 1) continue;
      if (first)
        inner = strides[d];
      else if (strides[d] != expected)
        return std::nullopt;
      first = false;
      expected = strides[d] * from[d];
    }
    int64_t stride = inner;
    for (size_t d = j_end; d-- > j;) {
      result[d] = to[d] == 1 ? 0 : stride;
      stride *= to[d];
    }
    i = i_end;
    j = j_end;
  }
  return result;
}

StridedView ReadView(Value value) {
  // Walk up while the whole chain stays strided: compose from the outermost operand downwards, so
  // try the longest chain first.
  SmallVector<Value> chain{value};
  while (IsView(chain.back().getDefiningOp()))
    chain.push_back(chain.back().getDefiningOp()->getOperand(0));
  for (size_t root = chain.size(); root-- > 0;) {
    StridedView view{chain[root], 0, RowMajor(ShapeOf(chain[root]))};
    bool strided = true;
    for (size_t i = root; i-- > 0 && strided;) {
      std::optional<Step> step = OneStep(chain[i], view.strides);
      strided = step.has_value();
      if (!strided) break;
      view.offset += step->offset;
      view.strides = step->strides;
    }
    if (strided) return view;
  }
  return {value, 0, RowMajor(ShapeOf(value))};
}

StridedView WriteView(Value value) {
  SmallVector<mlir::Operation*> chain;
  SmallVector<Value> values{value};
  while (values.back().hasOneUse()) {
    mlir::Operation* user = *values.back().user_begin();
    if (!mlir::isa<TransposeOp, ReshapeOp, ConcatOp>(user)) break;
    chain.push_back(user);
    values.push_back(user->getResult(0));
  }
  // The longest chain through which every dimension of `value` keeps one stride.
  for (size_t length = chain.size(); length > 0; --length) {
    StridedView view{values[length], 0, RowMajor(ShapeOf(values[length]))};
    bool strided = true;
    for (size_t i = length; i-- > 0 && strided;) {
      ArrayRef<int64_t> shape = ShapeOf(values[i]);
      if (auto transpose = mlir::dyn_cast<TransposeOp>(chain[i])) {
        SmallVector<int64_t> strides(shape.size());
        for (auto [d, from] : llvm::enumerate(transpose.getPermutation()))
          strides[from] = view.strides[d];
        view.strides = strides;
      } else if (auto concat = mlir::dyn_cast<ConcatOp>(chain[i])) {
        int64_t before = 0;
        for (Value operand : concat.getXs()) {
          if (operand == values[i]) break;
          before += ShapeOf(operand)[concat.getDim()];
        }
        view.offset += before * view.strides[concat.getDim()];
      } else {
        auto strides = ReshapeStrides(ShapeOf(values[i + 1]), view.strides, shape);
        strided = strides.has_value();
        if (strided) view.strides = *strides;
      }
    }
    if (strided) return view;
  }
  return {value, 0, RowMajor(ShapeOf(value))};
}

}  // namespace trama
