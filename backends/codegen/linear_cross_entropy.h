// linear_cross_entropy and its gradient as products over blocks of rows, so that the logits of a
// whole batch never exist.
#pragma once

#include "absl/status/statusor.h"
#include "backends/codegen/product.h"

namespace trama::codegen {

struct LinearCrossEntropy {
  Type element;               // of x, weight and what multiplies them; Product::element
  Access x, weight, targets;  // over [rows, depth], [classes, depth] and [rows]
  int64_t rows = 0, depth = 0, classes = 0;
  int64_t ignore_index = -100;

  // A buffer of one block's logits, [block, row_stride]; the emitter's own, numbered `buffer`.
  struct Logits {
    int64_t buffer = 0, row_stride = 0, block = 0;
    int64_t elements() const { return block * row_stride; }
  };
  // Blocks of at most 128 MiB and of 256 rows at least: reading the weights and adding to their
  // gradient is paid once a block. Rows are padded to a multiple of `lanes`.
  Logits PlanLogits(int64_t buffer, int64_t lanes) const;

  // For the `count` rows from `first` on: their logits, f32; from the gradient of these, `element`
  // in a buffer of its own or in place, dx and the part of dweight, which is added to what `to`
  // holds but for the first block's.
  Product LogitsProduct(const Logits& logits, int64_t first, int64_t count) const;
  Product DxProduct(const Logits& grad, int64_t first, int64_t count, const Access& to) const;
  Product DweightProduct(const Logits& grad, int64_t first, int64_t count, const Access& to) const;
};

// Unimplemented where MultipliedType is.
absl::StatusOr<LinearCrossEntropy> HeadOf(LinearCrossEntropyOp op);
absl::StatusOr<LinearCrossEntropy> HeadOf(LinearCrossEntropyGradOp op);

}  // namespace trama::codegen
