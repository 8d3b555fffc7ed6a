// Composites become simpler ops, recursively.
#include "llvm/ADT/StringSet.h"
#include "passes/passes.h"

namespace trama {
#define GEN_PASS_DEF_DECOMPOSE
#include "passes/passes.h.inc"
namespace {

struct DecomposePass : impl::DecomposeBase<DecomposePass> {
  using DecomposeBase::DecomposeBase;
  void runOnOperation() override {
    llvm::StringSet<> kept;
    for (const std::string& name : keep) kept.insert(name);
    mlir::IRRewriter rewriter(&getContext());
    llvm::SmallVector<DecomposeInterface> work;
    auto add = [&](mlir::Operation* op) {
      auto composite = mlir::dyn_cast<DecomposeInterface>(op);
      // Names are given with or without the dialect's.
      if (composite && !kept.contains(op->getName().getStringRef()) &&
          !kept.contains(op->getName().stripDialect()))
        work.push_back(composite);
    };
    getOperation().walk(add);
    while (!work.empty()) {
      DecomposeInterface op = work.pop_back_val();
      rewriter.setInsertionPoint(op);
      mlir::Operation* before = op->getPrevNode();
      rewriter.replaceAllUsesWith(op->getResults(), op.decompose(rewriter));
      mlir::Operation* made = before ? before->getNextNode() : &op->getBlock()->front();
      for (; made != op; made = made->getNextNode()) add(made);
      rewriter.eraseOp(op);
    }
  }
};

}  // namespace
}  // namespace trama
