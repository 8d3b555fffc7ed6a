#include "ir/infer_util.h"

#include "base/shape.h"

namespace trama {

std::string ShapeString(llvm::ArrayRef<int64_t> shape) {
  return ToString({shape.data(), shape.size()});
}

bool AreTensors(mlir::ValueRange values) {
  return llvm::all_of(values.getTypes(), llvm::IsaPred<mlir::RankedTensorType>);
}

std::optional<llvm::SmallVector<int64_t>> BroadcastShapes(
    llvm::ArrayRef<llvm::ArrayRef<int64_t>> shapes) {
  Shape result;
  for (llvm::ArrayRef<int64_t> shape : shapes) {
    auto joined = Broadcast(result, {shape.data(), shape.size()});
    if (!joined) return std::nullopt;
    result = *std::move(joined);
  }
  return llvm::SmallVector<int64_t>(result.begin(), result.end());
}

llvm::SmallVector<int64_t> ReducedShape(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> dims,
                                        bool keepdim) {
  llvm::SmallVector<int64_t> reduced;
  for (auto [i, size] : llvm::enumerate(shape)) {
    if (!llvm::is_contained(dims, static_cast<int64_t>(i))) {
      reduced.push_back(size);
    } else if (keepdim) {
      reduced.push_back(1);
    }
  }
  return reduced;
}

}  // namespace trama
