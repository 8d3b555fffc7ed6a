// trama-opt: reads a module of the trama dialect, runs passes on it and prints it. All of
// mlir-opt's options are there (--print-ir-after-all, --mlir-timing, --split-input-file,
// --verify-diagnostics).
#include "ir/dialect.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "passes/passes.h"

int main(int argc, char** argv) {
  mlir::registerTransformsPasses();
#include "register_passes.inc"
  mlir::DialectRegistry registry;
  trama::RegisterDialects(registry);
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Trama's optimizer driver\n", registry));
}
