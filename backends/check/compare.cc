#include "backends/check/compare.h"

#include <algorithm>
#include <cmath>

namespace trama {

Tolerance ToleranceOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return {1e-4, 1e-5, 1e-8};
    case DType::kF64:
      return {1e-10, 1e-11, 1e-14};
    case DType::kBF16:
    case DType::kF16:
      return {2e-2, 5e-3, 1e-6};
    default:
      return {};
  }
}

std::optional<Difference> FindDifference(const HostTensor& got, const HostTensor& want,
                                         const Tolerance& tolerance, const HostTensor* rounding) {
  if (got.dtype == want.dtype && got.bytes == want.bytes) return std::nullopt;
  double max = 0;
  for (int64_t i = 0; i < want.num_elements(); ++i)
    if (std::isfinite(want.at(i))) max = std::max(max, std::abs(want.at(i)));
  for (int64_t i = 0; i < want.num_elements(); ++i) {
    const double a = got.at(i), b = want.at(i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double allowed = tolerance.relative * std::abs(b) + tolerance.of_max * max +
                           tolerance.absolute + (rounding ? rounding->at(i) : 0);
    // The allowance is infinite where the analysis overflowed: it says nothing about infinity or
    // NaN.
    if (!std::isfinite(a) || !std::isfinite(b) || !(std::abs(a - b) <= allowed))
      return Difference{i, a, b};
  }
  return std::nullopt;
}

}  // namespace trama
