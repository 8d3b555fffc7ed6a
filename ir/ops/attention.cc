// Scaled dot-product attention and its gradient.
#include "ir/builder_util.h"

namespace trama {

using llvm::ArrayRef;
using llvm::LogicalResult;
using mlir::RankedTensorType;
using mlir::Value;

namespace {

// The shapes of the operands that attention and attention_grad share.
template <typename Op>
LogicalResult CheckAttention(std::optional<mlir::Location> loc, typename Op::Adaptor adaptor) {
  auto q = TypeOf(adaptor.getQ()), k = TypeOf(adaptor.getK()), v = TypeOf(adaptor.getV());
  if (q.getRank() != 4 || k.getRank() != 4 || v.getRank() != 4 ||
      k.getShape().take_front(2) != q.getShape().take_front(2) ||
      v.getShape().take_front(3) != k.getShape().take_front(3) ||
      k.getDimSize(3) != q.getDimSize(3) || k.getElementType() != q.getElementType() ||
      v.getElementType() != q.getElementType())
    return InferError<Op>(loc, "needs q [B, H, T, D], k [B, H, S, D], v [B, H, S, E], not ", q,
                          ", ", k, ", ", v);
  const int64_t b = q.getDimSize(0), h = q.getDimSize(1), t = q.getDimSize(2), s = k.getDimSize(2);
  if (Value mask = adaptor.getKeyMask(); mask && ShapeOf(mask) != ArrayRef<int64_t>({b, s}))
    return InferError<Op>(loc, "key_mask must be [", b, ", ", s, "], not ", mask.getType());
  if (Value bias = adaptor.getBias()) {
    const int64_t scores[] = {b, h, t, s};
    auto joined = BroadcastShapes({ShapeOf(bias), scores});
    if (!joined || ArrayRef<int64_t>(*joined) != ArrayRef<int64_t>(scores) ||
        ElementOf(bias) != q.getElementType())
      return InferError<Op>(loc, "bias ", bias.getType(), " does not broadcast to scores of ",
                            RankedTensorType::get(scores, q.getElementType()));
  }
  if (Value position = adaptor.getPosition();
      position && (ShapeOf(position) != ArrayRef<int64_t>{b} || !ElementOf(position).isInteger(32)))
    return InferError<Op>(loc, "position must be i32 [", b, "], not ", position.getType());
  if (Value rng = adaptor.getRng();
      rng && (ShapeOf(rng) != ArrayRef<int64_t>{4} || !ElementOf(rng).isInteger(32)))
    return InferError<Op>(loc, "rng must be tensor<4xi32>, not ", rng.getType());
  const double p = adaptor.getDropoutP().convertToDouble();
  if (!(p >= 0 && p < 1)) return InferError<Op>(loc, "dropout_p = ", p, " is not in [0, 1)");
  if (p > 0 && !adaptor.getRng()) return InferError<Op>(loc, "dropout_p = ", p, " needs rng");
  return llvm::success();
}

RankedTensorType OutputType(RankedTensorType q, RankedTensorType v) {
  return RankedTensorType::get({q.getDimSize(0), q.getDimSize(1), q.getDimSize(2), v.getDimSize(3)},
                               q.getElementType());
}

RankedTensorType LseType(RankedTensorType q) {
  return RankedTensorType::get(q.getShape().drop_back(), q.getElementType());
}

}  // namespace

LogicalResult AttentionOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                            Adaptor adaptor,
                                            llvm::SmallVectorImpl<mlir::Type>& results) {
  if (failed(CheckAttention<AttentionOp>(loc, adaptor))) return llvm::failure();
  auto q = TypeOf(adaptor.getQ());
  results.append({OutputType(q, TypeOf(adaptor.getV())), LseType(q)});
  return llvm::success();
}

LogicalResult AttentionGradOp::inferReturnTypes(mlir::MLIRContext*,
                                                std::optional<mlir::Location> loc, Adaptor adaptor,
                                                llvm::SmallVectorImpl<mlir::Type>& results) {
  if (failed(CheckAttention<AttentionGradOp>(loc, adaptor))) return llvm::failure();
  auto q = TypeOf(adaptor.getQ());
  auto y = OutputType(q, TypeOf(adaptor.getV()));
  if (adaptor.getGrad().getType() != y || adaptor.getY().getType() != y ||
      adaptor.getLse().getType() != LseType(q))
    return InferError<AttentionGradOp>(loc, "grad and y must be ", y, " and lse ", LseType(q),
                                       ", not ", adaptor.getGrad().getType(), ", ",
                                       adaptor.getY().getType(), " and ",
                                       adaptor.getLse().getType());
  results.append({q, adaptor.getK().getType(), adaptor.getV().getType()});
  return llvm::success();
}

}  // namespace trama
