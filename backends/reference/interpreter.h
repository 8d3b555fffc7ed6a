// The reference: evaluates functions of trama ops with plain loops. It is the oracle that every
// other backend is graded by.
//
// Numerics: floats are computed in double and every op's results are rounded once to their type
// (f32, bf16, f16), so a sum or a product of matrices is as good as its last rounding. Integers
// are int64, wrapped to their type. max, min and reduce_max give NaN where an operand is NaN;
// argmax passes over NaN. A float beyond an integer's range casts to its nearest value, NaN to 0.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/host_tensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama::reference {

// An element that a trama.check_close found off.
struct Mismatch {
  std::string location;  // "file:line" of the op
  Shape index;
  double got = 0, want = 0;
};

struct EvaluateOptions {
  bool float64 = false;  // no rounding but in casts to bf16 and f16; float results come as f64
  // Rounds the function's results and casts to bf16 and f16, nothing between: a kernel in
  // registers.
  bool round_results_only = false;
  // Composites go through their decomposition although the interpreter has loops for them.
  bool prefer_decomposition = false;
  // Gets every failed element of check_close. Where null, the first one is FailedPrecondition.
  std::vector<Mismatch>* mismatches = nullptr;
};

// The results of `function` for `inputs`, one an argument in the argument's shape and dtype (f64
// is taken for any float where `float64`). trama.dispatch runs its callee. InvalidArgument: inputs
// that do not fit. Unimplemented: an op with neither loops here nor a decomposition.
// May be called from several threads at once.
absl::StatusOr<std::vector<HostTensor>> Evaluate(mlir::func::FuncOp function,
                                                 absl::Span<const HostTensor> inputs,
                                                 const EvaluateOptions& options = {});

}  // namespace trama::reference
