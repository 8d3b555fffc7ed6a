// GELU, however the user wrote it out.
//
// The argument of erf, tanh or sigmoid is read as a polynomial in some x, and what is made of the
// result as a polynomial in x and that result: 0.5*x*(1+erf(x/sqrt(2))), x*Phi(x),
// x*sigmoid(2*sqrt(2/pi)*(x+0.044715*x^3)) and the like differ in spelling alone.
#include <cmath>

#include "passes/passes.h"
#include "passes/support/polynomial.h"
#include "passes/support/remarks.h"
#include "passes/support/rewrite.h"

namespace trama {
#define GEN_PASS_DEF_RAISEGELU
#include "passes/passes.h.inc"
namespace {

using llvm::LogicalResult;
using mlir::Operation;
using mlir::PatternRewriter;
using mlir::Value;

constexpr llvm::StringLiteral kPass = "raise-gelu";
constexpr double kCubic = 0.044715;

// One way to write GELU around a function t of a polynomial in x.
struct Form {
  Polynomial argument;  // in x
  Polynomial result;    // in x and t
  bool tanh;
};

Form FormOf(Operation* t) {
  const double s = std::sqrt(2 / M_PI);
  const Polynomial half = {{{1, 0}, 0.5}, {{1, 1}, 0.5}};  // x/2 (1 + t)
  if (mlir::isa<ErfOp>(t)) return {{{{1, 0}, std::sqrt(0.5)}}, half, false};
  if (mlir::isa<TanhOp>(t)) return {{{{1, 0}, s}, {{3, 0}, kCubic * s}}, half, true};
  // (1 + tanh(u)) / 2 = sigmoid(2u)
  return {{{{1, 0}, 2 * s}, {{3, 0}, 2 * kCubic * s}}, {{{1, 1}, 1.0}}, true};
}

bool IsArithmetic(Operation* op) {
  return op && mlir::isa<AddOp, SubOp, MulOp, DivOp, PowOp, NegOp>(op);
}

// The values that `v` is computed from by arithmetic, itself first: candidates for x.
llvm::SmallVector<Value> Cone(Value v) {
  constexpr size_t kMaxValues = 32;
  llvm::SetVector<Value> cone;
  cone.insert(v);
  for (size_t i = 0; i < cone.size() && cone.size() < kMaxValues; ++i)
    if (Operation* op = cone[i].getDefiningOp(); IsArithmetic(op))
      for (Value operand : op->getOperands())
        if (operand.getType() == v.getType() && !Splat(operand)) cone.insert(operand);
  return cone.takeVector();
}

// What is computed from `v` by arithmetic, in the order that it is found: candidates for the
// result.
llvm::SmallVector<Operation*> Uses(Value v) {
  constexpr size_t kMaxValues = 32;
  llvm::SetVector<Operation*> uses;
  uses.insert_range(v.getUsers());
  for (size_t i = 0; i < uses.size() && uses.size() < kMaxValues; ++i)
    if (IsArithmetic(uses[i])) uses.insert_range(uses[i]->getUsers());
  return uses.takeVector();
}

// Anchored at the function inside, since that is what all spellings have.
template <typename Op>
struct RaiseAround : mlir::OpRewritePattern<Op> {
  using mlir::OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op t, PatternRewriter& rw) const override {
    const Form form = FormOf(t);
    const mlir::Type element = ElementOf(t.getX());
    bool shaped = false;  // some result has GELU's form, but for the argument
    for (Value x : Cone(t.getX())) {
      auto argument = ReadPolynomial(t.getX(), x);
      if (!argument) continue;
      const bool exact = NearlyEqual(*argument, form.argument, element);
      for (Operation* use : Uses(t.getY())) {
        if (!IsArithmetic(use) || use->getResult(0).getType() != x.getType()) continue;
        auto result = ReadPolynomial(use->getResult(0), x, t.getY());
        if (!result || !NearlyEqual(*result, form.result, element)) continue;
        shaped |= !mlir::isa<SigmoidOp>(t) || x != t.getX();  // x * sigmoid(x) is SiLU, no mistake
        if (!exact) continue;
        // Not erased: a walk over the ops may be about to visit it.
        rw.setInsertionPoint(use);
        rw.replaceAllUsesWith(use->getResult(0), GeluOp::create(rw, use->getLoc(), x, form.tanh));
        return mlir::success();
      }
    }
    if (shaped) NotFused(t, kPass, "the argument's constants are not those of GELU");
    return rw.notifyMatchFailure(t, "no use of it is GELU");
  }
};

struct RaiseGelu : impl::RaiseGeluBase<RaiseGelu> {
  void runOnOperation() override {
    RewriteOnce<RaiseAround<ErfOp>, RaiseAround<TanhOp>, RaiseAround<SigmoidOp>>(getOperation());
  }
};

}  // namespace
}  // namespace trama
