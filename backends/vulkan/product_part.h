// The part of a matrix product that a workgroup has, a tile of rows and columns over a range of the
// depth, and where its sums go.
#pragma once

#include "backends/vulkan/product_result.h"
#include "backends/vulkan/product_tile.h"

namespace trama::vulkan {

class ProductPart {
 public:
  // Tiles of `rows` times `columns`.
  ProductPart(PhaseBuilder& b, mlir::func::FuncOp body, const codegen::Product& product,
              const ProductTile& tile, int64_t rows, int64_t columns);

  int64_t workgroups() const { return row_tiles() * column_tiles() * p_.batch() * t_.splits; }

  // Finds the workgroup's part; before all that follows.
  void Start();
  Value first_row() const { return first_row_; }
  Value column_tile() const { return column_tile_; }
  Value split() const { return split_; }
  ValueRange batch() const { return batch_; }  // indices of the leading dimensions
  // The depths from begin() to End(), of which those from `limit` on are left out.
  Value begin() const { return begin_; }
  Value End(int64_t limit);
  // `sum` at `row` and `column`, as ProductResult::Finish and PartialSums::Store say.
  void Finish(Value row, Value column, Value sum);

 private:
  int64_t row_tiles() const;
  int64_t column_tiles() const;

  PhaseBuilder& b_;
  const codegen::Product& p_;
  const ProductTile& t_;
  const int64_t rows_, columns_;
  ProductResult result_;
  PartialSums partial_;
  Value first_row_, column_tile_, batch_number_, split_, begin_;
  SmallVector<Value> batch_;
};

}  // namespace trama::vulkan
