// The one matrix product behind every kernel that has one: C = epilogue(A B) over strided views.
#pragma once

#include <optional>

#include "backends/codegen/kernel_body.h"

namespace trama::codegen {

// Dimensions batch.., rows, columns and the inner depth.
struct Product {
  // Of what is multiplied: f32, bf16 or f16. Sums, bias and result are f32.
  Type element;
  SmallVector<int64_t> sizes;  // batch.., rows, columns
  int64_t depth = 0;
  Access left, right;  // over `sizes`: 0 along columns and rows respectively
  int64_t left_depth_stride = 0, right_depth_stride = 0;
  std::optional<Access> bias;  // over `sizes`
  Activation activation = Activation::none;
  bool accumulate = false;  // added to what the one output holds
  Epilogue epilogue;

  int64_t rows() const { return sizes[sizes.size() - 2]; }
  int64_t columns() const { return sizes.back(); }
  int64_t batch() const;
  double flops() const { return 2.0 * batch() * rows() * columns() * depth; }
  SmallVector<Access*> Accesses();
};

// Merges dimensions where all strides allow and turns the product round where its result is
// contiguous along the rows.
void Normalize(Product& product);

// The op over its result's index space. Unimplemented where the element types are other ones, or
// what kernel_body.h names.
absl::StatusOr<Product> ProductOf(MatmulOp op, mlir::func::FuncOp body);
absl::StatusOr<Product> ProductOf(LinearOp op, mlir::func::FuncOp body);

// The element type of two operands that are multiplied: one of Product's for both. Unimplemented
// where they have another.
absl::StatusOr<Type> MultipliedType(mlir::Operation* op, Value left, Value right);
// Unimplemented where `element` is not f32, for those who multiply nothing else.
absl::Status RequireFloat32(Type element);

// `activation` of f32 x, a scalar or a vector.
Value Activate(Builder& b, Activation activation, Value x);

}  // namespace trama::codegen
