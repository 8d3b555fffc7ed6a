#include "passes/pipelines.h"

#include "base/status_macros.h"
#include "ir/source_line.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "passes/passes.h"
#include "passes/support/remarks.h"

namespace trama {
namespace {
std::string Print(mlir::Operation* op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->print(stream, mlir::OpPrintingFlags().enableDebugInfo().assumeVerified());
  return text;
}

// Keeps the IR after every pass: in the report, and as a file that is on disk before the next pass
// starts, so that it is there even if that one crashes. `failed`: the first file that could not be
// written.
class StageRecorder : public mlir::PassInstrumentation {
 public:
  StageRecorder(std::string dir, CompileReport* report, absl::Status* failed)
      : dir_(std::move(dir)), report_(report), failed_(failed) {}

  void Record(llvm::StringRef stage, mlir::Operation* module) {
    const std::string text = Print(module);
    if (!dir_.empty()) {
      const std::string number = std::to_string(100 + count_++).substr(1);
      const std::string path = dir_ + "/" + number + "-" + stage.str() + ".mlir";
      std::error_code error;
      llvm::raw_fd_ostream file(path, error);
      if (!error) {
        file << text;
        file.close();
        error = file.error();
      }
      file.clear_error();  // a disk that is full is no reason to abort
      if (error)
        failed_->Update(absl::InvalidArgumentError(
            absl::StrCat("dump_ir: cannot write ", path, " (", error.message(), ")")));
    }
    if (report_) report_->stages.push_back({stage.str(), text});
  }
  void runAfterPass(mlir::Pass* pass, mlir::Operation* op) override {
    if (mlir::isa<mlir::ModuleOp>(op)) Record(pass->getArgument(), op);
  }
  void runAfterPassFailed(mlir::Pass* pass, mlir::Operation* op) override {
    if (mlir::isa<mlir::ModuleOp>(op)) Record((pass->getArgument() + ".failed").str(), op);
  }

 private:
  std::string dir_;
  CompileReport* report_;
  absl::Status* failed_;
  int count_ = 0;
};

}  // namespace

void BuildModelPipeline(mlir::OpPassManager& pm) {
  pm.addPass(createSimplify());
  pm.addPass(createRaiseSoftmax());
  pm.addPass(createRaiseLayerNorm());
  pm.addPass(createRaiseGelu());
  pm.addPass(createRaiseCrossEntropy());
  pm.addPass(createFuseAttention());
  pm.addPass(createFuseLinear());
  pm.addPass(createFuseHead());
  pm.addPass(createSimplify());
}

void BuildProgramPipeline(mlir::OpPassManager& pm) {
  pm.addPass(createAutodiff());
  pm.addPass(createTrainStep());
  pm.addPass(createDeriveDecode());
  pm.addPass(createSimplify());
}

void BuildKernelPipeline(mlir::OpPassManager& pm, const DeviceTarget& device) {
  DecomposeOptions decompose;
  for (const std::string& anchor : device.anchors) decompose.keep.push_back(anchor);
  pm.addPass(createDecompose(decompose));
  WidenProductsOptions widen;
  for (const std::string& element : device.narrow_products) widen.keep.push_back(element);
  pm.addPass(createWidenProducts(widen));
  pm.addPass(createSimplify());
  OutlineKernelsOptions outline;
  outline.compiles_bodies = device.compiles_bodies;
  pm.addPass(createOutlineKernels(outline));
}

absl::StatusOr<plan::Plan> Compile(mlir::ModuleOp module, const CompileOptions& options,
                                   CompileReport* report) {
  std::string error;
  mlir::ScopedDiagnosticHandler handler(
      module.getContext(), [&](mlir::Diagnostic& diagnostic) -> mlir::LogicalResult {
        if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error || !error.empty())
          return mlir::success();
        error = diagnostic.str();
        const std::string line = SourceLine(diagnostic.getLocation());
        if (!line.empty()) absl::StrAppend(&error, " (", line, ")");
        return mlir::success();
      });
  if (!options.dump_dir.empty()) {
    if (std::error_code code = llvm::sys::fs::create_directories(options.dump_dir))
      return absl::InvalidArgumentError(
          absl::StrCat("dump_ir: cannot create ", options.dump_dir, " (", code.message(), ")"));
    if (!llvm::sys::fs::is_directory(options.dump_dir))
      return absl::InvalidArgumentError(
          absl::StrCat("dump_ir: ", options.dump_dir, " is not a directory"));
  }
  mlir::PassManager pm(module.getContext());
  absl::Status dumped;
  if (report || !options.dump_dir.empty()) {
    auto recorder = std::make_unique<StageRecorder>(options.dump_dir, report, &dumped);
    recorder->Record("traced", module);
    pm.addInstrumentation(std::move(recorder));
  }
  if (options.timing) pm.enableTiming();
  BuildModelPipeline(pm);
  BuildProgramPipeline(pm);
  if (options.bf16) {
    pm.addPass(createPrecision());
    pm.addPass(createSimplify());
  }
  BuildKernelPipeline(pm, options.device);
  if (options.recompute) pm.addPass(createRecompute());
  if (report && failed(CollectRemarks(*module.getContext(), &report->remarks)))
    return absl::InternalError("remarks cannot be collected");
  const bool passed = succeeded(pm.run(module));
  if (report) module.getContext()->setRemarkEngine(nullptr);  // it points into the report
  if (!passed)
    return absl::InvalidArgumentError(error.empty() ? "a pass failed without saying why" : error);
  TRAMA_RETURN_IF_ERROR(dumped);
  TRAMA_ASSIGN_OR_RETURN(plan::Plan plan, EmitPlan(module, options));
  TRAMA_RETURN_IF_ERROR(ValidatePlan(plan, options.device));
  return plan;
}

}  // namespace trama
