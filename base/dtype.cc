#include "base/dtype.h"

#include <bit>
#include <cmath>

namespace trama {
namespace {
struct Row {
  DType dtype;
  std::string_view name;
  size_t size;
};
constexpr Row kRows[] = {
    {DType::kF32, "f32", 4}, {DType::kF64, "f64", 8}, {DType::kBF16, "bf16", 2},
    {DType::kF16, "f16", 2}, {DType::kI32, "i32", 4}, {DType::kI64, "i64", 8},
    {DType::kI16, "i16", 2}, {DType::kU16, "u16", 2}, {DType::kI8, "i8", 1},
    {DType::kU8, "u8", 1},   {DType::kBool, "bool", 1},
};
const Row& RowOf(DType dtype) { return kRows[static_cast<size_t>(dtype)]; }
}  // namespace

size_t SizeOf(DType dtype) { return RowOf(dtype).size; }
std::string_view Name(DType dtype) { return RowOf(dtype).name; }

std::optional<DType> DTypeFromName(std::string_view name) {
  for (const Row& row : kRows)
    if (row.name == name) return row.dtype;
  return std::nullopt;
}

bool IsFloat(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kBF16 ||
         dtype == DType::kF16;
}

uint16_t ToBF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float FromBF16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t ToF16(float value) { return std::bit_cast<uint16_t>(static_cast<_Float16>(value)); }
float FromF16(uint16_t bits) { return static_cast<float>(std::bit_cast<_Float16>(bits)); }

}  // namespace trama
