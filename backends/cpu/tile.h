// The register-tile product and the packing that every matrix kernel is made of.
#pragma once

#include "backends/codegen/builder.h"

namespace trama::cpu {

// One tile: rows x (vectors * lanes) accumulators, each in one vector register. Returns row by row
// the sums over k in [begin, end) of left(i, k), a scalar, times right(k, v), a vector, starting at
// zero: adding to what is stored afterwards is more exact than continuing one long sum.
llvm::SmallVector<mlir::Value> TileProduct(
    codegen::Builder& b, int64_t rows, int64_t vectors, mlir::Value begin, mlir::Value end,
    llvm::function_ref<mlir::Value(int64_t, mlir::Value)> left,
    llvm::function_ref<mlir::Value(mlir::Value, int64_t)> right);

// A matrix in a flat memref: element (k, n) at offset + k * k_stride + n * n_stride.
struct MatrixSource {
  mlir::Value buffer, offset;
  int64_t k_stride, n_stride;
};

// panel[first_row + k][n] = scale * source(k, n) for k < depth, n < columns; panel: [.., at least
// columns rounded up to lanes]. Columns from `columns` on hold anything finite or nothing.
// depth_tail: depth % lanes of the block that ends the matrix; others are a multiple of lanes.
void PackPanel(codegen::Builder& b, const MatrixSource& source, mlir::Value panel,
               mlir::Value depth, int64_t depth_tail, int64_t columns, double scale = 1,
               mlir::Value first_row = nullptr);

}  // namespace trama::cpu
