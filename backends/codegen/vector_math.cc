#include "backends/codegen/vector_math.h"

#include <initializer_list>

namespace trama::codegen {
namespace arith = mlir::arith;
namespace math = mlir::math;

namespace {
// ((c0 x + c1) x + c2) ...
Value Horner(Builder& b, Value x, std::initializer_list<double> coefficients) {
  Value sum;
  for (double c : coefficients) {
    Value constant = b.Constant(x.getType(), c);
    sum = sum ? b.Fma(sum, x, constant) : constant;
  }
  return sum;
}

// `value` in every lane of a vector where `type` is one.
Value SpreadLike(Builder& b, Value value, Type type) {
  auto vector = mlir::dyn_cast<mlir::VectorType>(type);
  return vector ? b.Broadcast(value, vector.getNumElements()) : value;
}
}  // namespace

// x = n ln 2 + r with |r| <= ln(2)/2; a polynomial of degree 7 in r (coefficients of Cephes' expf)
// whose exponent n is added to.
Value Exp(Builder& b, Value x) {
  const Type type = x.getType();
  auto c = [&](double value) { return b.Constant(type, value); };
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  constexpr double kMagic = 12582912.0;
  Value shifted = b.Fma(x, c(1.44269504088896341), c(kMagic));
  Value n = b.Sub(shifted, c(kMagic));
  Value r = b.Fma(n, c(-0.693359375), x);
  r = b.Fma(n, c(2.12194440e-4), r);
  Value p = Horner(b, r,
                   {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2,
                    1.6666665459e-1, 5.0000001201e-1});
  p = b.Add(b.Fma(b.Mul(p, r), r, r), c(1));
  Value bits = b.Bitcast(shifted, b.Int(32));
  Value exponent = arith::ShLIOp::create(b, bits, b.IntConstant(bits.getType(), 23));
  Value y = b.Bitcast(b.Add(b.Bitcast(p, b.Int(32)), exponent), b.F32());
  y = b.Select(b.Less(x, c(-87.3365447505531)), c(0), y);
  // Overflow gives infinity, and NaN stays.
  Value beyond = b.Compare(arith::CmpFPredicate::UGT, x, c(88.7228317260742));
  return b.Select(beyond, b.Mul(x, c(INFINITY)), y);
}

// x = 2^e m with m in [sqrt(1/2), sqrt(2)); a polynomial in m - 1 (coefficients of Cephes' logf).
Value Log(Builder& b, Value x) {
  const Type type = x.getType();
  auto c = [&](double value) { return b.Constant(type, value); };
  using P = arith::CmpFPredicate;
  Value subnormal = b.Compare(P::OLT, x, c(1.17549435e-38));
  Value scaled = b.Select(subnormal, b.Mul(x, c(8388608.0)), x);
  Value bits = b.Bitcast(scaled, b.Int(32));
  auto k = [&](int64_t value) { return b.IntConstant(bits.getType(), value); };
  // Subtracting sqrt(1/2)'s bits moves the exponent's borders to where m starts.
  Value offset = b.Sub(bits, k(0x3F3504F3));
  Value e_bits = arith::ShRSIOp::create(b, offset, k(23));
  Value m = b.Bitcast(b.Add(b.And(offset, k(0x007FFFFF)), k(0x3F3504F3)), b.F32());
  Value e = arith::SIToFPOp::create(b, type, e_bits);
  e = b.Sub(e, b.Select(subnormal, c(23), c(0)));
  Value r = b.Sub(m, c(1)), z = b.Mul(r, r);
  Value p =
      Horner(b, r,
             {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
              -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
  Value y = b.Mul(b.Mul(p, r), z);
  y = b.Fma(e, c(-2.12194440e-4), y);
  y = b.Fma(z, c(-0.5), y);
  y = b.Fma(e, c(0.693359375), b.Add(r, y));
  y = b.Select(b.Compare(P::OEQ, x, c(INFINITY)), x, y);
  y = b.Select(b.Compare(P::OEQ, x, c(0)), c(-INFINITY), y);
  return b.Select(b.Compare(P::ULT, x, c(0)), c(NAN), y);  // NaN too
}

// An odd polynomial below 0.625, 1 - 2 / (e^2|x| + 1) above.
Value Tanh(Builder& b, Value x) {
  auto c = [&](double value) { return b.Constant(x.getType(), value); };
  Value ax = math::AbsFOp::create(b, x), z = b.Mul(x, x);
  Value p = Horner(b, z,
                   {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
                    -3.33332819422e-1});
  Value low = b.Fma(b.Mul(p, z), x, x);
  Value e = Exp(b, b.Mul(ax, c(2)));
  Value high = math::CopySignOp::create(b, b.Sub(c(1), b.Div(c(2), b.Add(e, c(1)))), x);
  return b.Select(b.Less(ax, c(0.625)), low, high);
}

Value Sigmoid(Builder& b, Value x) {
  Value one = b.Constant(x.getType(), 1);
  return b.Div(one, b.Add(one, Exp(b, b.Neg(x))));
}

// Coefficients by N. Juffa: a polynomial near 0, 1 - e^(another) beyond.
Value Erf(Builder& b, Value x) {
  auto c = [&](double value) { return b.Constant(x.getType(), value); };
  Value t = math::AbsFOp::create(b, x), s = b.Mul(x, x);
  Value r = b.Fma(c(-1.72853470e-5), t, c(3.83197126e-4));
  Value u = b.Fma(c(-3.88396438e-3), t, c(2.42546219e-2));
  r = b.Fma(r, s, u);
  for (double k : {-1.06777877e-1, -6.34846687e-1, -1.28717512e-1}) r = b.Fma(r, t, c(k));
  r = b.Fma(r, t, b.Neg(t));
  Value high = math::CopySignOp::create(b, b.Sub(c(1), Exp(b, r)), x);
  Value low = Horner(b, s,
                     {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1,
                      1.28379166e-1});
  low = b.Fma(low, x, x);
  return b.Select(b.Compare(arith::CmpFPredicate::OGT, t, c(0.927734375)), high, low);
}

namespace {
// 2 sqrt(2/pi) (x + 0.044715 x^3) = 2u: the tanh form is x sigmoid(2u), one exp and one division.
constexpr double kGeluScale = 1.5957691216057308, kGeluCubic = 0.044715;
constexpr double kSqrtHalf = 0.70710678118654752, kInvSqrt2Pi = 0.39894228040143268;

Value NormalDistribution(Builder& b, Value x) {
  auto c = [&](double value) { return b.Constant(x.getType(), value); };
  return b.Fma(Erf(b, b.Mul(x, c(kSqrtHalf))), c(0.5), c(0.5));
}
}  // namespace

Value Gelu(Builder& b, Value x, bool tanh_form) {
  auto c = [&](double value) { return b.Constant(x.getType(), value); };
  if (!tanh_form) return b.Mul(x, NormalDistribution(b, x));
  Value w = b.Mul(b.Mul(c(kGeluScale), x), b.Fma(b.Mul(x, x), c(kGeluCubic), c(1)));
  return b.Div(x, b.Add(c(1), Exp(b, b.Neg(w))));
}

Value GeluDerivative(Builder& b, Value x, bool tanh_form) {
  auto c = [&](double value) { return b.Constant(x.getType(), value); };
  Value square = b.Mul(x, x);
  if (!tanh_form) {
    Value density = b.Mul(Exp(b, b.Mul(square, c(-0.5))), c(kInvSqrt2Pi));
    return b.Fma(x, density, NormalDistribution(b, x));
  }
  Value w = b.Mul(b.Mul(c(kGeluScale), x), b.Fma(square, c(kGeluCubic), c(1)));
  Value s = Sigmoid(b, w);
  // s + s (1 - s) x dw/dx, from the factor that is 0 where the others overflow.
  Value u = b.Mul(b.Mul(s, b.Sub(c(1), s)), x);
  u = b.Fma(b.Mul(b.Mul(u, x), c(3 * kGeluCubic)), x, u);
  return b.Fma(u, c(kGeluScale), s);
}

Value Sqrt(Builder& b, Value x) { return math::SqrtOp::create(b, x); }
Value Rsqrt(Builder& b, Value x) { return b.Div(b.Constant(x.getType(), 1), Sqrt(b, x)); }

WideIndex MultiplyWide(Builder& b, Value x, int64_t by) {
  auto product = arith::MulUIExtendedOp::create(b, x, b.IntConstant(x.getType(), by));
  return {product.getLow(), product.getHigh()};
}

WideIndex AddWide(Builder& b, WideIndex x, Value y) {
  if (IsVector(y)) x = {SpreadLike(b, x.low, y.getType()), SpreadLike(b, x.high, y.getType())};
  if (IsVector(x.low)) y = SpreadLike(b, y, x.low.getType());
  Value low = b.Add(x.low, y);
  Value carry =
      arith::ExtUIOp::create(b, low.getType(), b.Compare(arith::CmpIPredicate::ult, low, y));
  return {low, b.Add(x.high, carry)};
}

namespace {
Value ShiftRight(Builder& b, Value value, int64_t bits) {
  return arith::ShRUIOp::create(b, value, b.IntConstant(value.getType(), bits));
}

// The four words of the counter (low, op_id, step, high).
std::array<Value, 4> PhiloxWords(Builder& b, Value low, Value high, const PhiloxKey& key) {
  Type type = low.getType();
  auto spread = [&](Value scalar) { return SpreadLike(b, scalar, type); };
  std::array<Value, 4> counter = {low, spread(key.op_id), spread(key.step), high};
  Value k0 = key.seed_low, k1 = key.seed_high;
  for (int round = 0; round < 10; ++round) {
    auto x = arith::MulUIExtendedOp::create(b, counter[0], b.IntConstant(type, 0xD2511F53));
    auto y = arith::MulUIExtendedOp::create(b, counter[2], b.IntConstant(type, 0xCD9E8D57));
    counter[0] = b.Xor(b.Xor(y.getHigh(), counter[1]), spread(k0));
    counter[2] = b.Xor(b.Xor(x.getHigh(), counter[3]), spread(k1));
    counter[1] = y.getLow();
    counter[3] = x.getLow();
    k0 = b.Add(k0, int64_t{0x9E3779B9});
    k1 = b.Add(k1, int64_t{0xBB67AE85});
  }
  return counter;
}

// 24 bits of a word as a number in [0, 1).
Value UniformOf(Builder& b, Value word) {
  Value number =
      arith::UIToFPOp::create(b, WithElement(word.getType(), b.F32()), ShiftRight(b, word, 8));
  return b.Mul(number, b.Constant(number.getType(), 0x1p-24));
}
}  // namespace

Value UniformAt(Builder& b, Value low, Value high, const PhiloxKey& key) {
  auto k = [&](int64_t value) { return b.IntConstant(low.getType(), value); };
  Value quad = b.Or(ShiftRight(b, low, 2), arith::ShLIOp::create(b, high, k(30)));
  std::array<Value, 4> words = PhiloxWords(b, quad, ShiftRight(b, high, 2), key);
  Value lane = b.And(low, k(3));
  auto is = [&](int64_t value) { return b.Compare(arith::CmpIPredicate::eq, lane, k(value)); };
  return UniformOf(
      b, b.Select(is(0), words[0], b.Select(is(1), words[1], b.Select(is(2), words[2], words[3]))));
}

Value UniformAt(Builder& b, Value index, const PhiloxKey& key) {
  Type type = WithElement(index.getType(), b.Int(32));
  auto low32 = [&](Value value) -> Value { return arith::TruncIOp::create(b, type, value); };
  return UniformAt(b, low32(index), low32(ShiftRight(b, index, 32)), key);
}

std::array<Value, 4> FourUniformsAt(Builder& b, Value low, Value high, const PhiloxKey& key) {
  std::array<Value, 4> words = PhiloxWords(b, low, high, key);
  for (Value& word : words) word = UniformOf(b, word);
  return words;
}

}  // namespace trama::codegen
