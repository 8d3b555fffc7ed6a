#include "backends/vulkan/product_part.h"

#include "backends/vulkan/quads.h"

namespace trama::vulkan {

ProductPart::ProductPart(PhaseBuilder& b, mlir::func::FuncOp body, const codegen::Product& product,
                         const ProductTile& tile, int64_t rows, int64_t columns)
    : b_(b),
      p_(product),
      t_(tile),
      rows_(rows),
      columns_(columns),
      result_(b, body, product),
      partial_(b, product, tile.splits) {}

int64_t ProductPart::row_tiles() const { return CeilDiv(p_.rows(), rows_); }
int64_t ProductPart::column_tiles() const { return CeilDiv(p_.columns(), columns_); }

void ProductPart::Start() {
  Value rest = b_.WorkgroupIndex();
  auto take = [&](int64_t count) {
    Value index = Remainder(b_, rest, count);
    rest = Divide(b_, rest, count);
    return index;
  };
  // Rows first: neighbours share columns of the right side, as a rule the larger one.
  first_row_ = b_.Mul(take(row_tiles()), rows_);
  column_tile_ = take(column_tiles());
  batch_number_ = take(p_.batch());
  split_ = rest;
  begin_ = b_.Mul(split_, t_.split_depth);
  batch_ = result_.BatchIndices(batch_number_);
}

Value ProductPart::End(int64_t limit) {
  Value end = b_.Index(limit);
  return t_.splits > 1 ? b_.Min(b_.Add(begin_, t_.split_depth), end) : end;
}

void ProductPart::Finish(Value row, Value column, Value sum) {
  if (t_.splits > 1)
    partial_.Store(sum, split_, batch_number_, row, column);
  else
    result_.Finish(batch_, row, column, sum);
}

}  // namespace trama::vulkan
