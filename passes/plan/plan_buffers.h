// Where each value of a module at level "kernels" lives.
#pragma once

#include "absl/status/statusor.h"
#include "llvm/ADT/DenseMap.h"
#include "passes/pipelines.h"

namespace trama {

// The buffer, an index into plan.buffers, of every argument, dispatch result and reshape.
using BufferOf = llvm::DenseMap<mlir::Value, uint32_t>;

// Fills the blocks and buffers of `plan`. State has one place a name, shared by all programs; the
// programs' inputs and outputs share the IO blocks and their transient values the arena, since one
// program runs at a time. Values of an arena overlap only where their lifetimes do not; a result
// takes over the buffer of an operand that dies where its kernel may. InvalidArgument where two
// programs disagree about a state's type or an op is in no kernel, ResourceExhausted where a value
// is larger than a block.
absl::StatusOr<BufferOf> PlanBuffers(mlir::ModuleOp module, const DeviceTarget& device,
                                     plan::Plan& plan);

// "f32", "bool", ... and the shape.
plan::TensorType ToPlan(mlir::Type type);

}  // namespace trama
