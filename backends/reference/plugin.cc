// The reference backend: runs a plan's dispatches one by one through the interpreter, over host
// memory. --precision=f64 needs nothing here: the plan's types say what is computed.
#include <unistd.h>

#include "backends/api/plan.pb.h"
#include "backends/api/plugin.h"
#include "backends/reference/interpreter.h"
#include "base/dtype.h"
#include "base/status_macros.h"
#include "ir/dialect.h"
#include "mlir/Parser/Parser.h"
#include "passes/pipelines.h"

namespace trama::reference {
namespace {

HostTensor TensorOf(const plan::TensorType& type) {
  return HostTensor(*DTypeFromName(type.dtype()), Shape(type.shape().begin(), type.shape().end()));
}

class ReferenceExecutable : public plugin::ExecutableBase {
 public:
  static absl::StatusOr<std::unique_ptr<plugin::ExecutableBase>> Load(std::string_view bytes) {
    auto executable = std::make_unique<ReferenceExecutable>();
    if (!executable->plan_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      return absl::InvalidArgumentError("the plan is not a trama.plan.Plan");
    TRAMA_RETURN_IF_ERROR(executable->ParseKernels());
    TRAMA_RETURN_IF_ERROR(
        ValidatePlan(executable->plan_, {.alignment = plugin::HostBuffer::kAlignment}));
    return executable;
  }

  absl::Status Run(uint32_t program, absl::Span<plugin::BufferBase* const> blocks) override {
    if (program >= static_cast<uint32_t>(plan_.programs_size()))
      return absl::InvalidArgumentError(absl::StrCat("the plan has no program ", program));
    if (blocks.size() != static_cast<size_t>(plan_.blocks_size()))
      return absl::InvalidArgumentError(
          absl::StrCat("the plan has ", plan_.blocks_size(), " blocks, not ", blocks.size()));
    for (int i = 0; i < plan_.blocks_size(); ++i)
      if (blocks[i]->size() < plan_.blocks(i).bytes())
        return absl::InvalidArgumentError(absl::StrCat("block ", i, " is too small"));
    for (const plan::Dispatch& dispatch : plan_.programs(program).dispatches())
      if (absl::Status status = Run(dispatch, blocks); !status.ok())
        return absl::Status(status.code(), absl::StrCat(dispatch.label(), " (", dispatch.location(),
                                                        "): ", status.message()));
    return absl::OkStatus();
  }

 private:
  absl::Status ParseKernels() {
    LoadDialects(context_);
    for (const plan::Kernel& kernel : plan_.kernels()) {
      std::string why;
      mlir::ScopedDiagnosticHandler handler(&context_, [&](mlir::Diagnostic& diagnostic) {
        absl::StrAppend(&why, why.empty() ? "" : "; ", diagnostic.str());
        return mlir::success();
      });
      auto module = mlir::parseSourceString<mlir::ModuleOp>(kernel.body(), &context_);
      if (!module)
        return absl::InvalidArgumentError(absl::StrCat(
            "the body of a kernel of kind ", kernel.kind(), " does not parse (", why, ")"));
      const auto functions = module->getOps<mlir::func::FuncOp>();
      if (!llvm::hasSingleElement(functions))
        return absl::InvalidArgumentError(
            absl::StrCat("the body of a kernel of kind ", kernel.kind(), " is not one function"));
      functions_.push_back(*functions.begin());
      modules_.push_back(std::move(module));
    }
    return absl::OkStatus();
  }

  char* Address(uint32_t buffer, absl::Span<plugin::BufferBase* const> blocks) const {
    const plan::Buffer& range = plan_.buffers(buffer);
    return static_cast<char*>(blocks[range.block()]->Map()) + range.offset();
  }

  absl::Status Run(const plan::Dispatch& dispatch, absl::Span<plugin::BufferBase* const> blocks) {
    std::vector<HostTensor> operands;
    for (uint32_t buffer : dispatch.operands()) {
      HostTensor& operand = operands.emplace_back(TensorOf(plan_.buffers(buffer).type()));
      std::memcpy(operand.bytes.data(), Address(buffer, blocks), operand.bytes.size());
    }
    // The operands are copies, so a result may lie on one.
    TRAMA_ASSIGN_OR_RETURN(const std::vector<HostTensor> results,
                           Evaluate(functions_[dispatch.kernel()], operands));
    for (int i = 0; i < dispatch.results_size(); ++i)
      std::memcpy(Address(dispatch.results(i), blocks), results[i].bytes.data(),
                  results[i].bytes.size());
    return absl::OkStatus();
  }

  plan::Plan plan_;
  mlir::MLIRContext context_{mlir::MLIRContext::Threading::DISABLED};
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> modules_;
  std::vector<mlir::func::FuncOp> functions_;  // one a kernel of the plan
};

class ReferenceDevice : public plugin::DeviceBase {
 public:
  std::string Info() override {
    const int64_t memory = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
    return absl::StrCat(R"({"device": "interpreter", "kernels": "*", "alignment": )",
                        plugin::HostBuffer::kAlignment, R"(, "memory_bytes": )", memory,
                        R"(, "features": ["f64"]})");
  }
  absl::StatusOr<std::unique_ptr<plugin::BufferBase>> Alloc(size_t bytes) override {
    return plugin::HostBuffer::Create(bytes);
  }
  absl::StatusOr<std::unique_ptr<plugin::ExecutableBase>> Load(std::string_view plan) override {
    return ReferenceExecutable::Load(plan);
  }
};

absl::StatusOr<std::unique_ptr<plugin::DeviceBase>> Open(const plugin::Options&) {
  return std::make_unique<ReferenceDevice>();
}

}  // namespace
}  // namespace trama::reference

TRAMA_BACKEND("reference", trama::reference::Open)
