// The order of the passes, and the whole way from a traced module to a plan.
#pragma once

#include "absl/status/statusor.h"
#include "backends/api/plan.pb.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "passes/compile_options.h"

namespace trama {

// raise, fuse, simplify: level "model" stays.
void BuildModelPipeline(mlir::OpPassManager& pm);
// autodiff, train step, derive decode.
void BuildProgramPipeline(mlir::OpPassManager& pm);
// decompose and widen what the device has not, simplify, outline: level "kernels".
void BuildKernelPipeline(mlir::OpPassManager& pm, const DeviceTarget& device);

// Buffers, offsets and dispatches of a module at level "kernels". ResourceExhausted says how many
// bytes are missing where the device's memory does not hold the plan.
absl::StatusOr<plan::Plan> EmitPlan(mlir::ModuleOp module, const CompileOptions& options);

// All of the above, in place, with the plan checked: `module` ends at level "kernels". An error
// names the op, its shapes and the DSL's line. `report` may be null.
absl::StatusOr<plan::Plan> Compile(mlir::ModuleOp module, const CompileOptions& options,
                                   CompileReport* report = nullptr);

inline constexpr uint32_t kPlanVersion = 1;  // of plan.proto

// Checks a plan as no backend should have to: ranges inside blocks and aligned, no overlap of live
// buffers, nothing read that was not written. Internal where it is wrong, InvalidArgument where it
// is of a newer version.
absl::Status ValidatePlan(const plan::Plan& plan, const DeviceTarget& device);

}  // namespace trama
