#include "tools/trama-opt/run_main.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/reference/interpreter.h"
#include "ir/dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/trama-opt/run_on_device.h"

namespace trama {
namespace {

using reference::Mismatch;

absl::StatusOr<std::vector<Mismatch>> Interpret(mlir::func::FuncOp main) {
  std::vector<Mismatch> mismatches;
  reference::EvaluateOptions options;
  options.mismatches = &mismatches;
  if (auto results = reference::Evaluate(main, {}, options); !results.ok()) return results.status();
  return mismatches;
}

struct RunMain : mlir::PassWrapper<RunMain, mlir::OperationPass<mlir::ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RunMain)
  explicit RunMain(std::string backend) : backend(std::move(backend)) {}

  llvm::StringRef getArgument() const override { return "run-main"; }
  llvm::StringRef getDescription() const override { return "runs @main and checks its results"; }

  void Fail(mlir::Location loc, const std::string& message) {
    mlir::emitError(loc) << message;
    signalPassFailure();
  }

  void runOnOperation() override {
    mlir::ModuleOp module = getOperation();
    auto main = module.lookupSymbol<mlir::func::FuncOp>("main");
    if (!main || main.getNumArguments() != 0)
      return Fail(module.getLoc(), "--run-main: there is no function @main without arguments");
    auto mismatches = backend == "reference" ? Interpret(main) : RunOnDevice(module, backend);
    if (!mismatches.ok())
      return Fail(main.getLoc(),
                  absl::StrCat("--run-main: ", std::string(mismatches.status().message())));
    if (mismatches->empty()) return markAllAnalysesPreserved();
    const Mismatch& first = mismatches->front();
    Fail(main.getLoc(),
         absl::StrCat(first.location, ": check_close: element [", absl::StrJoin(first.index, ", "),
                      "] is ", first.got, ", wanted ", first.want, "; ", mismatches->size(),
                      " are off"));
  }

  std::string backend;
};

}  // namespace

std::unique_ptr<mlir::Pass> CreateRunMainPass(std::string backend) {
  return std::make_unique<RunMain>(std::move(backend));
}

}  // namespace trama
