// trama explain MODEL|DIR: what a model becomes, from the ops of the DSL to the kernels of a plan.
#include <iostream>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/compiler.h"
#include "runtime/device.h"
#include "tools/trama/common.h"

namespace trama::cli {
namespace {

std::string Shapes(const google::protobuf::RepeatedPtrField<plan::TensorType>& types) {
  return absl::StrJoin(types, " ", [](std::string* out, const plan::TensorType& type) {
    absl::StrAppend(out, type.dtype(), "[", absl::StrJoin(type.shape(), ","), "]");
  });
}

void PrintPlan(const plan::Plan& plan) {
  std::cout << "// ---- plan\n";
  const std::map<plan::Block::Kind, const char*> kinds = {
      {plan::Block::STATE, "state"}, {plan::Block::IO, "io"}, {plan::Block::ARENA, "arena"}};
  for (const plan::Block& block : plan.blocks())
    std::cout << absl::StrFormat("block %-6s %14d bytes\n", kinds.at(block.kind()), block.bytes());
  std::vector<int> uses(static_cast<size_t>(plan.kernels_size()), 0);
  for (const plan::Program& program : plan.programs())
    for (const plan::Dispatch& dispatch : program.dispatches()) ++uses[dispatch.kernel()];
  std::cout << "\nkernel  uses            flops            bytes  kind\n";
  for (int k = 0; k < plan.kernels_size(); ++k) {
    const plan::Kernel& kernel = plan.kernels(k);
    std::cout << absl::StrFormat("%6d %5d %16.0f %16d  %s: %s -> %s\n", k, uses[k], kernel.flops(),
                                 kernel.bytes_moved(), kernel.kind(), Shapes(kernel.operands()),
                                 Shapes(kernel.results()));
  }
  for (const plan::Program& program : plan.programs()) {
    double flops = 0;
    uint64_t bytes = 0;
    for (const plan::Dispatch& dispatch : program.dispatches()) {
      flops += plan.kernels(static_cast<int>(dispatch.kernel())).flops();
      bytes += plan.kernels(static_cast<int>(dispatch.kernel())).bytes_moved();
    }
    std::cout << absl::StrFormat("\nprogram %s: %d dispatches, %.0f flops, %d bytes moved\n",
                                 program.name(), program.dispatches_size(), flops, bytes);
    for (const plan::Dispatch& dispatch : program.dispatches())
      std::cout << absl::StrFormat("  kernel %4d %-24s %-32s %s\n", dispatch.kernel(),
                                   plan.kernels(static_cast<int>(dispatch.kernel())).kind(),
                                   dispatch.label(), dispatch.location());
  }
}

absl::Status PrintCode(Device& device, const plan::Plan& plan) {
  TRAMA_ASSIGN_OR_RETURN(Executable executable, device.Load(plan));
  for (int k = 0; k < plan.kernels_size(); ++k) {
    const plan::Kernel& kernel = plan.kernels(k);
    absl::StatusOr<std::string> code = executable.Code(static_cast<uint32_t>(k));
    if (absl::IsUnimplemented(code.status()))
      return absl::UnimplementedError(absl::StrCat("--stage=code: ", code.status().message(),
                                                   "; cpu shows assembly, vulkan SPIR-V"));
    if (!code.ok()) return code.status();
    std::cout << "// ---- kernel " << k << ", " << kernel.kind() << ": "
              << Shapes(kernel.operands()) << " -> " << Shapes(kernel.results()) << "\n"
              << *code << "\n";
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Run(const Flags& flags) {
  TRAMA_ASSIGN_OR_RETURN(SessionOptions options, SessionOptionsOf(flags));
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, ModelOf(flags));
  const int64_t batch = flags.Int("batch_size");
  const int64_t length = flags.Int("seq_len") > 0 ? flags.Int("seq_len")
                                                  : std::max<int64_t>(model.model->MaxLength(), 1);
  std::vector<Program> programs;
  TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> programs_named, ProgramNames(flags));
  for (const std::string& name : programs_named) {
    TRAMA_ASSIGN_OR_RETURN(programs.emplace_back(), ProgramNamed(model, name, batch, length));
  }
  TRAMA_ASSIGN_OR_RETURN(Device device, Device::Open(options.backend, options.device));
  CompileOptions compile;
  compile.device = device.target();
  compile.recompute = flags.Bool("recompute");
  compile.model = model.entry->name;
  compile.dump_dir = flags.String("dump_ir");
  compile.timing = flags.Bool("timing");
  CompileReport report;
  TRAMA_ASSIGN_OR_RETURN(plan::Plan plan,
                         CompileModel(*model.model, programs, compile, options.precision, &report));
  const std::string& wanted = flags.String("stage");
  if (wanted == "code") {
    TRAMA_RETURN_IF_ERROR(PrintCode(device, plan));
    return 0;
  }
  bool found = wanted.empty() || wanted == "plan";
  std::vector<std::string> names;
  for (const auto& [stage, text] : report.stages) {
    names.push_back(stage);
    if (!wanted.empty() && wanted != stage) continue;
    found = true;
    std::cout << "// ---- " << stage << "\n" << text << "\n";
  }
  if (!found) {
    names.insert(names.end(), {"plan", "code"});
    std::string hint = DidYouMean(wanted, names);
    if (hint.empty()) hint = DidYouMean(absl::StrCat("trama-", wanted), names);
    return UsageError(
        absl::StrCat("--stage: '", wanted, "' is none of ", absl::StrJoin(names, ", "), hint));
  }
  if (wanted.empty() || wanted == "plan") {
    for (const PassRemark& remark : report.remarks)
      std::cout << "remark: " << remark.location << ": " << remark.pass << " in " << remark.function
                << ": " << remark.message << "\n";
    PrintPlan(plan);
  }
  return 0;
}

TRAMA_COMMAND((Command{
    "explain", "MODEL|DIR", "the program after each pass, remarks, and the kernels it becomes",
    "trama explain gpt --program=train_step --batch_size=12 --stage=plan",
    WithRuntimeFlags(
        {{"program", FlagKind::kString, "forward",
          "forward, loss, gradients, train_step, accumulate, apply, prefill, decode; several "
          "separated by commas"},
         {"stage", FlagKind::kString, "", "one stage only: traced, a pass's flag, plan, or code"},
         {"recompute", FlagKind::kBool, "false", "as training with it does"},
         {"dump_ir", FlagKind::kString, "", "a folder: a file a pass"},
         {"timing", FlagKind::kBool, "false", "the passes' times on standard error"},
         {"batch_size", FlagKind::kInt, "1", "examples", 1},
         {"seq_len", FlagKind::kInt, "0", "the time axis; 0: the longest", 0},
         {"set", FlagKind::kRepeated, "", "key=value of the config where MODEL is a name"}}),
    Run}));

}  // namespace
}  // namespace trama::cli
