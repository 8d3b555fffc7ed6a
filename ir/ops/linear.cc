// activation(x W + bias).
#include "ir/builder_util.h"

namespace trama {

using llvm::LogicalResult;
using llvm::SmallVector;
using mlir::RankedTensorType;
using mlir::Value;

LogicalResult LinearOp::inferReturnTypes(mlir::MLIRContext*, std::optional<mlir::Location> loc,
                                         Adaptor adaptor,
                                         llvm::SmallVectorImpl<mlir::Type>& results) {
  auto x = TypeOf(adaptor.getX()), weight = TypeOf(adaptor.getWeight());
  if (x.getRank() < 1 || weight.getRank() != 2)
    return InferError<LinearOp>(loc, "needs x [.., K] and a matrix: ", x, ", ", weight);
  const bool transposed = adaptor.getTransposeWeight();
  const int64_t k = weight.getDimSize(transposed ? 1 : 0),
                n = weight.getDimSize(transposed ? 0 : 1);
  if (x.getShape().back() != k || x.getElementType() != weight.getElementType())
    return InferError<LinearOp>(loc, "x ", x, " does not fit weight ", weight,
                                transposed ? " transposed" : "");
  if (Value bias = adaptor.getBias();
      bias && bias.getType() != RankedTensorType::get({n}, x.getElementType()))
    return InferError<LinearOp>(loc, "bias ", bias.getType(), " must have ", n, " elements");
  SmallVector<int64_t> shape(x.getShape());
  shape.back() = n;
  results.push_back(RankedTensorType::get(shape, x.getElementType()));
  return llvm::success();
}

}  // namespace trama
