#include "tests/random_composites.h"

#include <cmath>

namespace trama {

using llvm::SmallVector;
using mlir::Value;

namespace {

// A reduction of x along `dim`, repeated along it in one of the ways to write that.
template <typename Op>
Value Repeated(RandomBuilder& r, Value x, int64_t dim) {
  SmallVector<int64_t> kept(ShapeOf(x));
  kept[dim] = 1;
  Value y;
  if (r.Pick(2) == 0) {
    y = Op::create(r.e.builder(), r.e.loc(), x, llvm::ArrayRef<int64_t>{dim}, true);
  } else {
    y = Op::create(r.e.builder(), r.e.loc(), x, llvm::ArrayRef<int64_t>{dim}, false);
    if (dim > 0 || r.Pick(2) == 0) y = r.e.Reshape(y, kept);
  }
  return r.Pick(4) == 0 ? r.e.Broadcast(y, ShapeOf(x)) : y;
}

Value Mean(RandomBuilder& r, Value x, int64_t dim) {
  if (r.Pick(2) == 0) return Repeated<MeanOp>(r, x, dim);
  const double n = ShapeOf(x)[dim];
  Value sum = Repeated<SumOp>(r, x, dim);
  return r.Pick(2) == 0 ? r.e.Div(sum, n) : r.e.Mul(sum, 1 / n);
}

// l op r or r op l.
template <typename Op>
Value Either(RandomBuilder& r, Value x, Value y) {
  return r.Pick(2) == 0 ? r.e.Binary<Op>(x, y) : r.e.Binary<Op>(y, x);
}

}  // namespace

void RandomSoftmax(RandomBuilder& r) {
  Value x = r.Tame(r.AnyOfRank(1 + r.Pick(3)), 20);
  const int64_t dim = r.Pick(ShapeOf(x).size());
  const bool log = r.Pick(3) == 0;
  if (r.Pick(3) == 0) {
    Value y = log ? Value(LogSoftmaxOp::create(r.e.builder(), r.e.loc(), x, dim))
                  : Value(SoftmaxOp::create(r.e.builder(), r.e.loc(), x, dim));
    return r.Keep(y, log ? 50 : 1);
  }
  Value z = x;
  const int64_t max_dim = r.Pick(6) == 0 ? r.Pick(ShapeOf(x).size()) : dim;
  if (r.Pick(2) == 0) z = r.e.Sub(x, Repeated<ReduceMaxOp>(r, x, max_dim));
  Value exp = r.e.Exp(z);
  const int64_t sum_dim = r.Pick(6) == 0 ? r.Pick(ShapeOf(x).size()) : dim;
  const bool other = r.Pick(8) == 0;  // the sum of something else
  Value summed = other ? r.e.Exp(r.Input(ShapeOf(x), r.float_type)) : exp;
  Value sum = Repeated<SumOp>(r, summed, sum_dim);
  if (log) {
    if (r.Pick(3) == 0) return r.Keep(r.e.Log(r.e.Div(exp, sum)), 100);
    return r.Keep(r.e.Sub(z, r.e.Log(sum)), 100);
  }
  // exp may be written a second time.
  if (r.Pick(4) == 0) exp = r.e.Exp(z);
  Value y = r.Pick(3) == 0 ? Either<MulOp>(r, exp, r.e.Div(1.0, sum)) : r.e.Div(exp, sum);
  r.Keep(y, 1e6);
}

void RandomLayerNorm(RandomBuilder& r) {
  Value x = r.Tame(r.AnyOfRank(1 + r.Pick(3)), 20);
  const int64_t last = ShapeOf(x).size() - 1, n = ShapeOf(x).back();
  Value weight = r.Input({n}, r.float_type), bias = r.Input({n}, r.float_type);
  const double eps = r.Pick(2) == 0 ? 1e-2 : 0.5;
  if (r.Pick(3) == 0)
    return r.Keep(LayerNormOp::create(r.e.builder(), r.e.loc(), x, weight, bias,
                                      r.e.builder().getF64FloatAttr(eps)),
                  20);
  const int64_t dim = r.Pick(8) == 0 ? r.Pick(last + 1) : last;
  Value centered = r.e.Sub(x, Mean(r, x, dim));
  Value square =
      r.Pick(2) == 0 ? r.e.Mul(centered, centered) : r.e.Pow(centered, r.Splat(ShapeOf(x), 2));
  Value variance =
      r.Pick(8) == 0 ? r.e.Mul(Repeated<SumOp>(r, square, dim), 0.25) : Mean(r, square, dim);
  variance = Either<AddOp>(r, variance, r.e.Scalar(r.float_type, eps));
  Value y, inverse;
  switch (r.Pick(4)) {
    case 0:
      y = r.e.Div(centered, r.e.Sqrt(variance));
      break;
    case 1:
      inverse = r.e.Pow(variance, r.e.Scalar(r.float_type, -0.5));
      break;
    case 2:
      inverse = r.e.Div(1.0, r.e.Sqrt(variance));
      break;
    default:
      inverse = r.e.Rsqrt(variance);
  }
  const int64_t order = r.Pick(3);
  if (inverse && order == 0)
    y = Either<MulOp>(r, Either<MulOp>(r, centered, weight), inverse);
  else if (inverse && order == 1)
    y = Either<MulOp>(r, centered, Either<MulOp>(r, inverse, weight));
  else
    y = Either<MulOp>(r, inverse ? Either<MulOp>(r, centered, inverse) : y, weight);
  if (r.Pick(3) != 0) y = Either<AddOp>(r, y, bias);
  r.Keep(y, 100);
}

void RandomActivation(RandomBuilder& r) {
  Value x = r.Tame(r.Any(), 10);
  const double bound = r.Bound(x);
  Emitter& e = r.e;
  auto constant = [&](double c) { return r.Splat(ShapeOf(x), c); };
  // One constant of three is wrong by a little or much in some programs.
  const double wrong = r.Pick(6) == 0 ? 1.01 : 1;
  switch (r.Pick(7)) {
    case 0:
      return r.Keep(GeluOp::create(e.builder(), e.loc(), x, r.Pick(2) == 0), bound);
    case 1:
      return r.Keep(e.Unary<ReluOp>(x), bound);
    case 2:
      return r.Keep(Either<MulOp>(r, x, e.Unary<SigmoidOp>(x)), bound);
    case 3:
      return r.Keep(
          DropoutOp::create(e.builder(), e.loc(), x, r.Rng(), llvm::APFloat(0.25), r.Pick(5)),
          2 * bound);
    case 4: {
      Value u = r.Pick(2) == 0 ? e.Div(x, constant(std::sqrt(2.0) * wrong))
                               : Either<MulOp>(r, x, constant(std::sqrt(0.5) * wrong));
      Value t = e.Unary<ErfOp>(u);
      if (r.Pick(2) == 0)
        return r.Keep(e.Mul(x, e.Add(e.Mul(t, constant(0.5)), constant(0.5))), bound);
      return r.Keep(e.Mul(e.Mul(x, 0.5), Either<AddOp>(r, constant(1), t)), bound);
    }
    case 5: {
      Value cube = r.Pick(2) == 0 ? e.Pow(x, constant(3)) : e.Mul(e.Mul(x, x), x);
      Value inner = Either<AddOp>(r, x, e.Mul(cube, constant(0.044715 * wrong)));
      Value t = e.Unary<TanhOp>(Either<MulOp>(r, inner, constant(std::sqrt(2 / M_PI))));
      return r.Keep(e.Mul(e.Mul(x, constant(0.5)), Either<AddOp>(r, t, constant(1))), bound);
    }
    default: {
      Value inner = e.Add(e.Mul(e.Mul(x, x), 0.044715 * wrong), 1.0);
      Value t = e.Unary<SigmoidOp>(e.Mul(e.Mul(x, inner), 2 * std::sqrt(2 / M_PI)));
      return r.Keep(e.Mul(x, t), bound);
    }
  }
}

void RandomLinear(RandomBuilder& r) {
  Value x = r.Tame(r.AnyOfRank(2 + r.Pick(2)), 50);
  const int64_t k = ShapeOf(x).back(), n = r.Size();
  const bool transposed = r.Pick(2) == 0;
  Value weight =
      r.Input(transposed ? SmallVector<int64_t>{n, k} : SmallVector<int64_t>{k, n}, r.float_type);
  Value bias = r.Input({n}, r.float_type);
  const double bound = r.Bound(x) * 2 * k + 2;
  if (r.Pick(3) == 0)
    return r.Keep(LinearOp::create(r.e.builder(), r.e.loc(), x, weight, r.Pick(2) ? bias : Value(),
                                   transposed, static_cast<Activation>(r.Pick(6))),
                  bound);
  Value y = r.e.Matmul(x, weight, false, transposed);
  if (r.Pick(4) != 0) y = Either<AddOp>(r, y, r.Pick(2) ? bias : r.e.Reshape(bias, {1, n}));
  switch (r.Pick(5)) {
    case 0:
      y = r.e.Unary<ReluOp>(y);
      break;
    case 1:
      y = r.e.Unary<TanhOp>(y);
      break;
    case 2:
      y = GeluOp::create(r.e.builder(), r.e.loc(), y, true);
      break;
    default:
      break;
  }
  r.Keep(y, bound);
}

void RandomLoss(RandomBuilder& r) {
  Emitter& e = r.e;
  Value x = r.Tame(r.AnyOfRank(2), 20);
  const int64_t n = ShapeOf(x)[0], classes = 3 + r.Pick(4);
  const bool transposed = r.Pick(2) == 0;
  Value weight = r.Input(transposed ? SmallVector<int64_t>{classes, ShapeOf(x)[1]}
                                    : SmallVector<int64_t>{ShapeOf(x)[1], classes},
                         r.float_type);
  Value logits = e.Matmul(x, weight, false, transposed);
  r.Bound(logits) = r.Bound(x) * 2 * ShapeOf(x)[1];
  logits = r.Tame(logits, 20);
  Value targets = r.Input({n}, r.Pick(2) == 0 ? r.i32() : r.i64());
  if (r.Pick(3) == 0) {
    auto loss = CrossEntropyOp::create(e.builder(), e.loc(), logits, targets, -100,
                                       llvm::APFloat(r.Pick(4) == 0 ? 0.1 : 0.0));
    return r.Keep(loss.getY(), 10);
  }
  const bool log_last = r.Pick(3) == 0;
  Value p = log_last ? Value(SoftmaxOp::create(e.builder(), e.loc(), logits, 1))
                     : Value(LogSoftmaxOp::create(e.builder(), e.loc(), logits, 1));
  Value column = e.Reshape(targets, {n, 1}), picked;
  if (r.Pick(2) == 0) {
    picked = GatherOp::create(e.builder(), e.loc(), p, column, 1);
    picked = e.Reshape(picked, {n});
  } else {
    SmallVector<int64_t> shape = {classes};
    if (r.Pick(2) == 0) shape.insert(shape.begin(), 1);
    Value index = e.Iota(shape, shape.size() - 1, ElementOf(targets));
    Value one_hot = e.Compare(ComparePredicate::eq, column, index);
    picked = r.Pick(2) == 0 ? e.Mul(p, e.Cast(one_hot, r.float_type)) : e.Select(one_hot, p, 0.0);
    picked = e.Sum(picked, {1});
  }
  if (log_last) picked = e.Log(picked);
  if (r.Pick(2) == 0) return r.Keep(e.Neg(e.Mean(picked, {0})), 10);
  r.Keep(e.Mean(e.Neg(picked), {0}), 10);
}

}  // namespace trama
