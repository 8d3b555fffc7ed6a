#include "base/host_tensor.h"

#include <algorithm>

namespace trama {

HostTensor::HostTensor(DType dtype, Shape shape)
    : dtype(dtype),
      shape(std::move(shape)),
      bytes(static_cast<size_t>(NumElements(this->shape).value_or(0)) * SizeOf(dtype)) {}

double HostTensor::at(int64_t i) const {
  switch (dtype) {
    case DType::kF32: return data<float>()[i];
    case DType::kF64: return data<double>()[i];
    case DType::kBF16: return FromBF16(data<uint16_t>()[i]);
    case DType::kF16: return FromF16(data<uint16_t>()[i]);
    case DType::kI32: return data<int32_t>()[i];
    case DType::kI64: return static_cast<double>(data<int64_t>()[i]);
    case DType::kI16: return data<int16_t>()[i];
    case DType::kU16: return data<uint16_t>()[i];
    case DType::kI8: return data<int8_t>()[i];
    case DType::kU8:
    case DType::kBool: return data<uint8_t>()[i];
  }
  return 0;
}

void HostTensor::set(int64_t i, double value) {
  switch (dtype) {
    case DType::kF32: data<float>()[i] = static_cast<float>(value); break;
    case DType::kF64: data<double>()[i] = value; break;
    case DType::kBF16: data<uint16_t>()[i] = ToBF16(static_cast<float>(value)); break;
    case DType::kF16: data<uint16_t>()[i] = ToF16(static_cast<float>(value)); break;
    case DType::kI32: data<int32_t>()[i] = static_cast<int32_t>(value); break;
    case DType::kI64: data<int64_t>()[i] = static_cast<int64_t>(value); break;
    case DType::kI16: data<int16_t>()[i] = static_cast<int16_t>(value); break;
    case DType::kU16: data<uint16_t>()[i] = static_cast<uint16_t>(value); break;
    case DType::kI8: data<int8_t>()[i] = static_cast<int8_t>(value); break;
    case DType::kU8: data<uint8_t>()[i] = static_cast<uint8_t>(value); break;
    case DType::kBool: data<uint8_t>()[i] = value != 0; break;
  }
}

HostTensor HostTensor::Cast(DType to) const {
  if (to == dtype) return *this;
  HostTensor result(to, shape);
  if (dtype == DType::kF32 && to == DType::kBF16) {  // whole models, before they run
    const auto from = data<float>();
    std::transform(from.begin(), from.end(), result.data<uint16_t>().begin(), ToBF16);
    return result;
  }
  for (int64_t i = 0; i < num_elements(); ++i) result.set(i, at(i));
  return result;
}

}  // namespace trama
