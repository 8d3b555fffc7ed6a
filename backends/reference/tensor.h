// The interpreter's tensors: floats held in double, integers and bools in int64, row-major.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/dtype.h"
#include "base/host_tensor.h"
#include "base/shape.h"
#include "mlir/IR/BuiltinTypes.h"

namespace trama::reference {

struct Tensor {
  DType dtype = DType::kF32;
  Shape shape;
  std::vector<double> real;      // the elements where the dtype is a float, else empty
  std::vector<int64_t> integer;  // the elements of integers and bools, else empty

  Tensor() = default;
  Tensor(DType dtype, Shape shape);  // zero-filled
  explicit Tensor(const HostTensor& host);

  bool is_float() const { return IsFloat(dtype); }
  int64_t size() const { return static_cast<int64_t>(is_float() ? real.size() : integer.size()); }
  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  // Element i as a double, whatever the dtype.
  double at(int64_t i) const { return is_float() ? real[i] : static_cast<double>(integer[i]); }
  // this[i] = from[j], of the same kind.
  void Move(int64_t i, const Tensor& from, int64_t j) {
    if (is_float())
      real[i] = from.real[j];
    else
      integer[i] = from.integer[j];
  }
  // Brings every element to a value of the dtype: floats round to nearest even unless
  // `keep_double`, integers wrap.
  void Round(bool keep_double);
  // In the tensor's dtype, or f64 for floats where `as_double`.
  HostTensor ToHost(bool as_double) const;
};

// The nearest value of a float dtype, ties to even.
double Nearest(DType dtype, double value);
Tensor ZerosOf(mlir::Type tensor_type);

// Row-major strides of `from` seen as broadcast to `to`: 0 where it is repeated.
Shape BroadcastStrides(absl::Span<const int64_t> from, absl::Span<const int64_t> to);

// Calls f(i, at) for every element i of `shape` in row-major order; at[n] is the sum of
// index[d] * strides[n][d].
template <size_t N, typename F>
void ForEachElement(absl::Span<const int64_t> shape, const std::array<Shape, N>& strides, F f) {
  const int64_t count = NumElements(shape).value_or(0);
  Shape index(shape.size(), 0);
  std::array<int64_t, N> at{};
  for (int64_t i = 0; i < count; ++i) {
    f(i, at);
    for (size_t d = shape.size(); d-- > 0;) {
      const bool carries = ++index[d] == shape[d];
      for (size_t n = 0; n < N; ++n)
        at[n] += carries ? -strides[n][d] * (shape[d] - 1) : strides[n][d];
      if (!carries) break;
      index[d] = 0;
    }
  }
}

}  // namespace trama::reference
