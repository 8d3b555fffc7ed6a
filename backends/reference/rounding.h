// How far rounding can move what a kernel computes.
//
// A running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 3.3):
// beside every value goes a bound of its error. An op rounds its result by a unit of the type at
// most; a sum of n terms by sqrt(n) units of the sum of their magnitudes (Higham and Mary 2019),
// however much of it cancels. What the operands' errors make of a result is found by moving each
// operand by its error, up and down; a comparison or a mask that this turns counts as turned.
// Composites are taken apart, as a device with kernels of its own for them may do.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/host_tensor.h"

namespace trama::reference {

// One tensor a result, f64 in its shape: how far it may be from the exact value, infinite where a
// move makes it so, where every value between exact operands and results is rounded to its type.
// `body`: a plan::Kernel's. The choice of an argmax or top_k among near ties is taken to be exact.
// InvalidArgument: a body or operands that do not fit.
absl::StatusOr<std::vector<HostTensor>> RoundingErrors(std::string_view body,
                                                       absl::Span<const HostTensor> operands);

}  // namespace trama::reference
