#include "backends/codegen/bound_leaves.h"

#include "backends/codegen/coordinates.h"
#include "backends/codegen/fused_prepare.h"
#include "backends/codegen/pointwise.h"
#include "ir/dialect.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace trama::codegen {
namespace {
// A value is computed by the phase of the reduction and kept where later phases read it.
Value Keep(Value value, mlir::Operation* before) {
  mlir::OpBuilder b(before);
  auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  const int64_t dim = type.getRank();
  shape.push_back(1);
  Value column = ReshapeOp::create(b, value.getLoc(), type.clone(shape), value).getY();
  mlir::OperationState state(value.getLoc(), ReduceMaxOp::getOperationName());
  state.addOperands(column);
  state.addTypes(type);
  state.addAttribute("dims", b.getDenseI64ArrayAttr({dim}));
  state.addAttribute("keepdim", b.getBoolAttr(false));
  return b.create(state)->getResult(0);
}

// Whether it is only returned, perhaps under another shape.
bool IsReturned(Value value) {
  return llvm::all_of(value.getUsers(), [](mlir::Operation* user) {
    if (auto reshape = mlir::dyn_cast<ReshapeOp>(user)) return IsReturned(reshape.getY());
    return user->hasTrait<mlir::OpTrait::IsTerminator>();
  });
}

bool CanBeKept(Value value) {
  return value.getDefiningOp() && !getElementTypeOrSelf(value).isInteger(1);
}

class LeafCounter {
 public:
  explicit LeafCounter(size_t most) : most_(most) {}

  void Visit(mlir::Operation* op) {
    if (mlir::isa<ConstantOp>(op)) return;
    if (mlir::isa<ConcatOp>(op) && IsReturned(op->getResult(0))) return;
    while (true) {
      Leaves all;
      mlir::OpOperand* heaviest = nullptr;
      for (mlir::OpOperand& operand : op->getOpOperands()) {
        const Leaves leaves = LeavesOf(operand.get());
        all.insert(leaves.begin(), leaves.end());
        if (leaves.size() > 1 && CanBeKept(operand.get()) &&
            (!heaviest || leaves.size() > LeavesOf(heaviest->get()).size()))
          heaviest = &operand;
      }
      if (all.size() <= most_ || !heaviest) {
        for (Value result : op->getResults()) leaves_[result] = all;
        break;
      }
      Value& kept = kept_[heaviest->get()];
      if (!kept) kept = Keep(heaviest->get(), op);
      leaves_[kept] = {kept};
      heaviest->set(kept);
    }
    if (IsReduction(op)) leaves_[op->getResult(0)] = {op->getResult(0)};
  }

 private:
  using Leaves = llvm::SmallDenseSet<Value, 8>;

  Leaves LeavesOf(Value value) {
    auto found = leaves_.find(value);
    if (found != leaves_.end()) return found->second;
    double number;
    return IsSplatConstant(value, &number) ? Leaves() : Leaves{value};
  }

  const size_t most_;
  llvm::DenseMap<Value, Leaves> leaves_;
  llvm::DenseMap<Value, Value> kept_;
};
}  // namespace

void BoundLeaves(mlir::func::FuncOp body, size_t most) {
  LeafCounter counter(most);
  SmallVector<mlir::Operation*> ops;
  for (mlir::Operation& op : body.front().without_terminator()) ops.push_back(&op);
  for (mlir::Operation* op : ops) counter.Visit(op);
}

}  // namespace trama::codegen
