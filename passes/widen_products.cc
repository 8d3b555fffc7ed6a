// Products of narrow operands for devices that have none: the operands are cast to f32 before.
#include "ir/builder_util.h"
#include "llvm/ADT/StringSet.h"
#include "passes/passes.h"
#include "passes/support/products.h"

namespace trama {
#define GEN_PASS_DEF_WIDENPRODUCTS
#include "passes/passes.h.inc"
namespace {

std::string Spelling(mlir::Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

struct WidenProducts : impl::WidenProductsBase<WidenProducts> {
  using WidenProductsBase::WidenProductsBase;
  void runOnOperation() override {
    llvm::StringSet<> kept;
    for (const std::string& element : keep) kept.insert(element);
    getOperation().walk([&](mlir::Operation* op) {
      const llvm::SmallVector<mlir::OpOperand*, 2> factors = FactorsOf(op);
      if (factors.empty()) return;
      const mlir::Type element = ElementOf(factors[0]->get());
      const mlir::Type wide = AccumulatorOf(element);
      if (wide == element || kept.contains(Spelling(element))) return;
      mlir::OpBuilder b(op);
      for (mlir::OpOperand* factor : factors)
        factor->set(Emitter(b, op->getLoc()).Cast(factor->get(), wide));
    });
  }
};

}  // namespace
}  // namespace trama
