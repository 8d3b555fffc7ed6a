// Gradients become a training step: clipping, the optimizer's update, accumulation.
#include <limits>

#include "ir/builder_util.h"
#include "passes/passes.h"
#include "passes/support/differentiate.h"
#include "passes/support/loss_terms.h"
#include "passes/support/program_util.h"

namespace trama {
#define GEN_PASS_DEF_TRAINSTEP
#include "passes/passes.h.inc"
namespace {
using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::BlockArgument;
using mlir::RankedTensorType;
using mlir::Value;
using mlir::func::FuncOp;

// A parameter and its gradient.
struct Update {
  BlockArgument parameter;
  Value grad;
};

class Optimizer {
 public:
  Optimizer(FuncOp func, mlir::DictionaryAttr config)
      : func_(func), b_(func.front().getTerminator()), e_(b_, func.getLoc()), config_(config) {}

  // Clips, updates where the loss and the norm are finite, and returns what happened.
  LogicalResult Step(Value loss, llvm::ArrayRef<Update> updates) {
    if (updates.empty()) return func_.emitError("train: there is no parameter to train");
    SmallVector<Value> grads;
    for (const Update& update : updates) grads.push_back(update.grad);
    Value norm = e_.Sqrt(SquareSumOp::create(b_, func_.getLoc(), grads));
    Value finite = e_.And(IsFinite(loss), IsFinite(norm));
    // min(1, c / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_.
    const double clip = Number("clip_norm");
    Value one = e_.Scalar(ElementOf(norm), 1);
    Value scale = clip > 0 ? e_.Binary<MinOp>(e_.Div(clip, e_.Add(norm, 1e-6)), one) : one;
    AddResult(func_, "loss", loss);
    AddResult(func_, "grad_norm", norm);
    AddResult(func_, "finite", finite);
    for (const Update& update : updates)
      if (failed(UpdateOne(update, scale, finite))) return mlir::failure();
    return llvm::success();
  }

 private:
  double Number(llvm::StringRef name) const {
    auto number = config_.getAs<mlir::FloatAttr>(name);
    return number ? number.getValueAsDouble() : 0;
  }

  Value IsFinite(Value x) {
    const bool wide = ElementOf(x).isF64();
    return e_.Compare(ComparePredicate::le, e_.Unary<AbsOp>(x),
                      wide ? std::numeric_limits<double>::max()
                           : static_cast<double>(std::numeric_limits<float>::max()));
  }

  // A number that the runtime gives, in the parameter's element type.
  Value Scalar(llvm::StringRef name, mlir::Type element) {
    Value value =
        GetOrAddArgument(func_, name, "scalar", RankedTensorType::get({}, b_.getF32Type()));
    return element.isF32() ? value : e_.Cast(value, element);
  }

  BlockArgument State(llvm::StringRef kind, BlockArgument parameter) {
    const std::string name =
        ("optimizer:" + kind + "." + ArgName(func_, parameter.getArgNumber())).str();
    return GetOrAddArgument(func_, name, "state", parameter.getType());
  }

  LogicalResult UpdateOne(const Update& update, Value scale, Value apply) {
    auto kind = config_.getAs<mlir::StringAttr>("kind");
    BlockArgument parameter = update.parameter;
    const mlir::Type element = ElementOf(parameter);
    mlir::Location loc = func_.getLoc();
    Value lr = Scalar("lr", element);
    if (ElementOf(scale) != element) scale = e_.Cast(scale, element);
    auto f64 = [&](double value) { return b_.getF64FloatAttr(value); };
    double decay = Number("weight_decay");
    if (!kind) return func_.emitError("train: the optimizer has no kind");
    if (kind.getValue() == "adam" || kind.getValue() == "adamw") {
      const bool decoupled = kind.getValue() == "adamw";
      if (decoupled && TypeOf(parameter).getRank() < 2) decay = 0;
      BlockArgument m = State("m", parameter), v = State("v", parameter);
      auto step = AdamOp::create(
          b_, loc, parameter, update.grad, m, v, lr, scale, Scalar("correction1", element),
          Scalar("correction2", element), apply, f64(Number("beta1")), f64(Number("beta2")),
          f64(Number("eps")), f64(decay), decoupled ? b_.getUnitAttr() : mlir::UnitAttr());
      AddDonation(func_, parameter, step.getNewParam());
      AddDonation(func_, m, step.getNewM());
      AddDonation(func_, v, step.getNewV());
      return llvm::success();
    }
    if (kind.getValue() == "momentum") {
      BlockArgument buffer = State("momentum", parameter);
      auto step = SgdOp::create(b_, loc, parameter, update.grad, buffer, lr, scale, apply,
                                f64(Number("momentum")), f64(decay));
      AddDonation(func_, parameter, step.getNewParam());
      AddDonation(func_, buffer, step.getNewBuffer());
      return llvm::success();
    }
    if (kind.getValue() != "sgd") return func_.emitError("train: there is no optimizer ") << kind;
    // Without momentum there is no state, and the step is plain arithmetic.
    Value g = e_.Mul(update.grad, scale);
    if (decay != 0) g = e_.Add(g, e_.Mul(parameter, decay));
    AddDonation(func_, parameter,
                e_.Select(apply, e_.Sub(parameter, e_.Mul(g, lr)), Value(parameter)));
    return llvm::success();
  }

  FuncOp func_;
  mlir::OpBuilder b_;
  Emitter e_;
  mlir::DictionaryAttr config_;
};

// The gradients that autodiff added, in the order of the results.
SmallVector<Update> Gradients(FuncOp func) {
  SmallVector<Update> updates;
  for (BlockArgument parameter : TrainedParameters(func))
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      if (ResultName(func, i) == ("grad." + ArgName(func, parameter.getArgNumber())).str())
        updates.push_back({parameter, ResultOf(func, i)});
  return updates;
}

// `name`: "loss", "weight" or a gradient's, "grad.NAME".
BlockArgument Accumulated(FuncOp func, const llvm::Twine& name, mlir::Type type) {
  return GetOrAddArgument(func, ("accumulated:" + name).str(), "state", type);
}

BlockArgument AccumulatedGradient(FuncOp func, BlockArgument parameter) {
  return Accumulated(func, "grad." + ArgName(func, parameter.getArgNumber()), parameter.getType());
}

mlir::FailureOr<Value> NamedResult(FuncOp func, llvm::StringRef name) {
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    if (ResultName(func, i) == name) return ResultOf(func, i);
  return func.emitError("train: there is no result ") << name;
}

LogicalResult MakeTrainStep(FuncOp func, mlir::DictionaryAttr config) {
  mlir::FailureOr<Value> loss = NamedResult(func, "loss");
  if (failed(loss)) return mlir::failure();
  const SmallVector<Update> updates = Gradients(func);
  EraseResults(func);
  return Optimizer(func, config).Step(*loss, updates);
}

// Adds the micro-batch's sums to the state.
LogicalResult MakeAccumulate(FuncOp func) {
  mlir::FailureOr<Value> loss = NamedResult(func, "loss"), weight = NamedResult(func, "weight");
  if (failed(loss) || failed(weight)) return mlir::failure();
  const SmallVector<Update> updates = Gradients(func);
  EraseResults(func);
  mlir::OpBuilder b(func.front().getTerminator());
  Emitter e(b, func.getLoc());
  auto add = [&](BlockArgument state, Value value) {
    // At once, where the value is made, so that what it is made of need not stay.
    if (mlir::Operation* maker = value.getDefiningOp()) b.setInsertionPointAfter(maker);
    AddDonation(func, state, e.Add(state, value));
  };
  for (const Update& update : updates)
    add(AccumulatedGradient(func, update.parameter), update.grad);
  add(Accumulated(func, "loss", loss->getType()), *loss);
  add(Accumulated(func, "weight", weight->getType()), *weight);
  return llvm::success();
}

// sums / weight, 0 where nothing was counted, plus the terms without data: the loss and gradients
// that one large batch would have had.
LogicalResult MakeApply(FuncOp func, mlir::DictionaryAttr config) {
  mlir::FailureOr<Value> loss = NamedResult(func, "loss");
  if (failed(loss)) return mlir::failure();
  mlir::FailureOr<LossTerms> terms = SplitLoss(func, *loss);
  if (failed(terms)) return mlir::failure();
  mlir::OpBuilder b(func.front().getTerminator());
  Emitter e(b, func.getLoc());
  Value penalty;
  for (const LossTerms::Term& term : terms->without_data) {
    Value value = e.Reshape(term.value, {});
    if (term.scale != 1) value = e.Mul(value, term.scale);
    penalty = penalty ? e.Add(penalty, value) : value;
  }
  const mlir::Type scalar = terms->mean.getType();
  EraseResults(func);
  if (penalty) AddResult(func, "penalty", penalty);
  EraseDeadOps(func);
  EraseUnusedInputs(func);

  SmallVector<Value> parameters, grads;
  for (BlockArgument parameter : TrainedParameters(func)) parameters.push_back(parameter);
  if (penalty) {
    if (failed(Differentiate(func, ResultOf(func, 0), parameters, grads))) return mlir::failure();
    penalty = ResultOf(func, 0);
    EraseResults(func);
  }
  BlockArgument loss_sum = Accumulated(func, "loss", scalar);
  BlockArgument weight = Accumulated(func, "weight", scalar);
  Value empty = e.Compare(ComparePredicate::eq, weight, 0);
  auto divide = [&](Value sum) { return e.Select(empty, 0, e.Div(sum, weight)); };
  Value total = divide(loss_sum);
  if (penalty) total = e.Add(total, penalty);
  SmallVector<BlockArgument> sums{loss_sum, weight};
  SmallVector<Update> updates;
  for (auto [i, parameter] : llvm::enumerate(parameters)) {
    auto argument = mlir::cast<BlockArgument>(parameter);
    sums.push_back(AccumulatedGradient(func, argument));
    Value grad = divide(sums.back());
    updates.push_back({argument, penalty ? e.Add(grad, grads[i]) : grad});
  }
  if (failed(Optimizer(func, config).Step(total, updates))) return mlir::failure();
  for (BlockArgument sum : sums)
    AddDonation(func, sum, e.Constant(mlir::cast<RankedTensorType>(sum.getType()), 0));
  return llvm::success();
}

LogicalResult Derive(FuncOp func) {
  auto config = func->getAttrOfType<mlir::DictionaryAttr>(kOptimizerAttr);
  LogicalResult made = llvm::success();
  if (func->hasAttr(kAccumulateAttr)) {
    made = MakeAccumulate(func);
  } else if (config) {
    made = func->hasAttr(kApplyAttr) ? MakeApply(func, config) : MakeTrainStep(func, config);
  } else {
    return llvm::success();
  }
  for (llvm::StringRef attr : {kAccumulateAttr, kApplyAttr, kOptimizerAttr, kTrainableAttr})
    func->removeAttr(attr);
  EraseDeadOps(func);
  return made;
}

struct TrainStep : impl::TrainStepBase<TrainStep> {
  void runOnOperation() override {
    for (FuncOp func : getOperation().getOps<FuncOp>())
      if (failed(Derive(func))) return signalPassFailure();
  }
};
}  // namespace
}  // namespace trama
