// What the ops' verifiers and type inference share: messages and NumPy's broadcasting on types.
#pragma once

#include "ir/dialect.h"

namespace trama {

// Fails with "'trama.OP' op MESSAGE" at `loc`, where there is one.
template <typename Op, typename... Args>
llvm::LogicalResult InferError(std::optional<mlir::Location> loc, Args&&... message) {
  return mlir::emitOptionalError(loc, "'", Op::getOperationName(), "' op ",
                                 std::forward<Args>(message)...);
}

inline mlir::RankedTensorType TypeOf(mlir::Value v) {
  return mlir::cast<mlir::RankedTensorType>(v.getType());
}
inline llvm::ArrayRef<int64_t> ShapeOf(mlir::Value v) { return TypeOf(v).getShape(); }
inline mlir::Type ElementOf(mlir::Value v) { return TypeOf(v).getElementType(); }
// What a product of elements of this type is summed in: f32 for bf16 and f16, else the type itself.
inline mlir::Type AccumulatorOf(mlir::Type element) {
  return element.isBF16() || element.isF16() ? mlir::Float32Type::get(element.getContext())
                                             : element;
}
inline bool IsFloat(mlir::Value v) { return mlir::isa<mlir::FloatType>(ElementOf(v)); }

// "2x3", "scalar" for no dimensions: how messages show a shape.
std::string ShapeString(llvm::ArrayRef<int64_t> shape);
// NumPy's rule over any number of shapes; nullopt where they disagree.
std::optional<llvm::SmallVector<int64_t>> BroadcastShapes(
    llvm::ArrayRef<llvm::ArrayRef<int64_t>> shapes);
// The shape of a reduction over `dims`.
llvm::SmallVector<int64_t> ReducedShape(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> dims,
                                        bool keepdim);

// Whether all are ranked tensors. The parser checks single operands before types are inferred, but
// neither optional nor variadic ones.
bool AreTensors(mlir::ValueRange values);

// The result type of pointwise ops: the broadcast of the operands' shapes, with `element`.
template <typename Op>
llvm::LogicalResult InferBroadcast(std::optional<mlir::Location> loc, mlir::ValueRange operands,
                                   mlir::Type element, llvm::SmallVectorImpl<mlir::Type>& results) {
  llvm::SmallVector<llvm::ArrayRef<int64_t>> shapes;
  std::string listed;
  for (mlir::Value operand : operands) {
    shapes.push_back(ShapeOf(operand));
    listed += (listed.empty() ? "" : ", ") + ShapeString(shapes.back());
  }
  auto shape = BroadcastShapes(shapes);
  if (!shape) return InferError<Op>(loc, "operand shapes do not broadcast: ", listed);
  results.push_back(mlir::RankedTensorType::get(*shape, element));
  return llvm::success();
}

// Fails unless 0 <= dim < rank(x), constraint C1 of the ops with a `dim`.
template <typename Op>
llvm::LogicalResult CheckDim(std::optional<mlir::Location> loc, int64_t dim,
                             mlir::RankedTensorType x) {
  if (dim >= 0 && dim < x.getRank()) return llvm::success();
  return InferError<Op>(loc, "dim ", dim, " is out of range for ", x, " (C1)");
}

// Fails unless dimension `dim` of x, which the op reduces, has elements: constraint C2 of such ops.
template <typename Op>
llvm::LogicalResult CheckNotEmpty(std::optional<mlir::Location> loc, int64_t dim,
                                  mlir::RankedTensorType x) {
  if (x.getDimSize(dim) > 0) return llvm::success();
  return InferError<Op>(loc, "dim ", dim, " of ", x, " is empty (C2)");
}

}  // namespace trama
