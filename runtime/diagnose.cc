#include "runtime/diagnose.h"

#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace trama {
namespace {

bool IsFinite(const HostTensor& tensor) {
  if (!IsFloat(tensor.dtype)) return true;
  for (int64_t i = 0; i < tensor.num_elements(); ++i)
    if (!std::isfinite(tensor.at(i))) return false;
  return true;
}

std::string Describe(const plan::Plan& plan, const plan::Dispatch& dispatch) {
  const plan::Kernel& kernel = plan.kernels(static_cast<int>(dispatch.kernel()));
  std::string text = kernel.op().empty() ? kernel.kind() : kernel.op();
  if (!dispatch.label().empty() && dispatch.label() != text)
    absl::StrAppend(&text, " ", dispatch.label());
  if (!dispatch.location().empty()) absl::StrAppend(&text, " (", dispatch.location(), ")");
  return text;
}

}  // namespace

absl::StatusOr<std::string> FirstNonFinite(Session& session, uint32_t program) {
  const plan::Plan& plan = session.plan();
  const plan::Program& whole = plan.programs(static_cast<int>(program));
  for (const plan::Binding& binding : whole.inputs()) {
    TRAMA_ASSIGN_OR_RETURN(HostTensor value, session.ReadBuffer(binding.buffer()));
    if (!IsFinite(value)) return absl::StrCat(binding.role(), " ", binding.name());
  }
  plan::Plan steps = plan;
  steps.clear_programs();
  for (const plan::Dispatch& dispatch : whole.dispatches()) {
    plan::Program& step = *steps.add_programs();
    *step.add_dispatches() = dispatch;
    // What a step reads is an input of it: a plan that reads what nothing wrote is refused.
    std::set<std::pair<uint32_t, uint64_t>> ranges;
    for (uint32_t operand : dispatch.operands()) {
      const plan::Buffer& buffer = plan.buffers(static_cast<int>(operand));
      if (ranges.emplace(buffer.block(), buffer.offset()).second)
        step.add_inputs()->set_buffer(operand);
    }
  }
  TRAMA_ASSIGN_OR_RETURN(Executable executable, session.Load(steps));
  for (int i = 0; i < whole.dispatches_size(); ++i) {
    TRAMA_RETURN_IF_ERROR(session.RunOf(executable, static_cast<uint32_t>(i)));
    for (uint32_t buffer : whole.dispatches(i).results()) {
      TRAMA_ASSIGN_OR_RETURN(HostTensor value, session.ReadBuffer(buffer));
      if (!IsFinite(value)) return Describe(plan, whole.dispatches(i));
    }
  }
  return std::string();
}

}  // namespace trama
