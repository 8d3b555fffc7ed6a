#include "backends/vulkan/expand_math.h"

#include <cmath>
#include <functional>
#include <initializer_list>
#include <utility>

#include "backends/codegen/builder.h"
#include "backends/codegen/vector_math.h"

namespace trama::vulkan {
namespace {
namespace arith = mlir::arith;
namespace math = mlir::math;
using codegen::Builder;
using mlir::Type;
using mlir::Value;
using FP = arith::CmpFPredicate;

// A sum of two floats, the second less than the last place of the first.
struct Pair {
  Value high, low;
};

// a * b exactly; Dekker's product. No fma: drivers may give one that rounds twice.
Pair ExactProduct(Builder& b, Value a, Value x) {
  auto split = [&](Value v) -> Pair {
    Value bits = b.Bitcast(v, b.Int(32));
    Value high = b.Bitcast(b.And(bits, b.IntConstant(bits.getType(), 0xFFFFF000)), b.F32());
    return {high, b.Sub(v, high)};
  };
  Value product = b.Mul(a, x);
  auto [ah, al] = split(a);
  auto [xh, xl] = split(x);
  Value error = b.Sub(b.Mul(ah, xh), product);
  error = b.Add(b.Add(error, b.Mul(ah, xl)), b.Mul(al, xh));
  return {product, b.Add(error, b.Mul(al, xl))};
}

// ln x of a finite x > 0. With x = 2^e m, q = (m - 1) / (m + 1): ln m = 2 atanh q, the odd series
// of which begins with 2 q and needs q alone in two floats. After N. Juffa.
Pair LogAsPair(Builder& b, Value x) {
  const Type type = x.getType();
  auto c = [&](double value) { return b.Constant(type, value); };
  Value subnormal = b.Compare(FP::OLT, x, c(0x1p-126));
  Value scaled = b.Select(subnormal, b.Mul(x, c(0x1p23)), x);
  Value bits = b.Bitcast(scaled, b.Int(32));
  auto k = [&](int64_t value) { return b.IntConstant(bits.getType(), value); };
  Value offset = b.Sub(bits, k(0x3F3504F3));  // sqrt(1/2)
  Value m = b.Bitcast(b.Add(b.And(offset, k(0x007FFFFF)), k(0x3F3504F3)), b.F32());
  Value e = arith::SIToFPOp::create(b, type, arith::ShRSIOp::create(b, offset, k(23)));
  e = b.Sub(e, b.Select(subnormal, c(23), c(0)));

  Value above = b.Sub(m, c(1)), below = b.Add(m, c(1));
  Value q = b.Div(above, below);
  // What q lacks: (m - 1 - q (m + 1)) / (m + 1), in which m + 1 = above + 2 exactly.
  auto [qa, qa_low] = ExactProduct(b, q, above);
  Value rest = b.Sub(b.Sub(b.Sub(above, b.Mul(q, c(2))), qa), qa_low);
  Value q_low = b.Div(rest, below);
  auto [s, s_low] = ExactProduct(b, q, q);
  s_low = b.Add(s_low, b.Mul(b.Mul(q, c(2)), q_low));
  auto [cube, cube_low] = ExactProduct(b, s, q);
  cube_low = b.Add(b.Add(cube_low, b.Mul(s, q_low)), b.Mul(s_low, q));
  Value r = c(0.1293334961);
  for (double next : {0.1419928074, 0.2000148296, 0.3333332539}) r = b.Add(b.Mul(r, s), c(next));
  Value tail = b.Add(b.Mul(r, cube), b.Add(b.Mul(r, cube_low), q_low));
  // ln 2 with 15 bits, so that e times it is exact, and the rest of it.
  Value base = b.Mul(e, c(0.693145751953125)), twice = b.Mul(q, c(2));
  Value high = b.Add(base, twice);
  Value low = b.Sub(twice, b.Sub(high, base));
  low = b.Add(b.Add(low, b.Mul(tail, c(2))), b.Mul(e, c(1.42860682030941723e-6)));
  Value sum = b.Add(high, low);
  return {sum, b.Add(b.Sub(high, sum), low)};
}

Value Floor(Builder& b, Value x) { return math::FloorOp::create(b, x); }

Value Power(Builder& b, Value x, Value y) {
  const Type type = x.getType();
  auto c = [&](double value) { return b.Constant(type, value); };
  auto is = [&](Value v, double value) { return b.Compare(FP::OEQ, v, c(value)); };
  Value ax = math::AbsFOp::create(b, x), ay = math::AbsFOp::create(b, y);
  Value zero = is(ax, 0), infinite = is(ax, INFINITY);
  auto [ln, ln_low] = LogAsPair(b, b.Select(b.Or(zero, infinite), c(1), ax));
  // Beyond it, the result is 0 or infinite, and so is what is computed.
  Value factor =
      b.Select(b.Less(c(0x1p100), y), c(0x1p100), b.Select(b.Less(y, c(-0x1p100)), c(-0x1p100), y));
  auto [t, t_low] = ExactProduct(b, ln, factor);
  t_low = b.Add(t_low, b.Mul(ln_low, factor));
  Value magnitude = codegen::Exp(b, t);
  // e^(t + d) = e^t (1 + d). Past 100 the exponential is 0 or infinite and d may be NaN.
  Value bounded = b.Less(math::AbsFOp::create(b, t), c(88.7));
  magnitude = b.Select(bounded, b.Add(magnitude, b.Mul(magnitude, t_low)), magnitude);
  // 0 and infinity to a power are each other's inverse.
  Value falls = b.Less(y, c(0));
  magnitude = b.Select(zero, b.Select(falls, c(INFINITY), c(0)), magnitude);
  magnitude = b.Select(infinite, b.Select(falls, c(0), c(INFINITY)), magnitude);

  Value half = b.Mul(y, c(0.5)), negative = b.Less(x, c(0));
  Value whole = b.Compare(FP::OEQ, Floor(b, y), y);  // so are the infinities
  Value odd = b.And(whole, b.Compare(FP::UNE, Floor(b, half), half));
  Value result = b.Select(odd, math::CopySignOp::create(b, magnitude, x), magnitude);
  Value not_a_number =
      b.Or(b.Compare(FP::UNO, x, y), b.And(b.And(negative, b.Compare(FP::UNE, Floor(b, y), y)),
                                           b.Compare(FP::ONE, ax, c(INFINITY))));
  result = b.Select(not_a_number, c(NAN), result);
  Value one = b.Or(b.Or(is(y, 0), is(x, 1)), b.And(is(x, -1), is(ay, INFINITY)));
  return b.Select(one, c(1), result);
}

// |x| modulo 2 pi, for |x| >= 1/2: the nearest multiple of pi/2, and what is left of it in f32.
struct Angle {
  Value quadrant, rest;
};

// By Payne and Hanek: the 24 bits of x times those of 1 / (2 pi) that count, 64 of the product.
Angle ReduceAngle(Builder& b, Value x) {
  constexpr int64_t kInverse[] = {0,          0x28BE60DB, 0x9391054A, 0x7F09D5F4,
                                  0x7D4D3770, 0x36D8A566, 0x4F10E410};  // the point is after 0
  Value bits = b.Bitcast(x, b.Int(32));
  const Type type = bits.getType();
  auto k = [&](int64_t value) { return b.IntConstant(type, value); };
  auto right = [&](Value v, Value by) -> Value { return arith::ShRUIOp::create(b, v, by); };
  auto left = [&](Value v, Value by) -> Value { return arith::ShLIOp::create(b, v, by); };
  // |x| = mantissa 2^(exponent - 32).
  Value mantissa = b.Or(left(bits, k(8)), k(0x80000000));
  Value exponent = b.Sub(b.And(right(bits, k(23)), k(0xFF)), 126);
  Value word = right(exponent, k(5)), shift = b.And(exponent, k(31));
  Value words[4];  // of the table, from `word`
  for (int i = 0; i < 4; ++i) {
    words[i] = k(kInverse[i]);
    for (int w = 1; w <= 4; ++w)
      words[i] = b.Select(b.Compare(arith::CmpIPredicate::eq, word, k(w)),
                          k(i + w < 7 ? kInverse[i + w] : 0), words[i]);
  }
  Value keep = b.Sub(k(31), shift);
  for (int i = 0; i < 3; ++i)
    words[i] = b.Or(left(words[i], shift), right(right(words[i + 1], k(1)), keep));
  auto first = arith::MulUIExtendedOp::create(b, mantissa, words[1]);
  auto second = arith::MulUIExtendedOp::create(b, mantissa, words[2]);
  Value low = b.Add(first.getLow(), second.getHigh());
  Value carry = b.Select(b.Compare(arith::CmpIPredicate::ult, low, first.getLow()), k(1), k(0));
  Value high = b.Add(b.Add(first.getHigh(), carry), b.Mul(mantissa, words[0]));
  // In turns of 2^64; the highest two bits, rounded, are quarters.
  Value quadrant = right(b.Add(high, k(0x20000000)), k(30));
  high = b.Or(left(high, k(2)), right(low, k(30)));
  low = left(low, k(2));
  const Type f32 = x.getType();
  Value quarter = b.Add(b.Mul(arith::SIToFPOp::create(b, f32, high), b.Constant(f32, 0x1p-32)),
                        b.Mul(arith::UIToFPOp::create(b, f32, low), b.Constant(f32, 0x1p-64)));
  return {quadrant, b.Mul(quarter, b.Constant(f32, 1.5707963267948966))};
}

// sin(x + quarters * pi/2), with Cephes' polynomials on [-pi/4, pi/4].
Value Sine(Builder& b, Value x, int quarters) {
  auto c = [&](double value) { return b.Constant(x.getType(), value); };
  Value ax = math::AbsFOp::create(b, x);
  auto [quadrant, r] = ReduceAngle(b, ax);
  Value small = b.Less(ax, c(0.5));
  r = b.Select(small, ax, r);
  Value zero = b.IntConstant(quadrant.getType(), 0);
  quadrant = b.Select(small, zero, quadrant);
  Value z = b.Mul(r, r);
  auto polynomial = [&](std::initializer_list<double> coefficients) {
    Value sum;
    for (double k : coefficients) sum = sum ? b.Add(b.Mul(sum, z), c(k)) : c(k);
    return sum;
  };
  Value sine = polynomial({-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1});
  sine = b.Add(b.Mul(b.Mul(sine, z), r), r);
  Value cosine = polynomial({2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2});
  cosine = b.Add(b.Sub(b.Mul(b.Mul(cosine, z), z), b.Mul(z, c(0.5))), c(1));
  quadrant = b.Add(quadrant, quarters);
  auto bit = [&](int64_t mask) {
    Value masked = b.And(quadrant, b.IntConstant(quadrant.getType(), mask));
    return b.Compare(arith::CmpIPredicate::ne, masked, zero);
  };
  Value result = b.Select(bit(1), cosine, sine);
  result = b.Select(bit(2), b.Neg(result), result);
  if (quarters == 0) result = b.Select(b.Less(x, c(0)), b.Neg(result), result);  // odd
  return b.Select(b.Less(ax, c(INFINITY)), result, b.Sub(x, x));
}

template <typename Op>
struct Expand : mlir::OpRewritePattern<Op> {
  Expand(mlir::MLIRContext* context, std::function<Value(Builder&, Op)> emit)
      : mlir::OpRewritePattern<Op>(context), emit(std::move(emit)) {}
  mlir::LogicalResult matchAndRewrite(Op op, mlir::PatternRewriter& rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    Builder b(op.getLoc(), rewriter, /*lanes=*/4);
    rewriter.replaceOp(op, emit(b, op));
    return mlir::success();
  }
  std::function<Value(Builder&, Op)> emit;
};
}  // namespace

void PopulateMathExpansions(mlir::RewritePatternSet& patterns) {
  mlir::MLIRContext* context = patterns.getContext();
  patterns.add<Expand<math::PowFOp>>(
      context, [](Builder& b, math::PowFOp op) { return Power(b, op.getLhs(), op.getRhs()); });
  patterns.add<Expand<math::SinOp>>(
      context, [](Builder& b, math::SinOp op) { return Sine(b, op.getOperand(), 0); });
  patterns.add<Expand<math::CosOp>>(
      context, [](Builder& b, math::CosOp op) { return Sine(b, op.getOperand(), 1); });
}

}  // namespace trama::vulkan
