#include "ir/strided_view.h"

#include "base/shape.h"
#include "ir/infer_util.h"

namespace trama {
namespace {
using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Value;

StridedView Whole(Value value) {
  const Shape strides = Strides({ShapeOf(value).data(), ShapeOf(value).size()});
  return {value, 0, SmallVector<int64_t>(strides.begin(), strides.end())};
}

// What a view adds to the place of its operand's elements: element i of the result lies at
// offset + sum(i_d * strides_d), in whatever memory the operand's strides are of.
struct Step {
  int64_t offset = 0;
  SmallVector<int64_t> strides;
};

// `base`: the strides of the operand of the view that gives `value`. nullopt where a dimension of
// the result would have no single stride.
std::optional<Step> StepThrough(Value value, ArrayRef<int64_t> base) {
  mlir::Operation* op = value.getDefiningOp();
  Step step;
  if (auto transpose = mlir::dyn_cast_or_null<TransposeOp>(op)) {
    for (int64_t dim : transpose.getPermutation()) step.strides.push_back(base[dim]);
    return step;
  }
  if (auto slice = mlir::dyn_cast_or_null<SliceOp>(op)) {
    for (auto [dim, stride] : llvm::enumerate(base)) {
      step.offset += slice.getStarts()[dim] * stride;
      step.strides.push_back(slice.getStrides()[dim] * stride);
    }
    return step;
  }
  if (auto broadcast = mlir::dyn_cast_or_null<BroadcastOp>(op)) {
    ArrayRef<int64_t> from = ShapeOf(broadcast.getX()), to = ShapeOf(value);
    step.strides.assign(to.size(), 0);
    for (size_t d = 0; d < from.size(); ++d)
      step.strides[to.size() - from.size() + d] = from[d] == 1 ? 0 : base[d];
    return step;
  }
  if (auto reshape = mlir::dyn_cast_or_null<ReshapeOp>(op)) {
    auto strides = ReshapeStrides(ShapeOf(reshape.getX()), base, ShapeOf(value));
    if (!strides) return std::nullopt;
    step.strides = *strides;
    return step;
  }
  return std::nullopt;
}

bool IsView(mlir::Operation* op) { return op && op->hasTrait<OpTrait::View>(); }
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
  SmallVector<Value> chain{value};
  while (IsView(chain.back().getDefiningOp()))
    chain.push_back(chain.back().getDefiningOp()->getOperand(0));
  // The longest chain through which every dimension of `value` keeps one stride.
  for (size_t root = chain.size() - 1; root > 0; --root) {
    StridedView view = Whole(chain[root]);
    size_t i = root;
    for (; i > 0; --i) {
      std::optional<Step> step = StepThrough(chain[i - 1], view.strides);
      if (!step) break;
      view.offset += step->offset;
      view.strides = std::move(step->strides);
    }
    if (i == 0) return view;
  }
  return Whole(value);
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
    StridedView view = Whole(values[length]);
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
  return Whole(value);
}

}  // namespace trama
