#include "tools/trama-opt/run_main.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/reference/interpreter.h"
#include "ir/dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama {
namespace {

struct RunMain : mlir::PassWrapper<RunMain, mlir::OperationPass<mlir::ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RunMain)
  explicit RunMain(std::string backend) : backend(std::move(backend)) {}

  llvm::StringRef getArgument() const override { return "run-main"; }
  llvm::StringRef getDescription() const override { return "runs @main and checks its results"; }

  void runOnOperation() override {
    if (backend != "reference") {
      mlir::emitError(getOperation().getLoc()) << "--run-main: no backend \"" << backend << "\"";
      return signalPassFailure();
    }
    auto main = getOperation().lookupSymbol<mlir::func::FuncOp>("main");
    if (!main || main.getNumArguments() != 0) {
      mlir::emitError(getOperation().getLoc(),
                      "--run-main: there is no function @main without arguments");
      return signalPassFailure();
    }
    std::vector<reference::Mismatch> mismatches;
    reference::EvaluateOptions options;
    options.mismatches = &mismatches;
    auto results = reference::Evaluate(main, {}, options);
    if (!results.ok()) {
      mlir::emitError(main.getLoc()) << "--run-main: " << std::string(results.status().message());
      return signalPassFailure();
    }
    if (mismatches.empty()) return markAllAnalysesPreserved();
    const reference::Mismatch& first = mismatches.front();
    mlir::emitError(main.getLoc())
        << first.location << ": check_close: element [" << absl::StrJoin(first.index, ", ")
        << "] is " << absl::StrCat(first.got) << ", wanted " << absl::StrCat(first.want) << "; "
        << mismatches.size() << " are off";
    signalPassFailure();
  }

  std::string backend;
};

}  // namespace

std::unique_ptr<mlir::Pass> CreateRunMainPass(std::string backend) {
  return std::make_unique<RunMain>(std::move(backend));
}

}  // namespace trama
