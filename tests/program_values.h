// Programs run on the reference interpreter, before and after a pass.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/host_tensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama {

// Inputs for every argument, the same for the same seed. Floats lie in (-2, 2), integers in [0, 3),
// bools are true three times of four; along the last dimension integers start with 1 and bools with
// true (with false in an argument named "pad"), so that masks leave every row a key.
std::vector<HostTensor> RandomInputs(mlir::func::FuncOp function, uint64_t seed);

// The results in float64, whatever the program's types.
absl::StatusOr<std::vector<HostTensor>> ValuesOf(mlir::func::FuncOp function,
                                                 const std::vector<HostTensor>& inputs);

// Empty, or what differs first: |got - want| > tolerance * max(1, max |want|) of one result.
// Elements that `want` has as NaN or infinite are not compared.
std::string FirstDifference(const std::vector<HostTensor>& got, const std::vector<HostTensor>& want,
                            double tolerance);

// float64 programs agree to 1e-9. In float32 ones constants are rounded, so formulas that are
// recognised by theirs agree to 1e-6.
double ToleranceOf(mlir::func::FuncOp function);

}  // namespace trama
