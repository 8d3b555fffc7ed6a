#include "backends/reference/plan_runner.h"

#include <unistd.h>

#include "absl/strings/str_join.h"
#include "backends/reference/evaluators.h"
#include "backends/reference/interpreter.h"
#include "base/dtype.h"
#include "base/status_macros.h"
#include "mlir/Parser/Parser.h"
#include "passes/pipelines.h"

namespace trama::reference {
namespace {

HostTensor TensorOf(const plan::TensorType& type) {
  return HostTensor(*DTypeFromName(type.dtype()), Shape(type.shape().begin(), type.shape().end()));
}

// matmul and the composites that the interpreter has loops for.
std::vector<std::string> Anchors() {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  LoadDialects(context);
  std::vector<std::string> anchors = {"matmul"};
  for (mlir::RegisteredOperationName op : context.getRegisteredOperations())
    if (op.hasInterface<DecomposeInterface>() && FindEvaluator(op.getStringRef()))
      anchors.push_back(op.stripDialect().str());
  return anchors;
}

}  // namespace

absl::StatusOr<mlir::OwningOpRef<mlir::ModuleOp>> ParseBody(std::string_view body,
                                                            mlir::MLIRContext& context) {
  std::string why;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic& diagnostic) {
    absl::StrAppend(&why, why.empty() ? "" : "; ", diagnostic.str());
    return mlir::success();
  });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(body, &context);
  if (!module)
    return absl::InvalidArgumentError(absl::StrCat("its body does not parse (", why, ")"));
  if (!llvm::hasSingleElement(module->getOps<mlir::func::FuncOp>()))
    return absl::InvalidArgumentError("its body is not one function");
  return module;
}

std::string InterpreterInfo() {
  const int64_t memory = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
  return absl::StrCat(R"({"device": "interpreter", "kernels": "*,)", absl::StrJoin(Anchors(), ","),
                      R"(", "alignment": )", plugin::HostBuffer::kAlignment,
                      R"(, "memory_bytes": )", memory,
                      R"(, "features": ["f64", "bf16", "f16", "bf16_products", "f16_products"]})");
}

absl::Status PlanRunner::Load(std::string_view bytes) {
  if (!plan_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return absl::InvalidArgumentError("the plan is not a trama.plan.Plan");
  LoadDialects(context_);
  for (const plan::Kernel& kernel : plan_.kernels()) TRAMA_RETURN_IF_ERROR(ParseKernel(kernel));
  DeviceTarget target;
  target.alignment = plugin::HostBuffer::kAlignment;
  return ValidatePlan(plan_, target);
}

absl::Status PlanRunner::ParseKernel(const plan::Kernel& kernel) {
  absl::StatusOr<mlir::OwningOpRef<mlir::ModuleOp>> module = ParseBody(kernel.body(), context_);
  if (!module.ok())
    return absl::InvalidArgumentError(
        absl::StrCat("a kernel of kind ", kernel.kind(), ": ", module.status().message()));
  mlir::func::FuncOp body = *(*module)->getOps<mlir::func::FuncOp>().begin();
  const auto fits = [](mlir::TypeRange types, const auto& wants) {
    return types.size() == static_cast<size_t>(wants.size()) &&
           llvm::all_of(llvm::zip(types, wants), [](auto pair) {
             const Tensor tensor = ZerosOf(std::get<0>(pair));
             const plan::TensorType& want = std::get<1>(pair);
             return Name(tensor.dtype) == want.dtype() && llvm::equal(tensor.shape, want.shape());
           });
  };
  if (!fits(body.getArgumentTypes(), kernel.operands()) ||
      !fits(body.getResultTypes(), kernel.results()))
    return absl::InvalidArgumentError(absl::StrCat("the body of a kernel of kind ", kernel.kind(),
                                                   " has other types than the kernel"));
  bodies_.push_back(body);
  modules_.push_back(*std::move(module));
  return absl::OkStatus();
}

absl::Status PlanRunner::Run(uint32_t program, absl::Span<plugin::BufferBase* const> blocks) {
  if (program >= static_cast<uint32_t>(plan_.programs_size()))
    return absl::InvalidArgumentError(absl::StrCat("the plan has no program ", program));
  if (blocks.size() != static_cast<size_t>(plan_.blocks_size()))
    return absl::InvalidArgumentError(
        absl::StrCat("the plan has ", plan_.blocks_size(), " blocks, not ", blocks.size()));
  for (int i = 0; i < plan_.blocks_size(); ++i)
    if (blocks[i]->size() < plan_.blocks(i).bytes())
      return absl::InvalidArgumentError(absl::StrCat("block ", i, " is too small"));
  for (const plan::Dispatch& dispatch : plan_.programs(program).dispatches())
    if (absl::Status status = RunDispatch(dispatch, blocks); !status.ok())
      return absl::Status(status.code(), absl::StrCat(dispatch.label(), " (", dispatch.location(),
                                                      "): ", status.message()));
  return absl::OkStatus();
}

absl::Status PlanRunner::RunDispatch(const plan::Dispatch& dispatch,
                                     absl::Span<plugin::BufferBase* const> blocks) {
  const auto address = [&](uint32_t buffer) {
    const plan::Buffer& range = plan_.buffers(buffer);
    return static_cast<char*>(blocks[range.block()]->Map()) + range.offset();
  };
  std::vector<HostTensor> operands;
  for (uint32_t buffer : dispatch.operands()) {
    HostTensor& operand = operands.emplace_back(TensorOf(plan_.buffers(buffer).type()));
    if (!operand.bytes.empty())
      std::memcpy(operand.bytes.data(), address(buffer), operand.bytes.size());
  }
  // The operands are copies, so a result may lie on one.
  TRAMA_ASSIGN_OR_RETURN(const std::vector<HostTensor> results,
                         RunKernel(bodies_[dispatch.kernel()], std::move(operands)));
  for (int i = 0; i < dispatch.results_size(); ++i) Store(results[i], address(dispatch.results(i)));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<HostTensor>> PlanRunner::RunKernel(mlir::func::FuncOp body,
                                                              std::vector<HostTensor> operands) {
  EvaluateOptions options;
  options.round_results_only = true;
  return Evaluate(body, operands, options);
}

void PlanRunner::Store(const HostTensor& result, char* address) {
  if (!result.bytes.empty()) std::memcpy(address, result.bytes.data(), result.bytes.size());
}

}  // namespace trama::reference
