// Ops whose element i depends on the operands' elements i only, with broadcasting.
#include <cmath>
#include <numbers>

#include "backends/reference/evaluators.h"
#include "ir/compare.h"

namespace trama::reference {

double Gelu(double x, bool with_tanh) {
  if (!with_tanh) return x / 2 * (1 + std::erf(x / std::numbers::sqrt2));
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

namespace {

// y[i] = f(x[i]); f takes doubles and, where the op has integers, int64s.
template <typename Op, typename F>
bool Unary(F f) {
  return Register<Op>([f](Inputs<Op> in, Results out) {
    const Tensor& x = *in.getX();
    for (size_t i = 0; i < x.real.size(); ++i) out[0].real[i] = f(x.real[i]);
    for (size_t i = 0; i < x.integer.size(); ++i) out[0].integer[i] = f(x.integer[i]);
  });
}

template <typename Op, typename F>
bool Binary(F f) {
  return Register<Op>([f](Inputs<Op> in, Results out) {
    const Tensor &a = *in.getLhs(), &b = *in.getRhs();
    Tensor& y = out[0];
    ForEachElement<2>(y.shape,
                      {BroadcastStrides(a.shape, y.shape), BroadcastStrides(b.shape, y.shape)},
                      [&](int64_t i, auto at) {
                        if (y.is_float())
                          y.real[i] = f(a.real[at[0]], b.real[at[1]]);
                        else
                          y.integer[i] = f(a.integer[at[0]], b.integer[at[1]]);
                      });
  });
}

// Integers wrap; signed overflow would be undefined.
double Add(double a, double b) { return a + b; }
double Sub(double a, double b) { return a - b; }
double Mul(double a, double b) { return a * b; }
double Div(double a, double b) { return a / b; }
int64_t Add(int64_t a, int64_t b) { return static_cast<int64_t>(uint64_t(a) + uint64_t(b)); }
int64_t Sub(int64_t a, int64_t b) { return static_cast<int64_t>(uint64_t(a) - uint64_t(b)); }
int64_t Mul(int64_t a, int64_t b) { return static_cast<int64_t>(uint64_t(a) * uint64_t(b)); }
int64_t Div(int64_t a, int64_t b) { return b == 0 ? 0 : b == -1 ? Sub(int64_t{0}, a) : a / b; }

template <typename T>
T Max(T a, T b) {
  return a > b || a != a ? a : b;
}
template <typename T>
T Min(T a, T b) {
  return a < b || a != a ? a : b;
}

void Compare(Inputs<CompareOp> in, Results out) {
  const Tensor &a = *in.getLhs(), &b = *in.getRhs();
  Tensor& y = out[0];
  ForEachElement<2>(
      y.shape, {BroadcastStrides(a.shape, y.shape), BroadcastStrides(b.shape, y.shape)},
      [&](int64_t i, auto at) {
        y.integer[i] = a.is_float() ? Holds(in.getPredicate(), a.real[at[0]], b.real[at[1]])
                                    : Holds(in.getPredicate(), a.integer[at[0]], b.integer[at[1]]);
      });
}

void Select(Inputs<SelectOp> in, Results out) {
  const Tensor &c = *in.getCondition(), &a = *in.getOnTrue(), &b = *in.getOnFalse();
  Tensor& y = out[0];
  ForEachElement<3>(y.shape,
                    {BroadcastStrides(c.shape, y.shape), BroadcastStrides(a.shape, y.shape),
                     BroadcastStrides(b.shape, y.shape)},
                    [&](int64_t i, auto at) {
                      if (c.integer[at[0]])
                        y.Move(i, a, at[1]);
                      else
                        y.Move(i, b, at[2]);
                    });
}

int64_t Truncate(double x, DType to) {
  if (to == DType::kBool) return x != 0;
  if (std::isnan(x)) return 0;
  const int bits = static_cast<int>(8 * SizeOf(to));
  const double bound = std::ldexp(1.0, bits - 1);
  const int64_t largest = static_cast<int64_t>((uint64_t{1} << (bits - 1)) - 1);
  if (x >= bound) return largest;
  if (x < -bound) return -largest - 1;
  return static_cast<int64_t>(x);
}

void Cast(Inputs<CastOp> in, Results out) {
  const Tensor& x = *in.getX();
  Tensor& y = out[0];
  for (int64_t i = 0; i < y.size(); ++i) {
    if (y.is_float())
      y.real[i] = x.at(i);
    else if (x.is_float())
      y.integer[i] = Truncate(x.real[i], y.dtype);
    else
      y.integer[i] = y.dtype == DType::kBool ? x.integer[i] != 0 : x.integer[i];
  }
  // To round to half the width is what such a cast is for, also where f32 stands for f64.
  if (y.dtype == DType::kBF16 || y.dtype == DType::kF16) y.Round(/*keep_double=*/false);
}

double GeluSlope(double x, bool with_tanh) {
  if (!with_tanh)
    return (1 + std::erf(x / std::numbers::sqrt2)) / 2 +
           x * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
  const double c = std::sqrt(2 / std::numbers::pi);
  const double t = std::tanh(c * (x + 0.044715 * x * x * x));
  return (1 + t) / 2 + x / 2 * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
}

void EvalGelu(Inputs<GeluOp> in, Results out) {
  for (int64_t i = 0; i < out[0].size(); ++i)
    out[0].real[i] = Gelu(in.getX()->real[i], in.getTanh());
}

void EvalGeluGrad(Inputs<GeluGradOp> in, Results out) {
  const Tensor &grad = *in.getGrad(), &x = *in.getX();
  Tensor& y = out[0];
  ForEachElement<2>(y.shape,
                    {BroadcastStrides(grad.shape, y.shape), BroadcastStrides(x.shape, y.shape)},
                    [&](int64_t i, auto at) {
                      y.real[i] = grad.real[at[0]] * GeluSlope(x.real[at[1]], in.getTanh());
                    });
}

const bool registered[] = {
    Unary<NegOp>([](auto x) { return Sub(decltype(x){0}, x); }),
    Unary<AbsOp>([](auto x) { return x < 0 ? Sub(decltype(x){0}, x) : x; }),
    Unary<SignOp>([](auto x) { return static_cast<decltype(x)>((x > 0) - (x < 0)); }),
    Unary<ExpOp>([](double x) { return std::exp(x); }),
    Unary<LogOp>([](double x) { return std::log(x); }),
    Unary<SqrtOp>([](double x) { return std::sqrt(x); }),
    Unary<RsqrtOp>([](double x) { return 1 / std::sqrt(x); }),
    Unary<TanhOp>([](double x) { return std::tanh(x); }),
    Unary<SigmoidOp>([](double x) { return 1 / (1 + std::exp(-x)); }),
    Unary<ErfOp>([](double x) { return std::erf(x); }),
    Unary<SinOp>([](double x) { return std::sin(x); }),
    Unary<CosOp>([](double x) { return std::cos(x); }),
    Unary<FloorOp>([](double x) { return std::floor(x); }),
    Unary<ReluOp>([](double x) { return x < 0 ? 0 : x; }),
    Unary<NotOp>([](int64_t x) { return x == 0; }),
    Binary<AddOp>([](auto a, auto b) { return Add(a, b); }),
    Binary<SubOp>([](auto a, auto b) { return Sub(a, b); }),
    Binary<MulOp>([](auto a, auto b) { return Mul(a, b); }),
    Binary<DivOp>([](auto a, auto b) { return Div(a, b); }),
    Binary<PowOp>([](double a, double b) { return std::pow(a, b); }),
    Binary<MaxOp>([](auto a, auto b) { return Max(a, b); }),
    Binary<MinOp>([](auto a, auto b) { return Min(a, b); }),
    Binary<AndOp>([](int64_t a, int64_t b) { return a && b; }),
    Binary<OrOp>([](int64_t a, int64_t b) { return a || b; }),
    Register<CompareOp>(Compare),
    Register<SelectOp>(Select),
    Register<CastOp>(Cast),
    Register<GeluOp>(EvalGelu),
    Register<GeluGradOp>(EvalGeluGrad),
};

}  // namespace
}  // namespace trama::reference
