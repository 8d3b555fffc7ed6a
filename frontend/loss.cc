#include "frontend/loss.h"

#include "absl/strings/str_cat.h"
#include "frontend/call.h"

namespace trama {
namespace {
// The mean of all elements, as a loss ends.
Tensor MeanLoss(Call& call, Tensor x) {
  mlir::Value values = call.Use(flatten(x, 0, -1, call.loc()));
  if (!values) return {};
  if (TypeOf(values).getNumElements() == 0) return call.Fail("there is no element to average");
  mlir::Value weights = call.recorder()->Splat(1, TypeOf(values), call.loc());
  return call.Make<WeightedMeanOp>(0, values, weights);
}

// Both of one shape, the target in x's dtype.
bool SameShapes(Call& call, Tensor& x, Tensor& target) {
  mlir::Value a = call.UseFloat(x), b = call.Use(target);
  if (!a || !b) return false;
  if (DimsOf(a) != DimsOf(b)) {
    call.Fail(absl::StrCat(Describe(a), " and the target ", Describe(b), " differ in shape"));
    return false;
  }
  x = call.Wrap(a);
  target = call.Wrap(call.Cast(b, TypeOf(a).getElementType()));
  return true;
}
}  // namespace

Tensor cross_entropy(Tensor logits, Tensor targets, int64_t ignore_index, double label_smoothing,
                     Loc loc) {
  Call call("cross_entropy", loc);
  mlir::Value x = call.UseFloat(logits), ids = call.UseInteger(targets, "targets");
  if (!x || !ids) return {};
  if (TypeOf(x).getRank() != 2 || DimsOf(ids) != Shape{TypeOf(x).getDimSize(0)})
    return call.Fail(absl::StrCat("wants logits [N, C] and targets [N], not ", Describe(x), " and ",
                                  Describe(ids)));
  if (TypeOf(x).getNumElements() == 0)
    return call.Fail(absl::StrCat("the logits ", Describe(x), " are empty"));
  if (!(label_smoothing >= 0 && label_smoothing <= 1))
    return call.Fail(absl::StrCat("label_smoothing = ", label_smoothing, " is not in [0, 1]"));
  mlir::OpBuilder& b = call.recorder()->builder();
  mlir::Value losses = call.Build<CrossEntropyOp>(0, x, ids, b.getI64IntegerAttr(ignore_index),
                                                  b.getF64FloatAttr(label_smoothing));
  mlir::Value ignored =
      call.recorder()->Splat(static_cast<double>(ignore_index),
                             mlir::RankedTensorType::get({}, TypeOf(ids).getElementType()), loc);
  mlir::Value counted = call.Build<CompareOp>(0, ComparePredicate::ne, ids, ignored);
  return call.Make<WeightedMeanOp>(0, losses, call.Cast(counted, TypeOf(x).getElementType()));
}

Tensor binary_cross_entropy_with_logits(Tensor logits, Tensor targets, Loc loc) {
  Call call("binary_cross_entropy_with_logits", loc);
  if (!SameShapes(call, logits, targets)) return {};
  return MeanLoss(call, Operand(softplus(logits, loc), loc) - Operand(logits, loc) * targets);
}

Tensor mse_loss(Tensor x, Tensor target, Loc loc) {
  Call call("mse_loss", loc);
  if (!SameShapes(call, x, target)) return {};
  return MeanLoss(call, square(Operand(x, loc) - target, loc));
}

Tensor hinge_loss(Tensor x, Tensor target, Loc loc) {
  Call call("hinge_loss", loc);
  if (!SameShapes(call, x, target)) return {};
  return MeanLoss(call, relu(Operand(1.0, loc) - Operand(x, loc) * target, loc));
}

}  // namespace trama
