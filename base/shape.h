// Static tensor shapes and the arithmetic of NumPy broadcasting on them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace trama {

using Shape = std::vector<int64_t>;  // outermost first; {} is a scalar

// The number of elements; nullopt where it does not fit in an int64.
std::optional<int64_t> NumElements(absl::Span<const int64_t> shape);
// "4x64" and "scalar" for {}.
std::string ToString(absl::Span<const int64_t> shape);
// Row-major strides in elements.
Shape Strides(absl::Span<const int64_t> shape);
// The index of an element in row-major order.
Shape IndexOf(int64_t element, absl::Span<const int64_t> shape);
// "[3,7]", and "[]" in a scalar: an element's index, for messages.
std::string IndexText(int64_t element, absl::Span<const int64_t> shape);
// NumPy's rule: aligned at the right, sizes equal or 1; nullopt where they disagree.
std::optional<Shape> Broadcast(absl::Span<const int64_t> a, absl::Span<const int64_t> b);
// Python's dim: negative counts from the end; nullopt outside [-rank, rank).
std::optional<int64_t> NormalizeDim(int64_t dim, int64_t rank);

}  // namespace trama
