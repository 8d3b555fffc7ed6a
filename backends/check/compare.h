// Whether two tensors hold the same numbers, as far as their types can tell.
#pragma once

#include <optional>

#include "base/host_tensor.h"

namespace trama {

// got and want agree where |got - want| <= relative |want| + of_max max|want| + absolute.
struct Tolerance {
  double relative = 0, of_max = 0, absolute = 0;
};

// For results of one kernel on equal operands. f32: 1e-4, 1e-5, 1e-8; f64: 1e-10, 1e-11, 1e-14;
// bf16 and f16: 2e-2, 5e-3, 1e-6; integers and bools: 0.
Tolerance ToleranceOf(DType dtype);

struct Difference {
  int64_t element = 0;  // row-major
  double got = 0, want = 0;
};

// The first element where they disagree: beyond the tolerance and, where `rounding` is given, what
// it allows this element beside; or a NaN or an infinity in one only. The tensors have one shape.
std::optional<Difference> FindDifference(const HostTensor& got, const HostTensor& want,
                                         const Tolerance& tolerance,
                                         const HostTensor* rounding = nullptr);

}  // namespace trama
