// Runs plans dispatch by dispatch through the interpreter, over blocks that the host can address. A
// kernel rounds its results only.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/api/plan.pb.h"
#include "backends/api/plugin.h"
#include "base/host_tensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama::reference {

// The body of a plan's kernel, a module of one function. InvalidArgument: it is none.
absl::StatusOr<mlir::OwningOpRef<mlir::ModuleOp>> ParseBody(std::string_view body,
                                                            mlir::MLIRContext& context);

// A loaded plan. What a kernel computes and how its results are stored can be overridden, as the
// tests' wrong backends do.
class PlanRunner : public plugin::ExecutableBase {
 public:
  // Parses the plan and every kernel's body, once. InvalidArgument where they are not well formed,
  // Internal where ValidatePlan refuses the plan.
  absl::Status Load(std::string_view plan);
  absl::Status Run(uint32_t program, absl::Span<plugin::BufferBase* const> blocks) override;

 protected:
  virtual absl::StatusOr<std::vector<HostTensor>> RunKernel(mlir::func::FuncOp body,
                                                            std::vector<HostTensor> operands);
  virtual void Store(const HostTensor& result, char* address);

  const plan::Plan& plan() const { return plan_; }

 private:
  absl::Status ParseKernel(const plan::Kernel& kernel);
  absl::Status RunDispatch(const plan::Dispatch& dispatch,
                           absl::Span<plugin::BufferBase* const> blocks);

  plan::Plan plan_;
  mlir::MLIRContext context_{mlir::MLIRContext::Threading::DISABLED};
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> modules_;
  std::vector<mlir::func::FuncOp> bodies_;  // one a kernel of the plan
};

// A device over host memory whose plans an executable of class Runner runs.
template <typename Runner>
class InterpreterDevice : public plugin::DeviceBase {
 public:
  static absl::StatusOr<std::unique_ptr<plugin::DeviceBase>> Open(const plugin::Options&) {
    return std::make_unique<InterpreterDevice>();
  }
  std::string Info() override;
  absl::StatusOr<std::unique_ptr<plugin::BufferBase>> Alloc(size_t bytes) override {
    return plugin::HostBuffer::Create(bytes);
  }
  absl::StatusOr<std::unique_ptr<plugin::ExecutableBase>> Load(std::string_view plan) override {
    auto runner = std::make_unique<Runner>();
    if (absl::Status status = runner->Load(plan); !status.ok()) return status;
    return runner;
  }
};

std::string InterpreterInfo();
template <typename Runner>
std::string InterpreterDevice<Runner>::Info() {
  return InterpreterInfo();
}

}  // namespace trama::reference
