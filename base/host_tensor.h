// A dense row-major tensor in host memory: what files hold and what sessions take and give.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "base/dtype.h"
#include "base/shape.h"

namespace trama {

struct HostTensor {
  DType dtype = DType::kF32;
  Shape shape;
  std::vector<std::byte> bytes;  // SizeOf(dtype) * product of shape, little-endian

  HostTensor() = default;
  // Zero-filled. The shape's element count must fit in memory.
  HostTensor(DType dtype, Shape shape);
  template <typename T>
  static HostTensor Of(DType dtype, Shape shape, absl::Span<const T> values) {
    HostTensor tensor(dtype, std::move(shape));
    std::copy(values.begin(), values.end(), tensor.data<T>().begin());
    return tensor;
  }
  static HostTensor F32(Shape shape, const std::vector<float>& values) {
    return Of<float>(DType::kF32, std::move(shape), values);
  }
  static HostTensor I32(Shape shape, const std::vector<int32_t>& values) {
    return Of<int32_t>(DType::kI32, std::move(shape), values);
  }

  int64_t num_elements() const { return static_cast<int64_t>(bytes.size() / SizeOf(dtype)); }
  // The elements as T, whose size must be the dtype's.
  template <typename T>
  absl::Span<T> data() {
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <typename T>
  absl::Span<const T> data() const {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  // Element i as a double, whatever the dtype, and back (rounded to the dtype).
  double at(int64_t i) const;
  void set(int64_t i, double value);
  HostTensor Cast(DType to) const;
};

using TensorMap = std::map<std::string, HostTensor>;  // by name, ordered

}  // namespace trama
