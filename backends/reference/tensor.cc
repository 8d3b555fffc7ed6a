#include "backends/reference/tensor.h"

#include "ir/element_type.h"

namespace trama::reference {

Tensor::Tensor(DType dtype, Shape shape) : dtype(dtype), shape(std::move(shape)) {
  const size_t count = static_cast<size_t>(NumElements(this->shape).value_or(0));
  if (is_float())
    real.resize(count);
  else
    integer.resize(count);
}

Tensor::Tensor(const HostTensor& host) : Tensor(host.dtype, host.shape) {
  if (host.dtype == DType::kI64) {  // at() would lose the bits beyond 53
    integer.assign(host.data<int64_t>().begin(), host.data<int64_t>().end());
    return;
  }
  for (int64_t i = 0; i < host.num_elements(); ++i) {
    if (is_float())
      real[i] = host.at(i);
    else
      integer[i] = static_cast<int64_t>(host.at(i));
  }
}

void Tensor::Round(bool keep_double) {
  switch (dtype) {
    case DType::kF32:
    case DType::kBF16:
    case DType::kF16:
      if (keep_double) return;
      for (double& x : real) x = Nearest(dtype, x);
      return;
    case DType::kI32:
      for (int64_t& x : integer) x = static_cast<int32_t>(x);
      return;
    case DType::kI8:
      for (int64_t& x : integer) x = static_cast<int8_t>(x);
      return;
    case DType::kBool:
      for (int64_t& x : integer) x = x != 0;
      return;
    default:
      return;  // f64 and i64 hold all that their vectors do
  }
}

HostTensor Tensor::ToHost(bool as_double) const {
  HostTensor host(is_float() && as_double ? DType::kF64 : dtype, shape);
  if (dtype == DType::kI64) {
    std::copy(integer.begin(), integer.end(), host.data<int64_t>().begin());
    return host;
  }
  for (int64_t i = 0; i < size(); ++i) host.set(i, at(i));
  return host;
}

double Nearest(DType dtype, double value) {
  const float narrow = static_cast<float>(value);
  switch (dtype) {
    case DType::kF32:
      return narrow;
    case DType::kBF16:
      return FromBF16(ToBF16(narrow));
    case DType::kF16:
      return FromF16(ToF16(narrow));
    default:
      return value;
  }
}

Tensor ZerosOf(mlir::Type tensor_type) {
  const auto type = mlir::cast<mlir::RankedTensorType>(tensor_type);
  return Tensor(DTypeOf(type.getElementType()),
                Shape(type.getShape().begin(), type.getShape().end()));
}

Shape BroadcastStrides(absl::Span<const int64_t> from, absl::Span<const int64_t> to) {
  const Shape dense = Strides(from);
  Shape strides(to.size(), 0);
  const size_t lead = to.size() - from.size();
  for (size_t d = 0; d < from.size(); ++d)
    if (from[d] != 1) strides[lead + d] = dense[d];
  return strides;
}

}  // namespace trama::reference
