// A projection to a large vocabulary whose logits only feed a cross entropy becomes
// linear_cross_entropy: the logits of the whole batch are never in memory.
#include "ir/builder_util.h"
#include "passes/passes.h"
#include "passes/support/remarks.h"
#include "passes/support/rewrite.h"

namespace trama {
#define GEN_PASS_DEF_FUSEHEAD
#include "passes/passes.h.inc"
namespace {

using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

void Refuse(CrossEntropyOp loss, const llvm::Twine& why) { NotFused(loss, "fuse-head", why); }

// Whether a view of logits leaves the last dimension whole, so that it may be moved in front of the
// projection.
bool MovesRowsOnly(Operation* view) {
  llvm::ArrayRef<int64_t> from = ShapeOf(view->getOperand(0)), to = ShapeOf(view->getResult(0));
  return mlir::isa<ReshapeOp, SliceOp>(view) && !from.empty() && !to.empty() &&
         from.back() == to.back();
}

// The same view of rows of another width.
Value OfRows(Operation* view, Value x, const Emitter& e) {
  SmallVector<int64_t> shape(ShapeOf(view->getResult(0)));
  shape.back() = ShapeOf(x).back();
  auto slice = mlir::dyn_cast<SliceOp>(view);
  if (!slice) return e.Reshape(x, shape);
  return SliceOp::create(e.builder(), view->getLoc(),
                         mlir::RankedTensorType::get(shape, ElementOf(x)), x, slice.getStarts(),
                         slice.getStrides());
}

void Fuse(CrossEntropyOp loss, int64_t min_vocabulary, mlir::IRRewriter& rw) {
  if (ShapeOf(loss.getLogits())[1] < min_vocabulary) return;
  SmallVector<Operation*> views;  // from the loss to the projection
  Value logits = loss.getLogits();
  while (Operation* op = logits.getDefiningOp()) {
    if (!MovesRowsOnly(op)) break;
    if (!logits.hasOneUse()) return Refuse(loss, "the logits are used elsewhere too");
    views.push_back(op);
    logits = op->getOperand(0);
  }
  Value x, weight;
  bool transposed = false;
  if (auto matmul = logits.getDefiningOp<MatmulOp>(); matmul && !matmul.getTransposeLhs()) {
    x = matmul.getLhs(), weight = matmul.getRhs(), transposed = matmul.getTransposeRhs();
  } else if (auto linear = logits.getDefiningOp<LinearOp>()) {
    if (linear.getBias() || linear.getActivation() != Activation::none)
      return Refuse(loss, "the projection has a bias or an activation");
    x = linear.getX(), weight = linear.getWeight(), transposed = linear.getTransposeWeight();
  }
  if (!x || TypeOf(weight).getRank() != 2)
    return Refuse(loss, "the logits are no product with one weight matrix");
  if (!logits.hasOneUse()) return Refuse(loss, "the logits are used elsewhere too");
  if (!loss.getLse().use_empty()) return Refuse(loss, "the log of the sum is used too");
  if (!loss.getLabelSmoothing().isZero()) return Refuse(loss, "the loss smooths its labels");

  rw.setInsertionPoint(loss);
  Emitter e(rw, loss.getLoc());
  for (Operation* view : llvm::reverse(views)) x = OfRows(view, x, e);
  auto fused = LinearCrossEntropyOp::create(rw, loss.getLoc(), e.FlattenRows(x),
                                            transposed ? weight : e.Transpose(weight, {1, 0}),
                                            loss.getTargets(), loss.getIgnoreIndex());
  rw.replaceAllUsesWith(loss.getY(), fused.getY());
}

struct FuseHead : impl::FuseHeadBase<FuseHead> {
  using FuseHeadBase::FuseHeadBase;
  void runOnOperation() override {
    Tidy(getOperation());
    mlir::IRRewriter rewriter(&getContext());
    SmallVector<CrossEntropyOp> losses;
    getOperation().walk([&](CrossEntropyOp op) { losses.push_back(op); });
    for (CrossEntropyOp loss : losses) Fuse(loss, vocabulary, rewriter);
    Tidy(getOperation());
  }
};

}  // namespace
}  // namespace trama
