#include "passes/support/differentiate.h"

#include "ir/builder_util.h"
#include "llvm/ADT/DenseSet.h"

namespace trama {
namespace {
using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

bool IsFloating(Value value) {
  return mlir::isa<mlir::FloatType>(
      mlir::cast<mlir::RankedTensorType>(value.getType()).getElementType());
}

class Reverse {
 public:
  Reverse(mlir::func::FuncOp func, llvm::ArrayRef<Value> wrt)
      : block_(func.front()), b_(block_.getTerminator()) {
    active_.insert(wrt.begin(), wrt.end());
    for (Operation& op : block_) MarkActive(&op);
  }

  LogicalResult Run(Value y) {
    if (!active_.contains(y)) return llvm::success();
    Operation* op = block_.getTerminator()->getPrevNode();
    Add(y, Emitter(b_, y.getLoc()).Constant(mlir::cast<mlir::RankedTensorType>(y.getType()), 1));
    while (op)
      if (failed(Visit(op))) return llvm::failure();
    return llvm::success();
  }

  Value GradOf(Value value) const { return grads_.lookup(value); }

 private:
  // What depends on the values asked for.
  void MarkActive(Operation* op) {
    if (llvm::none_of(op->getOperands(), [&](Value x) { return active_.contains(x); })) return;
    for (Value result : op->getResults())
      if (IsFloating(result)) active_.insert(result);
  }

  void Add(Value value, Value grad) {
    Value& sum = grads_[value];
    sum = sum ? Value(AddOp::create(b_, grad.getLoc(), sum, grad)) : grad;
  }

  // Propagates through `op` and moves it on to the op to visit next.
  LogicalResult Visit(Operation*& op) {
    SmallVector<Value> result_grads;
    for (Value result : op->getResults()) result_grads.push_back(grads_.lookup(result));
    SmallVector<bool> needed;
    for (Value operand : op->getOperands())
      needed.push_back(active_.contains(operand) && IsFloating(operand));
    if (llvm::none_of(result_grads, [](Value grad) { return !!grad; }) ||
        llvm::none_of(needed, [](bool need) { return need; })) {
      op = op->getPrevNode();
      return llvm::success();
    }
    SmallVector<Value> operand_grads;
    auto vjp = mlir::dyn_cast<VjpInterface>(op);
    if (!vjp || failed(vjp.vjp(b_, result_grads, needed, operand_grads)))
      return Decompose(op, result_grads);
    for (auto [operand, grad, need] : llvm::zip_equal(op->getOperands(), operand_grads, needed))
      if (grad && need) Add(operand, grad);
    op = op->getPrevNode();
    return llvm::success();
  }

  LogicalResult Decompose(Operation*& op, llvm::ArrayRef<Value> result_grads) {
    auto composite = mlir::dyn_cast<DecomposeInterface>(op);
    if (!composite) {
      auto error = op->emitError("gradient: ")
                   << op->getName().stripDialect() << " has no derivative and no decomposition: (";
      llvm::interleaveComma(op->getOperandTypes(), error);
      return error << ")";
    }
    Operation* before = op->getPrevNode();
    mlir::OpBuilder b(op);
    const SmallVector<Value> values = composite.decompose(b);
    for (Operation* made = before ? before->getNextNode() : &block_.front(); made != op;
         made = made->getNextNode())
      MarkActive(made);
    Operation* next = op->getPrevNode();
    for (auto [result, value, grad] : llvm::zip_equal(op->getResults(), values, result_grads)) {
      result.replaceAllUsesWith(value);
      grads_.erase(result);
      active_.erase(result);
      if (grad) Add(value, grad);
    }
    op->erase();
    op = next;
    return llvm::success();
  }

  mlir::Block& block_;
  mlir::OpBuilder b_;
  llvm::DenseSet<Value> active_;
  llvm::DenseMap<Value, Value> grads_;
};
}  // namespace

LogicalResult Differentiate(mlir::func::FuncOp func, Value y, llvm::ArrayRef<Value> wrt,
                            llvm::SmallVectorImpl<Value>& grads) {
  Reverse reverse(func, wrt);
  if (failed(reverse.Run(y))) return llvm::failure();
  mlir::OpBuilder b(func.front().getTerminator());
  Emitter e(b, func.getLoc());
  for (Value value : wrt) {
    Value grad = reverse.GradOf(value);
    grads.push_back(grad ? grad
                         : e.Constant(mlir::cast<mlir::RankedTensorType>(value.getType()), 0));
  }
  return llvm::success();
}

}  // namespace trama
