// gelu, gelu_grad and relu.
#include <cmath>

#include "ir/builder_util.h"

namespace trama {

using mlir::Value;

llvm::LogicalResult GeluGradOp::inferReturnTypes(mlir::MLIRContext*,
                                                 std::optional<mlir::Location> loc, Adaptor adaptor,
                                                 llvm::SmallVectorImpl<mlir::Type>& results) {
  auto grad = TypeOf(adaptor.getGrad());
  if (grad != adaptor.getX().getType())
    return InferError<GeluGradOp>(loc, "grad ", grad, " and x ", adaptor.getX().getType(),
                                  " must have one type");
  results.push_back(grad);
  return llvm::success();
}

}  // namespace trama
