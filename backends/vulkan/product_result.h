// What becomes of the sums of a matrix product: bias, activation, epilogue and the results, for one
// row and a run of columns at a time; and the sums of a depth that workgroups share.
#pragma once

#include "backends/codegen/product.h"
#include "backends/vulkan/phase_builder.h"

namespace trama::vulkan {

class ProductResult {
 public:
  ProductResult(PhaseBuilder& b, mlir::func::FuncOp body, const codegen::Product& product)
      : b_(b), body_(body), p_(product) {}

  // The indices of the leading dimensions of batch number `batch`.
  SmallVector<Value> BatchIndices(Value batch);
  // Finishes `sum` at batch indices `batch`, `row` and `column`: f32, or a vector of four columns
  // from `column`, a multiple of 4, on. What lies beyond the rows or columns is dropped.
  void Finish(ValueRange batch, Value row, Value column, Value sum);

 private:
  void FinishWithin(ValueRange at, Value sum);
  Value Load(const codegen::Access& access, ValueRange at);
  void Store(Value value, const codegen::Access& access, ValueRange at);
  bool InQuads(const codegen::Access& access) const;

  PhaseBuilder& b_;
  mlir::func::FuncOp body_;
  const codegen::Product& p_;
  bool quad_ = false;  // what Finish was called with
};

// The sums of `splits` ranges of the depth, in a workspace until they are added.
class PartialSums {
 public:
  PartialSums(PhaseBuilder& b, const codegen::Product& product, int64_t splits);

  // batch: a number; column: of f32 `sum`, or the first of a vector's, a multiple of 4. Columns
  // beyond the last, but not beyond its quad, may be stored.
  void Store(Value sum, Value split, Value batch, Value row, Value column);
  // Splits 0, 1, .. added in this order, of the quad `column` / 4.
  Value Sum(Value batch, Value row, Value column);

 private:
  Value Index(Value split, Value batch, Value row, Value column);
  Value Buffer(int64_t vector);

  PhaseBuilder& b_;
  const codegen::Product& p_;
  const int64_t splits_, width_;
};

// Appends the phase that adds the partial sums and finishes them.
absl::Status AppendSums(mlir::ModuleOp module, mlir::func::FuncOp body,
                        const codegen::Product& product, const Target& target, int64_t splits,
                        const std::string& name, Kernel& kernel);

}  // namespace trama::vulkan
