// Comparisons, booleans, select and cast.
#include "ir/builder_util.h"
#include "ir/compare.h"
#include "ir/fold_util.h"

namespace trama {

using mlir::OpFoldResult;
using mlir::Value;

llvm::LogicalResult AndOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                            Adaptor adaptor,
                                            llvm::SmallVectorImpl<mlir::Type>& results) {
  return InferBroadcast<AndOp>(loc, adaptor.getOperands(), ElementOf(adaptor.getLhs()), results);
}

llvm::LogicalResult OrOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                           Adaptor adaptor,
                                           llvm::SmallVectorImpl<mlir::Type>& results) {
  return InferBroadcast<OrOp>(loc, adaptor.getOperands(), ElementOf(adaptor.getLhs()), results);
}

llvm::LogicalResult CompareOp::inferReturnTypes(mlir::MLIRContext* ctx,
                                                std::optional<mlir::Location> loc, Adaptor adaptor,
                                                llvm::SmallVectorImpl<mlir::Type>& results) {
  if (ElementOf(adaptor.getLhs()) != ElementOf(adaptor.getRhs()))
    return InferError<CompareOp>(loc, "element types differ: ", adaptor.getLhs().getType(), ", ",
                                 adaptor.getRhs().getType());
  return InferBroadcast<CompareOp>(loc, adaptor.getOperands(), mlir::IntegerType::get(ctx, 1),
                                   results);
}

llvm::LogicalResult SelectOp::inferReturnTypes(mlir::MLIRContext*,
                                               std::optional<mlir::Location> loc, Adaptor adaptor,
                                               llvm::SmallVectorImpl<mlir::Type>& results) {
  if (ElementOf(adaptor.getOnTrue()) != ElementOf(adaptor.getOnFalse()))
    return InferError<SelectOp>(loc, "element types differ: ", adaptor.getOnTrue().getType(), ", ",
                                adaptor.getOnFalse().getType());
  return InferBroadcast<SelectOp>(loc, adaptor.getOperands(), ElementOf(adaptor.getOnTrue()),
                                  results);
}

OpFoldResult AndOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs()) return getLhs();
  if (SplatValue(adaptor.getRhs()) == 1.0 && getLhs().getType() == getType()) return getLhs();
  return FoldBinary(adaptor.getLhs(), adaptor.getRhs(), getType(), nullptr,
                    [](int64_t l, int64_t r) { return l & r; });
}

OpFoldResult OrOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs()) return getLhs();
  if (SplatValue(adaptor.getRhs()) == 0.0 && getLhs().getType() == getType()) return getLhs();
  return FoldBinary(adaptor.getLhs(), adaptor.getRhs(), getType(), nullptr,
                    [](int64_t l, int64_t r) { return l | r; });
}

OpFoldResult NotOp::fold(FoldAdaptor adaptor) {
  if (auto inner = getX().getDefiningOp<NotOp>()) return inner.getX();
  return FoldUnary(adaptor.getX(), getType(), nullptr, [](int64_t x) { return int64_t{x == 0}; });
}

OpFoldResult CompareOp::fold(FoldAdaptor adaptor) {
  auto holds = [predicate = getPredicate()](auto l, auto r) { return Holds(predicate, l, r); };
  return FoldBinary(
      adaptor.getLhs(), adaptor.getRhs(), getType(),
      [&](double l, double r) -> double { return holds(l, r); },
      [&](int64_t l, int64_t r) -> int64_t { return holds(l, r); });
}

OpFoldResult SelectOp::fold(FoldAdaptor adaptor) {
  if (getOnTrue() == getOnFalse() && getOnTrue().getType() == getType()) return getOnTrue();
  auto condition = SplatValue(adaptor.getCondition());
  if (!condition) return {};
  Value picked = *condition != 0 ? getOnTrue() : getOnFalse();
  return picked.getType() == getType() ? OpFoldResult(picked) : OpFoldResult();
}

OpFoldResult CastOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType()) return getX();
  if (auto inner = getX().getDefiningOp<CastOp>(); inner && inner.getX().getType() == getType()) {
    // There and back is the identity where the way there loses nothing.
    auto wide = mlir::dyn_cast<mlir::FloatType>(ElementOf(getX()));
    auto narrow = mlir::dyn_cast<mlir::FloatType>(ElementOf(inner.getX()));
    if (wide && narrow && wide.getFPMantissaWidth() >= narrow.getFPMantissaWidth() &&
        wide.getWidth() > narrow.getWidth())
      return inner.getX();
  }
  return FoldUnary(
      adaptor.getX(), getType(), [](double x) { return x; }, [](int64_t x) { return x; });
}

// ---------------------------------------------------------------- derivatives

llvm::LogicalResult SelectOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads,
                                  llvm::ArrayRef<bool> needed, llvm::SmallVectorImpl<Value>& out) {
  Emitter e(b, getLoc());
  Value g = grads.front(), condition = getCondition();
  out.push_back({});
  for (auto [i, operand] : {std::pair(1, Value(getOnTrue())), std::pair(2, Value(getOnFalse()))}) {
    Value grad;
    if (needed[i] && IsFloat(operand))
      grad =
          e.SumTo(i == 1 ? e.Select(condition, g, 0) : e.Select(condition, 0, g), ShapeOf(operand));
    out.push_back(grad);
  }
  return llvm::success();
}

llvm::LogicalResult CastOp::vjp(mlir::OpBuilder& b, mlir::ValueRange grads, llvm::ArrayRef<bool>,
                                llvm::SmallVectorImpl<Value>& out) {
  const bool smooth = IsFloat(getX()) && IsFloat(getY());
  out.push_back(smooth ? Emitter(b, getLoc()).Cast(grads.front(), ElementOf(getX())) : Value());
  return llvm::success();
}

}  // namespace trama
