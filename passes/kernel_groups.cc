#include "passes/kernel_groups.h"

namespace trama {
namespace {
using mlir::Operation;

bool IsSplat(Operation* op) {
  auto constant = mlir::dyn_cast_or_null<ConstantOp>(op);
  return constant && mlir::cast<mlir::ElementsAttr>(constant.getValue()).isSplat();
}

// Kinds that kernels without an anchor have.
bool IsFusable(Operation* op) {
  return op->hasTrait<OpTrait::Pointwise>() || op->hasTrait<OpTrait::View>() ||
         mlir::isa<SumOp, ReduceMaxOp>(op);
}
}  // namespace

llvm::StringRef Mnemonic(Operation* op) { return op->getName().stripDialect(); }
std::string KindOf(Operation* op) { return IsFusable(op) ? "fused" : Mnemonic(op).str(); }

std::vector<KernelGroup> GroupKernels(mlir::func::FuncOp program, bool compiles_bodies) {
  std::vector<KernelGroup> groups;
  for (Operation& op : program.front().without_terminator()) {
    if (mlir::isa<ReshapeOp>(op) || (compiles_bodies && IsSplat(&op))) continue;
    KernelGroup group;
    group.ops.insert(&op);
    group.kind = KindOf(&op);
    if (compiles_bodies)
      for (mlir::Value operand : op.getOperands())
        if (IsSplat(operand.getDefiningOp())) group.copies.insert(operand.getDefiningOp());
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace trama
