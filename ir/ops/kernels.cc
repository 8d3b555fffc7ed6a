// dispatch, which runs an outlined kernel, and check_close, a test's assertion.
#include "ir/infer_util.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama {

llvm::LogicalResult DispatchOp::verifySymbolUses(mlir::SymbolTableCollection& symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<mlir::func::FuncOp>(*this, getKernelAttr());
  if (!kernel) return emitOpError("there is no kernel ") << getKernelAttr();
  auto type = mlir::FunctionType::get(getContext(), getOperandTypes(), getResultTypes());
  if (kernel.getFunctionType() != type)
    return emitOpError("kernel ") << getKernelAttr() << " is " << kernel.getFunctionType()
                                  << ", called as " << type;
  if (!kernel->hasAttr(kKindAttr))
    return emitOpError("kernel ") << getKernelAttr() << " has no attribute " << kKindAttr;
  return llvm::success();
}

llvm::LogicalResult CheckCloseOp::verify() {
  if (getGot().getType() == getWant().getType()) return llvm::success();
  return emitOpError("got ") << getGot().getType() << " and want " << getWant().getType()
                             << " must have one type";
}

}  // namespace trama
