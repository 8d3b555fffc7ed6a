// A case with its sizes drawn: a program, inputs for it, and what it should give.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/api/plan.pb.h"
#include "backends/conformance/cases.h"
#include "base/host_tensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/device_target.h"

namespace trama::conformance {

// The plan of a module at level "model", without the passes that raise and fuse.
absl::StatusOr<plan::Plan> PlanOf(mlir::ModuleOp module, const DeviceTarget& device);

class Trial {
 public:
  // Draws the sizes of `c` from `seed`. `dtype` ("f32", "bf16", ...) takes the place of f32.
  // InvalidArgument where the text does not parse.
  static absl::StatusOr<Trial> Make(const Case& c, uint64_t seed, const std::string& dtype,
                                    mlir::MLIRContext& context);

  // The program's one plan, as the compiler makes it for a device.
  absl::StatusOr<plan::Plan> Plan(const DeviceTarget& device) const;
  std::vector<HostTensor> Inputs(uint64_t seed) const;
  // The reference's results in float64.
  absl::StatusOr<std::vector<HostTensor>> Want(const std::vector<HostTensor>& inputs) const;
  // "sum %0 dims = [1] (7x33xf32)".
  const std::string& description() const { return description_; }

 private:
  Trial() = default;
  mlir::func::FuncOp main() const;

  std::vector<std::string> operands_;  // "7x33xf32 positive"
  std::string description_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
};

}  // namespace trama::conformance
