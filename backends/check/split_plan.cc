#include "backends/check/split_plan.h"

#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace trama::check {
namespace {

// Binds the operands as inputs, each range once, and the results as outputs.
void Bind(const plan::Plan& plan, plan::Program& program) {
  std::map<std::tuple<uint32_t, uint64_t, uint64_t>, uint32_t> bound;
  const plan::Dispatch& dispatch = program.dispatches(0);
  for (uint32_t index : dispatch.operands()) {
    const plan::Buffer& buffer = plan.buffers(index);
    if (!bound.emplace(std::tuple(buffer.block(), buffer.offset(), buffer.bytes()), index).second)
      continue;
    plan::Binding& input = *program.add_inputs();
    input.set_name(absl::StrCat("operand.", program.inputs_size()));
    input.set_buffer(index);
    input.set_role("input");
  }
  for (uint32_t index : dispatch.results()) {
    plan::Binding& output = *program.add_outputs();
    output.set_name(absl::StrCat("result.", program.outputs_size()));
    output.set_buffer(index);
  }
}

}  // namespace

Split SplitByDispatch(const plan::Plan& plan) {
  Split split{plan, {}};
  split.plan.clear_programs();
  for (const plan::Program& program : plan.programs()) {
    split.first.push_back(split.plan.programs_size());
    for (const plan::Dispatch& dispatch : program.dispatches()) {
      plan::Program& single = *split.plan.add_programs();
      single.set_name(absl::StrCat(program.name(), ".", split.plan.programs_size()));
      *single.add_dispatches() = dispatch;
      Bind(split.plan, single);
    }
  }
  return split;
}

Probe ProbeOf(const plan::Plan& plan, const plan::Dispatch& dispatch) {
  Probe probe;
  probe.plan.set_version(plan.version());
  *probe.plan.add_kernels() = plan.kernels(dispatch.kernel());
  plan::Program& program = *probe.plan.add_programs();
  program.set_name("dispatch");
  plan::Dispatch& single = *program.add_dispatches();
  single = dispatch;
  single.set_kernel(0);
  single.clear_operands();
  single.clear_results();
  probe.key = absl::StrCat(dispatch.kernel());

  std::map<std::tuple<uint32_t, uint64_t, uint64_t>, uint32_t> blocks;
  const auto add = [&](uint32_t index) {
    plan::Buffer buffer = plan.buffers(index);
    const auto [it, inserted] =
        blocks.emplace(std::tuple(buffer.block(), buffer.offset(), buffer.bytes()), blocks.size());
    const plan::Block::Kind kind = plan.blocks(buffer.block()).kind();
    if (inserted) {
      plan::Block& block = *probe.plan.add_blocks();
      block.set_bytes(buffer.bytes());
      block.set_kind(kind == plan::Block::STATE ? kind : plan::Block::IO);
    }
    absl::StrAppend(&probe.key, ",", it->second, kind == plan::Block::STATE ? "s" : "");
    buffer.set_block(it->second);
    buffer.set_offset(0);
    *probe.plan.add_buffers() = buffer;
    return it->second;
  };
  for (uint32_t index : dispatch.operands()) {
    single.add_operands(probe.plan.buffers_size());
    probe.operand_blocks.push_back(add(index));
  }
  for (uint32_t index : dispatch.results()) {
    single.add_results(probe.plan.buffers_size());
    probe.result_blocks.push_back(add(index));
  }
  Bind(probe.plan, program);
  return probe;
}

}  // namespace trama::check
