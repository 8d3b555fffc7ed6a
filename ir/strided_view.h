// Views as strided ranges: what lets a kernel read or write through reshape, transpose, slice,
// broadcast and concat without a copy.
#pragma once

#include <optional>

#include "ir/dialect.h"

namespace trama {

// Element i of the value lies at offset + sum(i_d * strides_d) of `root`'s row-major elements.
struct StridedView {
  mlir::Value root;
  int64_t offset = 0;
  llvm::SmallVector<int64_t> strides;  // in elements, one a dimension of the value; 0: broadcast
};

// The strides of shape `to` over elements that shape `from` has with `strides`, in row-major order;
// nullopt where some dimension of `to` has no single stride.
std::optional<llvm::SmallVector<int64_t>> ReshapeStrides(llvm::ArrayRef<int64_t> from,
                                                         llvm::ArrayRef<int64_t> strides,
                                                         llvm::ArrayRef<int64_t> to);

// Where `value` is read from: through view ops up to a block argument or another op's result.
// Always gives a view; the root is `value` itself where the last step is not a view or, as a
// reshape of a transpose, is not one stride a dimension.
StridedView ReadView(mlir::Value value);

// Where `value` is written to, if all it is used for is to be moved into one value `root` by
// transpose, reshape and concat: the caller may then write there and skip the moves. Stops at a
// value that is used otherwise or by func.return.
StridedView WriteView(mlir::Value value);

}  // namespace trama
