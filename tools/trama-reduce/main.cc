// trama-reduce: makes a module that shows a bug smaller while a test script still finds it
// interesting, e.g.
//   trama-reduce bug.mlir --opt-reduction-pass='opt-pass=canonicalize test=./shows-the-bug.sh'
#include "ir/dialect.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char** argv) {
  mlir::registerTransformsPasses();
  mlir::DialectRegistry registry;
  trama::RegisterDialects(registry);
  mlir::MLIRContext context(registry);
  return failed(mlir::mlirReduceMain(argc, argv, context));
}
