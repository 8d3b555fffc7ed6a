#include "backends/codegen/linear_cross_entropy.h"

#include <algorithm>

#include "base/status_macros.h"

namespace trama::codegen {
namespace {

template <typename Op>
absl::StatusOr<LinearCrossEntropy> MakeHead(Op op) {
  LinearCrossEntropy head;
  TRAMA_ASSIGN_OR_RETURN(head.element, MultipliedType(op, op.getX(), op.getWeight()));
  TRAMA_ASSIGN_OR_RETURN(head.x, ReadAccess(op.getX()));
  TRAMA_ASSIGN_OR_RETURN(head.weight, ReadAccess(op.getWeight()));
  TRAMA_ASSIGN_OR_RETURN(head.targets, ReadAccess(op.getTargets()));
  head.rows = ShapeOf(op.getX())[0];
  head.depth = ShapeOf(op.getX())[1];
  head.classes = ShapeOf(op.getWeight())[0];
  head.ignore_index = static_cast<int64_t>(op.getIgnoreIndex());
  return head;
}

// `access`, over rows and columns, from row `first` on, with the strides given.
Access From(const Access& access, int64_t first, SmallVector<int64_t> strides) {
  return {access.buffer, access.offset + first * access.strides[0], std::move(strides)};
}

}  // namespace

absl::StatusOr<LinearCrossEntropy> HeadOf(LinearCrossEntropyOp op) { return MakeHead(op); }
absl::StatusOr<LinearCrossEntropy> HeadOf(LinearCrossEntropyGradOp op) { return MakeHead(op); }

LinearCrossEntropy::Logits LinearCrossEntropy::PlanLogits(int64_t buffer, int64_t lanes) const {
  constexpr int64_t kBlockFloats = 32 << 20, kLeastRows = 256;
  Logits logits{buffer, (classes + lanes - 1) / lanes * lanes, 0};
  const int64_t blocks_fit = kBlockFloats / logits.row_stride / kLeastRows * kLeastRows;
  logits.block = std::min(rows, std::max(kLeastRows, blocks_fit));
  return logits;
}

Product LinearCrossEntropy::LogitsProduct(const Logits& logits, int64_t first,
                                          int64_t count) const {
  Product p;
  p.element = element;
  p.sizes = {count, classes};
  p.depth = depth;
  p.left = From(x, first, {x.strides[0], 0});
  p.left_depth_stride = x.strides[1];
  p.right = From(weight, 0, {0, weight.strides[0]});
  p.right_depth_stride = weight.strides[1];
  p.epilogue = Epilogue::StoreTo({logits.buffer, 0, {logits.row_stride, 1}});
  return p;
}

Product LinearCrossEntropy::DxProduct(const Logits& grad, int64_t first, int64_t count,
                                      const Access& to) const {
  Product p;
  p.element = element;
  p.sizes = {count, depth};
  p.depth = classes;
  p.left = {grad.buffer, 0, {grad.row_stride, 0}};
  p.left_depth_stride = 1;
  p.right = From(weight, 0, {0, weight.strides[1]});
  p.right_depth_stride = weight.strides[0];
  p.epilogue = Epilogue::StoreTo(From(to, first, to.strides));
  return p;
}

Product LinearCrossEntropy::DweightProduct(const Logits& grad, int64_t first, int64_t count,
                                           const Access& to) const {
  Product p;
  p.element = element;
  p.sizes = {classes, depth};
  p.depth = count;
  p.left = {grad.buffer, 0, {1, 0}};
  p.left_depth_stride = grad.row_stride;
  p.right = From(x, first, {0, x.strides[1]});
  p.right_depth_stride = x.strides[0];
  p.accumulate = first > 0;
  p.epilogue = Epilogue::StoreTo(to);
  return p;
}

}  // namespace trama::codegen
