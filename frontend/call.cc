#include "frontend/call.h"

namespace trama {
namespace {
int Category(mlir::Type element) {
  if (mlir::isa<mlir::FloatType>(element)) return 2;
  return element.isInteger(1) ? 0 : 1;
}

// torch.promote_types.
mlir::Type Promote(mlir::Type a, mlir::Type b) {
  if (a == b) return a;
  if (Category(a) != Category(b)) return Category(a) > Category(b) ? a : b;
  const unsigned bits_a = a.getIntOrFloatBitWidth(), bits_b = b.getIntOrFloatBitWidth();
  if (bits_a == bits_b) return mlir::Float32Type::get(a.getContext());  // f16 and bf16
  return bits_a > bits_b ? a : b;
}
}  // namespace

mlir::Value Call::UseFloat(const Tensor& tensor) {
  mlir::Value x = Use(tensor);
  return x && !IsFloat(x) ? Cast(x, recorder_->ElementType(DType::kF32)) : x;
}

mlir::Value Call::UseInteger(const Tensor& tensor, const char* what) {
  mlir::Value x = Use(tensor);
  if (!x || (!IsFloat(x) && !IsBool(x))) return x;
  Fail(absl::StrCat(what, " must be integers, not ", Describe(x)));
  return {};
}

mlir::Value Call::UseBool(const Tensor& tensor, const char* what) {
  mlir::Value x = Use(tensor);
  if (!x || IsBool(x)) return x;
  Fail(absl::StrCat(what, " must be bool, not ", Describe(x)));
  return {};
}

mlir::Value Call::AsNumber(mlir::Value value) {
  return IsBool(value) ? Cast(value, recorder_->ElementType(DType::kI32)) : value;
}

bool Call::UsePair(const Operand& a, const Operand& b, mlir::Value& lhs, mlir::Value& rhs) {
  if (!recorder_) return false;
  if (a.is_number() && b.is_number()) {
    Fail("wants a tensor");
    return false;
  }
  if (!a.is_number()) lhs = Use(a.tensor());
  if (!b.is_number()) rhs = Use(b.tensor());
  if ((!a.is_number() && !lhs) || (!b.is_number() && !rhs)) return false;
  mlir::Type element;
  if (lhs && rhs) {
    element = Promote(TypeOf(lhs).getElementType(), TypeOf(rhs).getElementType());
  } else {
    element = TypeOf(lhs ? lhs : rhs).getElementType();
    const Operand& number = lhs ? b : a;
    if (number.is_float() && Category(element) < 2) element = recorder_->ElementType(DType::kF32);
    if (Category(element) == 0) element = recorder_->ElementType(DType::kI32);
  }
  auto value = [&](const Operand& operand, mlir::Value tensor) {
    return tensor ? Cast(tensor, element) : Number(operand, element);
  };
  lhs = value(a, lhs), rhs = value(b, rhs);
  return Broadcasts(lhs, rhs);
}

std::optional<int64_t> Call::Dim(int64_t dim, mlir::Value x) {
  std::optional<int64_t> normal = NormalizeDim(dim, TypeOf(x).getRank());
  if (!normal) Fail(absl::StrCat("dim ", dim, " is out of range for x: ", Describe(x)));
  return normal;
}

bool Call::Broadcasts(mlir::Value a, mlir::Value b) {
  if (Broadcast(TypeOf(a).getShape(), TypeOf(b).getShape())) return true;
  Fail(absl::StrCat(Describe(a), " and ", Describe(b), " do not broadcast"));
  return false;
}

uint64_t Call::BroadcastAxes(std::initializer_list<mlir::Value> operands) {
  int64_t rank = 0;
  Shape shape;
  for (mlir::Value x : operands) rank = std::max(rank, TypeOf(x).getRank());
  shape.assign(rank, 1);
  for (mlir::Value x : operands)
    for (int64_t d = 0; d < TypeOf(x).getRank(); ++d) {
      int64_t& size = shape[d + rank - TypeOf(x).getRank()];
      size = std::max(size, TypeOf(x).getDimSize(d));
    }
  uint64_t result = 0;
  for (mlir::Value x : operands)
    for (int64_t d = 0; d < TypeOf(x).getRank(); ++d) {
      const int64_t to = d + rank - TypeOf(x).getRank();
      // A time axis of size 1 that is repeated along another axis is not that axis.
      if ((axes(x) >> d & 1) && TypeOf(x).getDimSize(d) == shape[to]) result |= uint64_t{1} << to;
    }
  return result;
}

}  // namespace trama
