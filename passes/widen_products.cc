// Products of narrow operands for devices that have none: the operands are cast to f32 before.
#include "ir/builder_util.h"
#include "passes/passes.h"
#include "passes/support/products.h"

namespace trama {
#define GEN_PASS_DEF_WIDENPRODUCTS
#include "passes/passes.h.inc"
namespace {

struct WidenProducts : impl::WidenProductsBase<WidenProducts> {
  using WidenProductsBase::WidenProductsBase;
  void runOnOperation() override {
    getOperation().walk([&](mlir::Operation* op) {
      const llvm::SmallVector<mlir::OpOperand*, 2> factors = FactorsOf(op);
      if (factors.empty()) return;
      const mlir::Type element = ElementOf(factors[0]->get());
      const mlir::Type wide = AccumulatorOf(element);
      if (wide == element || llvm::is_contained(keep, element.isBF16() ? "bf16" : "f16")) return;
      mlir::OpBuilder b(op);
      for (mlir::OpOperand* factor : factors)
        factor->set(Emitter(b, op->getLoc()).Cast(factor->get(), wide));
    });
  }
};

}  // namespace
}  // namespace trama
