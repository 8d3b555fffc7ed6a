// Adds gradients to the programs that ask for them, as results.
#include "ir/builder_util.h"
#include "passes/passes.h"
#include "passes/support/differentiate.h"
#include "passes/support/loss_terms.h"
#include "passes/support/program_util.h"

namespace trama {
#define GEN_PASS_DEF_AUTODIFF
#include "passes/passes.h.inc"
namespace {
using llvm::SmallVector;
using mlir::BlockArgument;
using mlir::Value;
using mlir::func::FuncOp;

// What gradients are asked for: trained parameters, then inputs.
SmallVector<Value> Wanted(FuncOp func) {
  SmallVector<Value> wanted;
  for (BlockArgument parameter : TrainedParameters(func)) wanted.push_back(parameter);
  if (!func->hasAttr(kInputGradientsAttr)) return wanted;
  for (BlockArgument argument : func.getArguments())
    if (ArgRole(func, argument.getArgNumber()) == "input" && IsFloat(argument) &&
        !(func->hasAttr(kDropResultAttr) &&
          ArgName(func, argument.getArgNumber()) == "grad_output"))
      wanted.push_back(argument);
  return wanted;
}

// A micro-batch sums its examples' losses, so that sums add up: scale * sum(x weights), and with it
// sum(weights), by which the optimizer's step divides once. Terms without data are the step's too.
mlir::FailureOr<Value> SumInsteadOfMean(FuncOp func, Value loss, Value& weight) {
  mlir::FailureOr<LossTerms> terms = SplitLoss(func, loss);
  if (failed(terms)) return mlir::failure();
  mlir::OpBuilder b(func.front().getTerminator());
  Emitter e(b, terms->mean.getLoc());
  weight = e.Sum(terms->mean.getWeights(), {0});
  Value sum = e.Sum(e.Mul(terms->mean.getX(), terms->mean.getWeights()), {0});
  return terms->mean_scale == 1 ? sum : e.Mul(sum, terms->mean_scale);
}

llvm::LogicalResult AddGradients(FuncOp func) {
  const int64_t index = func->getAttrOfType<mlir::IntegerAttr>(kDifferentiateAttr).getInt();
  if (index < 0 || index >= func.getNumResults())
    return func.emitError("gradient: there is no result ") << index;
  Value loss = ResultOf(func, index);
  if (!IsFloat(loss) || TypeOf(loss).getNumElements() != 1)
    return mlir::emitError(loss.getLoc(), "gradient: the result is not a number but ")
           << loss.getType();
  if (func->hasAttr(kAccumulateAttr)) {
    Value weight;
    mlir::FailureOr<Value> sum = SumInsteadOfMean(func, loss, weight);
    if (failed(sum)) return mlir::failure();
    loss = *sum;
    EraseResults(func);
    AddResult(func, "loss", loss);
    AddResult(func, "weight", weight);
  }
  const SmallVector<Value> wanted = Wanted(func);
  SmallVector<Value> grads;
  // The loss's op may be decomposed on the way; the result follows it.
  if (failed(Differentiate(func, loss, wanted, grads))) return mlir::failure();
  for (auto [value, grad] : llvm::zip_equal(wanted, grads))
    AddResult(func,
              ("grad." + ArgName(func, mlir::cast<BlockArgument>(value).getArgNumber())).str(),
              grad);
  if (func->hasAttr(kDropResultAttr)) EraseResult(func, index);
  for (llvm::StringRef attr : {kDifferentiateAttr, kInputGradientsAttr, kDropResultAttr})
    func->removeAttr(attr);
  EraseDeadOps(func);
  return llvm::success();
}

struct Autodiff : impl::AutodiffBase<Autodiff> {
  void runOnOperation() override {
    for (FuncOp func : getOperation().getOps<FuncOp>())
      if (func->hasAttr(kDifferentiateAttr) && failed(AddGradients(func)))
        return signalPassFailure();
  }
};
}  // namespace
}  // namespace trama
