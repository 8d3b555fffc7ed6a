// The register-tile product and the packing that every matrix kernel is made of.
#pragma once

#include "backends/codegen/builder.h"

namespace trama::cpu {

// What the 32 bits of a lane hold of an operand along the depth: a float, or depths 2s and 2s + 1
// as two bf16. vdpbf16ps multiplies pairs and adds both products to a float; it takes denormals for
// zero and gives none.
enum class Lane { kFloat, kPair };
inline int64_t DepthOf(Lane lane) { return lane == Lane::kPair ? 2 : 1; }

// sums + x * y; x and y are floats, or pairs in the bits of floats.
mlir::Value MultiplyAdd(codegen::Builder& b, Lane lane, mlir::Value x, mlir::Value y,
                        mlir::Value sums);

// Vectors of bf16 and f16 as floats; others as they are.
mlir::Value Widen(codegen::Builder& b, mlir::Value x);
// Pairs of neighbours in a vector of bf16, and the pairs (low[n], high[n]), in the bits of floats.
mlir::Value PairsOf(codegen::Builder& b, mlir::Value vector);
mlir::Value Interleave(codegen::Builder& b, mlir::Value low, mlir::Value high);
// Whether a flat memref of bf16 is one of floats that hold two each.
bool HoldsPairs(mlir::Value buffer);
// n elements from element `index` of a flat memref of bf16; those off the mask are 0. Where it
// HoldsPairs, `index` and n are even and all are read.
mlir::Value LoadBf16(codegen::Builder& b, mlir::Value buffer, mlir::Value index, int64_t n,
                     mlir::Value mask = nullptr);

// One tile: rows x (vectors * lanes) accumulators, each in one vector register. Returns row by row
// the sums over k in [begin, end) of left(i, k), a scalar, times right(k, v), a vector, starting at
// zero: adding to what is stored afterwards is more exact than continuing one long sum. With pairs
// both give them in the bits of floats, and k counts pairs.
llvm::SmallVector<mlir::Value> TileProduct(
    codegen::Builder& b, int64_t rows, int64_t vectors, mlir::Value begin, mlir::Value end,
    llvm::function_ref<mlir::Value(int64_t, mlir::Value)> left,
    llvm::function_ref<mlir::Value(mlir::Value, int64_t)> right, Lane lane = Lane::kFloat);

// A matrix in a flat memref: element (k, n) at offset + k * k_stride + n * n_stride.
struct MatrixSource {
  mlir::Value buffer, offset;
  int64_t k_stride, n_stride;
};

// panel[first_row + k][n] = scale * source(k, n) for k < depth, n < columns, widened to floats;
// panel: [.., at least columns rounded up to lanes]. Columns from `columns` on hold anything finite
// or nothing. depth_tail: depth % lanes of the block that ends the matrix; others are a multiple of
// lanes.
void PackPanel(codegen::Builder& b, const MatrixSource& source, mlir::Value panel,
               mlir::Value depth, int64_t depth_tail, int64_t columns, double scale = 1,
               mlir::Value first_row = nullptr);

// PackPanel for pairs: panel[first_row + s][n] = (source(2s, n), source(2s + 1, n)), 0 in place of
// what an odd depth lacks. `source` is read as LoadBf16 does. depth_tail: depth % (2 * lanes), as
// above.
void PackPairs(codegen::Builder& b, const MatrixSource& source, mlir::Value panel,
               mlir::Value depth, int64_t depth_tail, int64_t columns,
               mlir::Value first_row = nullptr);

}  // namespace trama::cpu
