// Prints the plan as trama::EmitPlan makes it.
#include <google/protobuf/text_format.h>

#include "base/status_macros.h"
#include "passes/passes.h"
#include "passes/pipelines.h"

namespace trama {
#define GEN_PASS_DEF_EMITPLAN
#include "passes/passes.h.inc"
namespace {

struct EmitPlanPass : impl::EmitPlanBase<EmitPlanPass> {
  using EmitPlanBase::EmitPlanBase;

  absl::StatusOr<std::string> Print() {
    CompileOptions options;
    options.device.alignment = alignment;
    options.device.max_block_bytes = max_block_bytes;
    TRAMA_ASSIGN_OR_RETURN(plan::Plan plan, EmitPlan(getOperation(), options));
    TRAMA_RETURN_IF_ERROR(ValidatePlan(plan, options.device));
    for (plan::Kernel& kernel : *plan.mutable_kernels()) {
      kernel.clear_body();
      kernel.clear_hash();
    }
    std::string text;
    if (!google::protobuf::TextFormat::PrintToString(plan, &text))
      return absl::InternalError("the plan has no text");
    return text;
  }

  void runOnOperation() override {
    const absl::StatusOr<std::string> text = Print();
    if (text.ok()) {
      llvm::outs() << *text;
      return markAllAnalysesPreserved();
    }
    getOperation().emitError(std::string(text.status().message()));
    signalPassFailure();
  }
};

}  // namespace
}  // namespace trama
