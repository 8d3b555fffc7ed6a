// Scaled dot-product attention and its gradient.
#include <limits>

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
  if (!AreTensors(adaptor.getOperands())) return InferError<Op>(loc, "operands must be tensors");
  auto q = TypeOf(adaptor.getQ()), k = TypeOf(adaptor.getK()), v = TypeOf(adaptor.getV());
  if (q.getRank() != 4 || k.getRank() != 4 || v.getRank() != 4 ||
      k.getShape().take_front(2) != q.getShape().take_front(2) ||
      v.getShape().take_front(3) != k.getShape().take_front(3) || k.getDimSize(2) == 0 ||
      k.getDimSize(3) != q.getDimSize(3) || k.getElementType() != q.getElementType() ||
      v.getElementType() != q.getElementType())
    return InferError<Op>(loc, "needs q [B, H, T, D], k [B, H, S, D], v [B, H, S, E], S > 0, not ",
                          q, ", ", k, ", ", v);
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
  return llvm::success();
}

template <typename Op>
LogicalResult CheckDropout(Op op) {
  const double p = op.getDropoutP().convertToDouble();
  if (!(p >= 0 && p < 1)) return op.emitOpError("dropout_p = ") << p << " is not in [0, 1)";
  if (p > 0 && !op.getRng()) return op.emitOpError("dropout_p = ") << p << " needs rng";
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

LogicalResult AttentionOp::verify() { return CheckDropout(*this); }
LogicalResult AttentionGradOp::verify() { return CheckDropout(*this); }

// ---------------------------------------------------------------- derivative

LogicalResult AttentionOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, ArrayRef<bool> needed,
                               llvm::SmallVectorImpl<Value>& out) {
  // No gradient of lse or bias from attention_grad: decompose.
  if (!grads[0] || grads[1]) return llvm::failure();
  if (getBias() && needed[3 + (getKeyMask() ? 1 : 0)]) return llvm::failure();
  auto grad = AttentionGradOp::create(
      b, getLoc(), grads[0], getY(), getLse(), getQ(), getK(), getV(), getKeyMask(), getBias(),
      getPosition(), getRng(), getScaleAttr(), getCausalAttr(), getDropoutPAttr(), getOpIdAttr());
  out.append({grad.getDq(), grad.getDk(), grad.getDv()});
  out.resize(getNumOperands());
  return llvm::success();
}

// ---------------------------------------------------------------- decomposition

namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// l r in their own type.
Value Product(const Emitter& e, Value l, Value r, bool transpose_l = false,
              bool transpose_r = false) {
  return e.Cast(e.Matmul(l, r, transpose_l, transpose_r), ElementOf(l));
}

// scale q k^T + bias, -inf where a query does not see a key.
template <typename Op>
Value Scores(const Emitter& e, Op op) {
  const int64_t b = ShapeOf(op.getQ())[0], t = ShapeOf(op.getQ())[2], s = ShapeOf(op.getK())[2];
  Value scores =
      e.Mul(Product(e, op.getQ(), op.getK(), false, true), op.getScale().convertToDouble());
  if (op.getBias()) scores = e.Add(scores, op.getBias());
  Value keep;
  if (op.getKeyMask()) keep = e.Reshape(op.getKeyMask(), {b, 1, 1, s});
  if (op.getCausal()) {
    mlir::Type i32 = e.builder().getI32Type();
    Value query = e.Iota({1, 1, t, 1}, 2, i32), key = e.Iota({1, 1, 1, s}, 3, i32);
    query = op.getPosition() ? e.Add(query, e.Reshape(op.getPosition(), {b, 1, 1, 1}))
                             : e.Add(query, static_cast<double>(s - t));
    Value past = e.Compare(ComparePredicate::le, key, query);
    keep = keep ? e.And(keep, past) : past;
  }
  return keep ? e.Select(keep, scores, kMinusInfinity) : scores;
}

// 0 in place of -inf, which marks a row that sees no key.
Value ZeroIfMasked(const Emitter& e, Value row) {
  return e.Select(e.Compare(ComparePredicate::eq, row, kMinusInfinity), 0, row);
}

template <typename Op>
Value Dropped(const Emitter& e, Op op, Value weights) {
  if (op.getDropoutP().isZero()) return weights;
  return DropoutOp::create(e.builder(), e.loc(), weights, op.getRng(), op.getDropoutPAttr(),
                           op.getOpIdAttr());
}

}  // namespace

llvm::SmallVector<Value> AttentionOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  Value scores = Scores(e, *this);
  Value weights = SoftmaxOp::create(b, getLoc(), scores, 3);
  Value max = ZeroIfMasked(e, e.ReduceMax(scores, {3}, true));
  Value sum = e.Sum(e.Exp(e.Sub(scores, max)), {3});
  Value lse = e.Add(e.Reshape(max, ShapeOf(getLse())), e.Log(sum));
  return {Product(e, Dropped(e, *this, weights), getV()), lse};
}

llvm::SmallVector<Value> AttentionGradOp::decompose(mlir::OpBuilder& b) {
  Emitter e(b, getLoc());
  Value weights = e.Exp(e.Sub(Scores(e, *this), e.Unsqueeze(ZeroIfMasked(e, getLse()), 3)));
  Value dv = Product(e, Dropped(e, *this, weights), getGrad(), true);
  Value dweights = Dropped(e, *this, Product(e, getGrad(), getV(), false, true));
  Value delta = e.Sum(e.Mul(getGrad(), getY()), {3}, true);  // = sum of weights * dweights
  Value dscores = e.Mul(e.Mul(weights, e.Sub(dweights, delta)), getScale().convertToDouble());
  return {Product(e, dscores, getK()), Product(e, dscores, getQ(), true), dv};
}

}  // namespace trama
