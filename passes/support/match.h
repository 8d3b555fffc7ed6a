// What the raise and fuse passes recognise programs with: constants, views and reductions, however
// they are spelled.
#pragma once

#include <optional>

#include "ir/infer_util.h"

namespace trama {

// The value of a splat constant seen through views and casts between floating-point types.
std::optional<double> Splat(mlir::Value v);
// a = b but for the rounding of constants in `element`.
bool NearlyEqual(double a, double b, mlir::Type element);

// x seen through broadcasts, and through reshapes that only add or drop dimensions of size 1.
mlir::Value SkipBroadcasts(mlir::Value v);
// x seen through broadcasts alone.
mlir::Value PeelBroadcasts(mlir::Value v);
// y is x with dimensions of size 1 added or dropped, or x itself.
bool SameButOnes(llvm::ArrayRef<int64_t> x, llvm::ArrayRef<int64_t> y);

// A value made from one reduction by views and pointwise ops with constants:
//   outer * (inner * reduce(x) + offset) ^ power, or log(reduce(x))
struct Reduced {
  mlir::Operation* reduction = nullptr;  // sum, mean or reduce_max, over one dimension of x
  mlir::Value x;
  int64_t dim = 0;
  double inner = 1, offset = 0, power = 1, outer = 1;
  bool log = false;

  bool plain() const { return inner == 1 && offset == 0 && power == 1 && outer == 1 && !log; }
};
// `v`, seen through the further `views` (outermost first), as such a value, where broadcasting it
// to x's shape repeats it along `dim` and nothing else.
std::optional<Reduced> ReadReduced(mlir::Value v, llvm::ArrayRef<mlir::Operation*> views = {});
// Skips reshapes, broadcasts and transposes and appends them to `views`.
mlir::Value SkipViews(mlir::Value v, llvm::SmallVectorImpl<mlir::Operation*>& views);

// The factors of a product of floats, through mul, div, neg and broadcasts:
//   constant * product of over / product of under
struct Product {
  double constant = 1;
  llvm::SmallVector<mlir::Value, 4> over, under;
};
Product ReadProduct(mlir::Value v);

// Merges equal subexpressions, so that patterns may compare values by identity, and removes ops
// that nothing uses, so that they do not count as uses.
void Tidy(mlir::Operation* root);

}  // namespace trama
