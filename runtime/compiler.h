// From a model and its programs to a plan for a device.
#pragma once

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/api/plan.pb.h"
#include "frontend/model.h"
#include "frontend/program.h"
#include "passes/compile_options.h"

namespace trama {

// Traces and compiles `programs`; `report` may be null. `precision` is f32, f64, or bf16: then all
// is f32 but what products multiply. Errors are those of Trace and Compile.
absl::StatusOr<plan::Plan> CompileModel(const Model& model, absl::Span<const Program> programs,
                                        CompileOptions options, DType precision,
                                        CompileReport* report = nullptr);

// A program of `model` for `batch` examples of length `length` with the inputs that its kind needs:
// for looking at a model, and for measuring it.
Program ProgramOf(const Model& model, ProgramKind kind, int64_t batch, int64_t length);
// "forward", "loss", "gradients", "train_step", "accumulate", "apply", "decode".
std::vector<std::string> ProgramKindNames();
// InvalidArgument lists them.
absl::StatusOr<ProgramKind> ProgramKindFromName(const std::string& name);

}  // namespace trama
