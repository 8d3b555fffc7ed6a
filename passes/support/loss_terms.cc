#include "passes/support/loss_terms.h"

#include "ir/fold_util.h"
#include "ir/infer_util.h"
#include "llvm/ADT/DenseMap.h"

namespace trama {
namespace {
using mlir::Operation;
using mlir::Value;
using mlir::func::FuncOp;

class Splitter {
 public:
  explicit Splitter(FuncOp func) : func_(func) {}

  llvm::LogicalResult Visit(Value value, double scale) {
    if (!DependsOnData(value)) {
      terms_.without_data.push_back({value, scale});
      return llvm::success();
    }
    Operation* op = value.getDefiningOp();
    if (auto mean = mlir::dyn_cast_or_null<WeightedMeanOp>(op)) {
      if (terms_.mean)
        return op->emitError(
            "accumulate: the loss has two means over examples, which do not add up "
            "over micro-batches");
      terms_.mean = mean;
      terms_.mean_scale = scale;
      return llvm::success();
    }
    if (auto add = mlir::dyn_cast_or_null<AddOp>(op))
      return mlir::success(succeeded(Visit(add.getLhs(), scale)) &&
                           succeeded(Visit(add.getRhs(), scale)));
    if (auto sub = mlir::dyn_cast_or_null<SubOp>(op))
      return mlir::success(succeeded(Visit(sub.getLhs(), scale)) &&
                           succeeded(Visit(sub.getRhs(), -scale)));
    if (auto neg = mlir::dyn_cast_or_null<NegOp>(op)) return Visit(neg.getX(), -scale);
    if (auto reshape = mlir::dyn_cast_or_null<ReshapeOp>(op)) return Visit(reshape.getX(), scale);
    if (auto mul = mlir::dyn_cast_or_null<MulOp>(op)) {
      if (auto factor = SplatValue(mul.getRhs())) return Visit(mul.getLhs(), scale * *factor);
      if (auto factor = SplatValue(mul.getLhs())) return Visit(mul.getRhs(), scale * *factor);
    }
    if (auto div = mlir::dyn_cast_or_null<DivOp>(op))
      if (auto divisor = SplatValue(div.getRhs())) return Visit(div.getLhs(), scale / *divisor);
    return mlir::emitError(value.getLoc(), "accumulate: a term of the loss, ")
           << (op ? op->getName().stripDialect() : llvm::StringRef("an input"))
           << ", is neither a mean over examples nor free of data";
  }

  mlir::FailureOr<LossTerms> Take(Value loss) {
    if (terms_.mean) return std::move(terms_);
    return mlir::emitError(loss.getLoc(), "accumulate: the loss has no mean over examples");
  }

 private:
  bool DependsOnData(Value value) {
    if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(value)) {
      auto role = func_.getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(), kRoleAttr);
      return !role || role.getValue() != "parameter";
    }
    auto [entry, inserted] = depends_.try_emplace(value, false);
    if (!inserted) return entry->second;
    const bool depends = llvm::any_of(value.getDefiningOp()->getOperands(),
                                      [&](Value operand) { return DependsOnData(operand); });
    return depends_[value] = depends;
  }

  FuncOp func_;
  LossTerms terms_;
  llvm::DenseMap<Value, bool> depends_;
};
}  // namespace

mlir::FailureOr<LossTerms> SplitLoss(FuncOp func, Value loss) {
  Splitter splitter(func);
  if (failed(splitter.Visit(loss, 1))) return mlir::failure();
  return splitter.Take(loss);
}

}  // namespace trama
