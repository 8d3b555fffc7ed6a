#include "backends/codegen/pointwise.h"

#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"
#include "backends/codegen/vector_math.h"
#include "base/status_macros.h"
#include "ir/dialect.h"
#include "llvm/ADT/StringMap.h"

namespace trama::codegen {
namespace {
namespace arith = mlir::arith;
namespace math = mlir::math;
using FP = arith::CmpFPredicate;
using IP = arith::CmpIPredicate;

using Lowering = std::function<Value(Builder&, mlir::Operation*, ValueRange)>;

bool IsFloat(Value value) { return mlir::isa<mlir::FloatType>(getElementTypeOrSelf(value)); }
bool IsF64(Value value) { return getElementTypeOrSelf(value).isF64(); }

// f64 has no polynomials here: LLVM calls libm an element.
template <typename MathOp>
Lowering Transcendental(Value (*f32)(Builder&, Value)) {
  return [f32](Builder& b, mlir::Operation*, ValueRange x) -> Value {
    if (!IsF64(x[0])) return f32(b, x[0]);
    return MathOp::create(b, x[0]);
  };
}

Value ErfF64(Builder& b, Value x) {
  // No LLVM intrinsic exists: call libm for each lane.
  auto call = [&](Value scalar) -> Value {
    mlir::Operation* module = b.getInsertionBlock()->getParentOp();
    while (!mlir::isa<mlir::ModuleOp>(module)) module = module->getParentOp();
    if (!mlir::SymbolTable::lookupSymbolIn(module, "erf")) {
      Builder::InsertionGuard guard(b);
      b.setInsertionPointToStart(mlir::cast<mlir::ModuleOp>(module).getBody());
      auto type = b.getFunctionType({b.getF64Type()}, {b.getF64Type()});
      mlir::func::FuncOp::create(b, "erf", type).setPrivate();
    }
    return mlir::func::CallOp::create(b, "erf", mlir::TypeRange{b.getF64Type()}, ValueRange{scalar})
        .getResult(0);
  };
  if (!IsVector(x)) return call(x);
  Value result = b.Constant(x.getType(), 0);
  const int64_t n = mlir::cast<mlir::VectorType>(x.getType()).getNumElements();
  for (int64_t i = 0; i < n; ++i) {
    Value lane = mlir::vector::ExtractOp::create(b, x, i);
    result = mlir::vector::InsertOp::create(b, call(lane), result, i);
  }
  return result;
}

Value SigmoidAnyFloat(Builder& b, Value x) {
  if (!IsF64(x)) return Sigmoid(b, x);
  Value one = b.Constant(x.getType(), 1);
  return b.Div(one, b.Add(one, math::ExpOp::create(b, b.Neg(x))));
}

Value NormalF64(Builder& b, Value x) {
  auto c = [&](double value) { return b.Constant(x.getType(), value); };
  return b.Fma(ErfF64(b, b.Mul(x, c(0.70710678118654752440))), c(0.5), c(0.5));
}
// The tanh form's 2u and its derivative.
Value GeluExponentF64(Builder& b, Value x) {
  auto c = [&](double value) { return b.Constant(x.getType(), value); };
  return b.Mul(b.Mul(c(1.59576912160573071176), x), b.Fma(b.Mul(x, x), c(0.044715), c(1)));
}
Value GeluF64(Builder& b, Value x, bool tanh_form) {
  return b.Mul(x, tanh_form ? SigmoidAnyFloat(b, GeluExponentF64(b, x)) : NormalF64(b, x));
}
Value GeluDerivativeF64(Builder& b, Value x, bool tanh_form) {
  auto c = [&](double value) { return b.Constant(x.getType(), value); };
  Value square = b.Mul(x, x);
  if (!tanh_form) {
    Value density =
        b.Mul(math::ExpOp::create(b, b.Mul(square, c(-0.5))), c(0.39894228040143267794));
    return b.Fma(x, density, NormalF64(b, x));
  }
  Value s = SigmoidAnyFloat(b, GeluExponentF64(b, x));
  Value slope = b.Mul(b.Fma(square, c(0.134145), c(1)), c(1.59576912160573071176));
  return b.Fma(b.Mul(x, slope), b.Mul(s, b.Sub(c(1), s)), s);
}

Value IntegerDivide(Builder& b, Value lhs, Value rhs) {
  Value zero = b.IntConstant(rhs.getType(), 0), minus_one = b.IntConstant(rhs.getType(), -1);
  Value is_zero = b.Compare(IP::eq, rhs, zero), is_minus = b.Compare(IP::eq, rhs, minus_one);
  // Neither division by zero nor min / -1 may reach the machine's instruction.
  Value safe = b.Select(b.Or(is_zero, is_minus), b.IntConstant(rhs.getType(), 1), rhs);
  return b.Select(is_zero, zero, b.Select(is_minus, b.Neg(lhs), b.Div(lhs, safe)));
}

Value Power(Builder& b, mlir::Operation* op, ValueRange x) {
  double exponent;
  if (IsSplatConstant(op->getOperand(1), &exponent)) {
    if (exponent == 1) return x[0];
    if (exponent == 2) return b.Mul(x[0], x[0]);
    if (exponent == 3) return b.Mul(b.Mul(x[0], x[0]), x[0]);
    if (exponent == -1) return b.Div(b.Constant(x[0].getType(), 1), x[0]);
  }
  return math::PowFOp::create(b, x[0], x[1]);
}

Value Sign(Builder& b, mlir::Operation*, ValueRange x) {
  Value zero = b.Constant(x[0].getType(), 0);
  Value one = b.Constant(x[0].getType(), 1), minus = b.Constant(x[0].getType(), -1);
  // A NaN is neither and gives 0.
  return b.Select(b.Less(zero, x[0]), one, b.Select(b.Less(x[0], zero), minus, zero));
}

Value CompareElements(Builder& b, mlir::Operation* op, ValueRange x) {
  static constexpr FP kFloat[] = {FP::OEQ, FP::UNE, FP::OLT, FP::OLE, FP::OGT, FP::OGE};
  static constexpr IP kInt[] = {IP::eq, IP::ne, IP::slt, IP::sle, IP::sgt, IP::sge};
  const int predicate = static_cast<int>(mlir::cast<CompareOp>(op).getPredicate());
  if (IsFloat(x[0])) return b.Compare(kFloat[predicate], x[0], x[1]);
  return b.Compare(kInt[predicate], x[0], x[1]);
}

// Beyond the integers' range the nearest of them, 0 for NaN: the machine's instruction differs.
Value TruncateToInteger(Builder& b, Value x, Type to) {
  const unsigned bits = getElementTypeOrSelf(to).getIntOrFloatBitWidth();
  const double bound = std::ldexp(1.0, bits - 1);
  Value high = b.Constant(x.getType(), bound), low = b.Constant(x.getType(), -bound);
  Value too_high = b.Compare(FP::OGE, x, high), too_low = b.Compare(FP::OLT, x, low);
  Value off = b.Or(b.Or(too_high, too_low), b.Compare(FP::UNO, x, x));
  Value safe = b.Select(off, b.Constant(x.getType(), 0), x);
  Value result = arith::FPToSIOp::create(b, to, safe);
  const uint64_t sign = uint64_t{1} << (bits - 1);
  result = b.Select(too_high, b.IntConstant(to, static_cast<int64_t>(sign - 1)), result);
  return b.Select(too_low, b.IntConstant(to, static_cast<int64_t>(sign)), result);
}

}  // namespace

Value CastElements(Builder& b, Value x, Type to_element) {
  const Type from = getElementTypeOrSelf(x), to = WithElement(x.getType(), to_element);
  if (from == to_element) return x;
  const bool from_float = mlir::isa<mlir::FloatType>(from);
  const bool to_float = mlir::isa<mlir::FloatType>(to_element);
  const unsigned from_bits = from.getIntOrFloatBitWidth();
  const unsigned to_bits = to_element.getIntOrFloatBitWidth();
  if (to_element.isInteger(1)) {
    Value zero = b.Constant(x.getType(), 0);
    return from_float ? b.Compare(FP::UNE, x, zero) : b.Compare(IP::ne, x, zero);
  }
  if (from_float && to_float) {
    // Between f64, bf16 and f16 by way of f32: x86 has no other instructions.
    Type wide = WithElement(x.getType(), b.F32());
    if (from_bits + to_bits == 80) {
      x = from_bits > to_bits ? Value(arith::TruncFOp::create(b, wide, x))
                              : Value(arith::ExtFOp::create(b, wide, x));
    } else if (from_bits == to_bits) {
      x = arith::ExtFOp::create(b, wide, x);
    }
    const unsigned now = getElementTypeOrSelf(x).getIntOrFloatBitWidth();
    if (now < to_bits) return arith::ExtFOp::create(b, to, x);
    return arith::TruncFOp::create(b, to, x);
  }
  if (from_float) return TruncateToInteger(b, x, to);
  if (to_float && from.isInteger(1)) return arith::UIToFPOp::create(b, to, x);
  if (to_float) return arith::SIToFPOp::create(b, to, x);
  if (from.isInteger(1)) return arith::ExtUIOp::create(b, to, x);
  if (from_bits < to_bits) return arith::ExtSIOp::create(b, to, x);
  return arith::TruncIOp::create(b, to, x);
}

namespace {

class Lowerings {
 public:
  static const Lowerings& Get() {
    static const Lowerings table;
    return table;
  }
  const Lowering* Find(mlir::Operation* op) const {
    auto found = table_.find(op->getName().getStringRef());
    return found == table_.end() ? nullptr : &found->second;
  }

 private:
  template <typename Op>
  void Add(Lowering lowering) {
    table_[Op::getOperationName()] = std::move(lowering);
  }
  template <typename Op>
  void Binary(Value (Builder::*method)(Value, Value)) {
    Add<Op>(
        [method](Builder& b, mlir::Operation*, ValueRange x) { return (b.*method)(x[0], x[1]); });
  }

  Lowerings() {
    using Op = mlir::Operation*;
    Add<NegOp>([](Builder& b, Op, ValueRange x) { return b.Neg(x[0]); });
    Add<AbsOp>([](Builder& b, Op, ValueRange x) -> Value {
      if (IsFloat(x[0])) return math::AbsFOp::create(b, x[0]);
      return math::AbsIOp::create(b, x[0]);
    });
    Add<SignOp>(Sign);
    Add<ExpOp>(Transcendental<math::ExpOp>(Exp));
    Add<LogOp>(Transcendental<math::LogOp>(Log));
    Add<TanhOp>(Transcendental<math::TanhOp>(Tanh));
    Add<SqrtOp>([](Builder& b, Op, ValueRange x) { return Sqrt(b, x[0]); });
    Add<RsqrtOp>([](Builder& b, Op, ValueRange x) { return Rsqrt(b, x[0]); });
    Add<SigmoidOp>([](Builder& b, Op, ValueRange x) { return SigmoidAnyFloat(b, x[0]); });
    Add<ErfOp>(
        [](Builder& b, Op, ValueRange x) { return IsF64(x[0]) ? ErfF64(b, x[0]) : Erf(b, x[0]); });
    Add<SinOp>([](Builder& b, Op, ValueRange x) -> Value { return math::SinOp::create(b, x[0]); });
    Add<CosOp>([](Builder& b, Op, ValueRange x) -> Value { return math::CosOp::create(b, x[0]); });
    Add<FloorOp>(
        [](Builder& b, Op, ValueRange x) -> Value { return math::FloorOp::create(b, x[0]); });
    Add<AddOp>([](Builder& b, Op, ValueRange x) { return b.Add(x[0], x[1]); });
    Add<SubOp>([](Builder& b, Op, ValueRange x) { return b.Sub(x[0], x[1]); });
    Add<MulOp>([](Builder& b, Op, ValueRange x) { return b.Mul(x[0], x[1]); });
    Add<DivOp>([](Builder& b, Op, ValueRange x) {
      return IsFloat(x[0]) ? b.Div(x[0], x[1]) : IntegerDivide(b, x[0], x[1]);
    });
    Binary<MaxOp>(&Builder::Max);
    Binary<MinOp>(&Builder::Min);
    Binary<AndOp>(&Builder::And);
    Binary<OrOp>(&Builder::Or);
    Add<PowOp>(Power);
    Add<NotOp>(
        [](Builder& b, Op, ValueRange x) { return b.Xor(x[0], b.IntConstant(x[0].getType(), 1)); });
    Add<CompareOp>(CompareElements);
    Add<SelectOp>([](Builder& b, Op, ValueRange x) { return b.Select(x[0], x[1], x[2]); });
    Add<CastOp>([](Builder& b, Op op, ValueRange x) {
      return CastElements(b, x[0], getElementTypeOrSelf(op->getResult(0)));
    });
    Add<ReluOp>([](Builder& b, Op, ValueRange x) {
      return b.FastMax(b.Constant(x[0].getType(), 0), x[0]);  // this order keeps NaN
    });
    Add<GeluOp>([](Builder& b, Op op, ValueRange x) {
      const bool tanh_form = mlir::cast<GeluOp>(op).getTanh();
      return IsF64(x[0]) ? GeluF64(b, x[0], tanh_form) : Gelu(b, x[0], tanh_form);
    });
    Add<GeluGradOp>([](Builder& b, Op op, ValueRange x) {
      const bool tanh_form = mlir::cast<GeluGradOp>(op).getTanh();
      return b.Mul(x[0], IsF64(x[1]) ? GeluDerivativeF64(b, x[1], tanh_form)
                                     : GeluDerivative(b, x[1], tanh_form));
    });
  }

  llvm::StringMap<Lowering> table_;
};

bool IsNarrowFloat(Type type) { return type.isBF16() || type.isF16(); }
}  // namespace

bool HasPointwiseLowering(mlir::Operation* op) { return Lowerings::Get().Find(op) != nullptr; }

absl::StatusOr<Value> EmitPointwise(Builder& b, mlir::Operation* op, ValueRange operands) {
  const Lowering* lowering = Lowerings::Get().Find(op);
  if (!lowering)
    return absl::UnimplementedError(
        absl::StrCat(op->getName().getStringRef().str(), " has no elementwise lowering"));
  int64_t lanes = 0;
  for (Value operand : operands)
    if (auto type = mlir::dyn_cast<mlir::VectorType>(operand.getType()))
      lanes = type.getNumElements();
  const bool is_cast = mlir::isa<CastOp>(op);
  SmallVector<Value> values;
  for (Value operand : operands) {
    if (lanes) operand = b.Broadcast(operand, lanes);
    if (!is_cast && IsNarrowFloat(getElementTypeOrSelf(operand)))
      operand = CastElements(b, operand, b.F32());
    values.push_back(operand);
  }
  return CastElements(b, (*lowering)(b, op, values), getElementTypeOrSelf(op->getResult(0)));
}

bool IsSplatConstant(Value tensor, double* value) {
  while (tensor.getDefiningOp() &&
         mlir::isa<BroadcastOp, ReshapeOp, TransposeOp, SliceOp>(tensor.getDefiningOp()))
    tensor = tensor.getDefiningOp()->getOperand(0);
  auto constant = tensor.getDefiningOp<ConstantOp>();
  if (!constant) return false;
  auto elements = mlir::dyn_cast<mlir::DenseElementsAttr>(constant.getValue());
  if (!elements || !elements.isSplat()) return false;
  if (mlir::isa<mlir::FloatType>(elements.getElementType())) {
    llvm::APFloat number = elements.getSplatValue<llvm::APFloat>();
    bool lossy;
    number.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &lossy);
    *value = number.convertToDouble();
    return true;
  }
  const llvm::APInt number = elements.getSplatValue<llvm::APInt>();
  *value =
      number.getBitWidth() == 1 ? double(number.getZExtValue()) : double(number.getSExtValue());
  return true;
}

absl::StatusOr<Value> EmitExpression(Builder& b, Value value,
                                     llvm::function_ref<Value(Value)> leaf) {
  llvm::DenseMap<Value, Value> known;
  std::function<absl::StatusOr<Value>(Value)> emit = [&](Value v) -> absl::StatusOr<Value> {
    if (Value found = known.lookup(v)) return found;
    Value element = leaf(v);
    double number;
    if (!element && IsSplatConstant(v, &number))
      element = b.Constant(getElementTypeOrSelf(v), number);
    if (!element) {
      mlir::Operation* op = v.getDefiningOp();
      if (!op) return absl::InternalError("an expression's operand has no element");
      SmallVector<Value> operands;
      for (Value operand : op->getOperands()) {
        TRAMA_ASSIGN_OR_RETURN(Value x, emit(operand));
        operands.push_back(x);
      }
      TRAMA_ASSIGN_OR_RETURN(element, EmitPointwise(b, op, operands));
    }
    known[v] = element;
    return element;
  };
  return emit(value);
}

Value FromStorage(Builder& b, Value stored, Type element) {
  return element.isInteger(1) ? CastElements(b, stored, element) : stored;
}

Value ToStorage(Builder& b, Value value) {
  return getElementTypeOrSelf(value).isInteger(1) ? CastElements(b, value, b.Int(8)) : value;
}

}  // namespace trama::codegen
