// Functions and operators that work element by element.
#include "absl/strings/str_cat.h"
#include "frontend/activations.h"
#include "frontend/call.h"

namespace trama {
namespace {
template <typename OpTy>
Tensor Unary(const char* name, const Tensor& tensor, const Loc& loc) {
  Call call(name, loc);
  mlir::Value x = call.UseFloat(tensor);
  return x ? call.Make<OpTy>(call.axes(x), x.getType(), x) : Tensor();
}

// Of any number; a bool counts as 0 or 1.
template <typename OpTy>
Tensor UnaryNumber(const char* name, const Tensor& tensor, const Loc& loc) {
  Call call(name, loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  x = call.AsNumber(x);
  return call.Make<OpTy>(call.axes(x), x.getType(), x);
}

const Loc& LocOf(const Operand& a, const Operand& b) { return a.is_number() ? b.loc() : a.loc(); }

template <typename OpTy>
Tensor Binary(const char* name, const Operand& a, const Operand& b) {
  Call call(name, LocOf(a, b));
  mlir::Value lhs, rhs;
  if (!call.UsePair(a, b, lhs, rhs)) return {};
  lhs = call.AsNumber(lhs), rhs = call.AsNumber(rhs);
  return call.Make<OpTy>(call.BroadcastAxes({lhs, rhs}), lhs, rhs);
}

// Operands become floating point.
template <typename OpTy>
Tensor BinaryFloat(const char* name, const Operand& a, const Operand& b) {
  Call call(name, LocOf(a, b));
  mlir::Value lhs, rhs;
  if (!call.UsePair(a, b, lhs, rhs)) return {};
  if (!IsFloat(lhs)) {
    const mlir::Type f32 = call.recorder()->ElementType(DType::kF32);
    lhs = call.Cast(lhs, f32), rhs = call.Cast(rhs, f32);
  }
  return call.Make<OpTy>(call.BroadcastAxes({lhs, rhs}), lhs, rhs);
}

Tensor Compare(const char* name, ComparePredicate predicate, const Operand& a, const Operand& b) {
  Call call(name, LocOf(a, b));
  mlir::Value lhs, rhs;
  if (!call.UsePair(a, b, lhs, rhs)) return {};
  lhs = call.AsNumber(lhs), rhs = call.AsNumber(rhs);
  return call.Make<CompareOp>(call.BroadcastAxes({lhs, rhs}), predicate, lhs, rhs);
}

template <typename OpTy>
Tensor Logic(const char* name, const Operand& a, const Operand& b) {
  Call call(name, LocOf(a, b));
  mlir::Value lhs = call.UseBool(a.tensor(), "operands"),
              rhs = call.UseBool(b.tensor(), "operands");
  if (!lhs || !rhs || !call.Broadcasts(lhs, rhs)) return {};
  return call.Make<OpTy>(call.BroadcastAxes({lhs, rhs}), lhs, rhs);
}
}  // namespace

Tensor abs(Tensor x, Loc loc) { return UnaryNumber<AbsOp>("abs", x, loc); }
Tensor sign(Tensor x, Loc loc) { return UnaryNumber<SignOp>("sign", x, loc); }
Tensor exp(Tensor x, Loc loc) { return Unary<ExpOp>("exp", x, loc); }
Tensor log(Tensor x, Loc loc) { return Unary<LogOp>("log", x, loc); }
Tensor log1p(Tensor x, Loc loc) { return log(Operand(x, loc) + 1.0, loc); }
Tensor sqrt(Tensor x, Loc loc) { return Unary<SqrtOp>("sqrt", x, loc); }
Tensor rsqrt(Tensor x, Loc loc) { return Unary<RsqrtOp>("rsqrt", x, loc); }
Tensor square(Tensor x, Loc loc) { return Operand(x, loc) * x; }
Tensor reciprocal(Tensor x, Loc loc) { return Operand(1.0, loc) / Operand(x, loc); }
Tensor erf(Tensor x, Loc loc) { return Unary<ErfOp>("erf", x, loc); }
Tensor sin(Tensor x, Loc loc) { return Unary<SinOp>("sin", x, loc); }
Tensor cos(Tensor x, Loc loc) { return Unary<CosOp>("cos", x, loc); }
Tensor floor(Tensor x, Loc loc) { return Unary<FloorOp>("floor", x, loc); }
Tensor tanh(Tensor x, Loc loc) { return Unary<TanhOp>("tanh", x, loc); }
Tensor sigmoid(Tensor x, Loc loc) { return Unary<SigmoidOp>("sigmoid", x, loc); }
Tensor relu(Tensor x, Loc loc) { return Unary<ReluOp>("relu", x, loc); }
Tensor silu(Tensor x, Loc loc) { return Operand(x, loc) * sigmoid(x, loc); }

// log(e^0 + e^x) with the larger exponent m taken out. Its derivative is right whatever derivative
// m = relu(x) is given at 0, which max(x, 0) + log(1 + e^-|x|) does not have.
Tensor softplus(Tensor x, Loc loc) {
  Operand m(relu(x, loc), loc);
  return m + log(Operand(exp(-m, loc), loc) + exp(Operand(x, loc) - m, loc), loc);
}

Tensor gelu(Tensor tensor, Gelu approximate, Loc loc) {
  Call call("gelu", loc);
  mlir::Value x = call.UseFloat(tensor);
  return x ? call.Make<GeluOp>(call.axes(x), x.getType(), x, approximate == Gelu::kTanh) : Tensor();
}

namespace {
struct NamedActivation {
  const char* name;
  Tensor (*apply)(Tensor x, Loc loc);
};
Tensor GeluErf(Tensor x, Loc loc) { return gelu(x, Gelu::kErf, loc); }
Tensor GeluTanh(Tensor x, Loc loc) { return gelu(x, Gelu::kTanh, loc); }
Tensor Identity(Tensor x, Loc) { return x; }

constexpr NamedActivation kActivations[] = {
    {"relu", relu},          {"gelu", GeluErf},
    {"gelu_new", GeluTanh},  {"gelu_pytorch_tanh", GeluTanh},
    {"gelu_fast", GeluTanh}, {"silu", silu},
    {"swish", silu},         {"tanh", tanh},
    {"sigmoid", sigmoid},    {"linear", Identity}};

const NamedActivation* FindActivation(const std::string& name) {
  for (const NamedActivation& activation : kActivations)
    if (name == activation.name) return &activation;
  return nullptr;
}
}  // namespace

Tensor activation(const std::string& name, Tensor x, Loc loc) {
  if (const NamedActivation* known = FindActivation(name)) return known->apply(x, loc);
  return Call("activation", loc).Fail(absl::StrCat("'", name, "' is unknown"));
}

bool IsActivation(const std::string& name) { return FindActivation(name) != nullptr; }

std::vector<std::string> Activations() {
  std::vector<std::string> names;
  for (const NamedActivation& activation : kActivations) names.push_back(activation.name);
  return names;
}

Tensor operator+(Operand a, Operand b) { return Binary<AddOp>("add", a, b); }
Tensor operator-(Operand a, Operand b) { return Binary<SubOp>("sub", a, b); }
Tensor operator*(Operand a, Operand b) { return Binary<MulOp>("mul", a, b); }
Tensor operator/(Operand a, Operand b) { return BinaryFloat<DivOp>("div", a, b); }
Tensor operator-(Operand x) { return UnaryNumber<NegOp>("neg", x.tensor(), x.loc()); }
Tensor pow(Operand a, Operand b) { return BinaryFloat<PowOp>("pow", a, b); }
Tensor maximum(Operand a, Operand b) { return Binary<MaxOp>("maximum", a, b); }
Tensor minimum(Operand a, Operand b) { return Binary<MinOp>("minimum", a, b); }
Tensor clamp(Tensor x, Operand min, Operand max) {
  return minimum(Operand(maximum(Operand(x, min.loc()), min), max.loc()), max);
}

Tensor eq(Operand a, Operand b) { return Compare("eq", ComparePredicate::eq, a, b); }
Tensor ne(Operand a, Operand b) { return Compare("ne", ComparePredicate::ne, a, b); }
Tensor lt(Operand a, Operand b) { return Compare("lt", ComparePredicate::lt, a, b); }
Tensor le(Operand a, Operand b) { return Compare("le", ComparePredicate::le, a, b); }
Tensor gt(Operand a, Operand b) { return Compare("gt", ComparePredicate::gt, a, b); }
Tensor ge(Operand a, Operand b) { return Compare("ge", ComparePredicate::ge, a, b); }
Tensor operator==(Operand a, Operand b) { return eq(a, b); }
Tensor operator!=(Operand a, Operand b) { return ne(a, b); }
Tensor operator<(Operand a, Operand b) { return lt(a, b); }
Tensor operator<=(Operand a, Operand b) { return le(a, b); }
Tensor operator>(Operand a, Operand b) { return gt(a, b); }
Tensor operator>=(Operand a, Operand b) { return ge(a, b); }

Tensor logical_and(Operand a, Operand b) { return Logic<AndOp>("logical_and", a, b); }
Tensor logical_or(Operand a, Operand b) { return Logic<OrOp>("logical_or", a, b); }
Tensor logical_not(Operand tensor) {
  Call call("logical_not", tensor.loc());
  mlir::Value x = call.UseBool(tensor.tensor(), "x");
  return x ? call.Make<NotOp>(call.axes(x), x.getType(), x) : Tensor();
}
Tensor operator&(Operand a, Operand b) { return logical_and(a, b); }
Tensor operator|(Operand a, Operand b) { return logical_or(a, b); }
Tensor operator~(Operand x) { return logical_not(x); }

Tensor where(Tensor condition, Operand input, Operand other) {
  Call call("where", LocOf(input, other));
  mlir::Value c = call.UseBool(condition, "condition"), on_true, on_false;
  if (!c) return {};
  if (input.is_number() && other.is_number()) {
    const mlir::Type element = call.recorder()->ElementType(
        input.is_float() || other.is_float() ? DType::kF32 : DType::kI32);
    on_true = call.Number(input, element), on_false = call.Number(other, element);
  } else if (!call.UsePair(input, other, on_true, on_false)) {
    return {};
  }
  for (mlir::Value value : {on_true, on_false})
    if (!call.Broadcasts(c, value)) return {};
  return call.Make<SelectOp>(call.BroadcastAxes({c, on_true, on_false}), c, on_true, on_false);
}

Tensor masked_fill(Tensor x, Tensor mask, double value, Loc loc) {
  Call call("masked_fill", loc);
  mlir::Value v = call.Use(x), m = call.UseBool(mask, "mask");
  if (!v || !m) return {};
  if (Broadcast(TypeOf(v).getShape(), TypeOf(m).getShape()) != DimsOf(v))
    return call.Fail(absl::StrCat("mask ", Describe(m), " does not broadcast to x: ", Describe(v)));
  return where(mask, Operand(value, loc), Operand(x, loc));
}

Tensor to(Tensor tensor, DType dtype, Loc loc) {
  Call call("to", loc);
  mlir::Value x = call.Use(tensor);
  return x ? call.Wrap(call.Cast(x, call.recorder()->ElementType(dtype))) : Tensor();
}

}  // namespace trama
