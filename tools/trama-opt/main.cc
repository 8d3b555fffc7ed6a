// trama-opt: reads a module of the trama dialect, runs passes on it, runs its @main where
// --run-main=BACKEND asks for it, and prints it. All of mlir-opt's options are there
// (--split-input-file, --verify-diagnostics, --emit-bytecode, ...); those for looking inside go by
// their short names too: --print-ir-after-all and --timing.
#include "ir/dialect.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Support/Timing.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "passes/passes.h"
#include "tools/trama-opt/run_main.h"

int main(int argc, char** argv) {
  llvm::cl::opt<std::string> backend(
      "run-main", llvm::cl::desc("After the passes, run @main and check its trama.check_close ops"),
      llvm::cl::value_desc("backend"));
  mlir::registerPassManagerCLOptions();
  mlir::registerDefaultTimingManagerCLOptions();
  auto& options = llvm::cl::getRegisteredOptions();
  llvm::cl::alias print("print-ir-after-all", llvm::cl::desc("--mlir-print-ir-after-all"),
                        llvm::cl::aliasopt(*options["mlir-print-ir-after-all"]));
  llvm::cl::alias timing("timing", llvm::cl::desc("--mlir-timing"),
                         llvm::cl::aliasopt(*options["mlir-timing"]));
  mlir::registerTransformsPasses();
  trama::registerTramaPasses();
  mlir::DialectRegistry registry;
  trama::RegisterDialects(registry);
  auto [input_name, output_name] =
      mlir::registerAndParseCLIOptions(argc, argv, "Trama's optimizer driver\n", registry);

  const auto from_flags = mlir::MlirOptMainConfig::createFromCLOptions();
  mlir::MlirOptMainConfig config = from_flags;
  config.setPassPipelineSetupFn([&](mlir::PassManager& pm) {
    if (failed(from_flags.setupPassPipeline(pm))) return llvm::failure();
    if (!backend.empty()) pm.addPass(trama::CreateRunMainPass(backend));
    return llvm::success();
  });

  std::string error;
  auto input = mlir::openInputFile(input_name, &error);
  auto output = input ? mlir::openOutputFile(output_name, &error) : nullptr;
  if (!output) {
    llvm::errs() << error << "\n";
    return EXIT_FAILURE;
  }
  if (failed(mlir::MlirOptMain(output->os(), std::move(input), registry, config)))
    return EXIT_FAILURE;
  output->keep();
  return EXIT_SUCCESS;
}
