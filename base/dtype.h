// Element types of tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace trama {

enum class DType : uint8_t { kF32, kF64, kBF16, kF16, kI32, kI64, kI16, kU16, kI8, kU8, kBool };

// Bytes of one element; a bool takes one.
size_t SizeOf(DType dtype);
// "f32", "f64", "bf16", "f16", "i32", "i64", "i16", "u16", "i8", "u8", "bool".
std::string_view Name(DType dtype);
std::optional<DType> DTypeFromName(std::string_view name);
bool IsFloat(DType dtype);

// bf16 is the upper half of an f32; rounds to nearest even, NaN stays NaN.
uint16_t ToBF16(float value);
float FromBF16(uint16_t bits);
// IEEE half precision, round to nearest even.
uint16_t ToF16(float value);
float FromF16(uint16_t bits);

}  // namespace trama
