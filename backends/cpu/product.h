// The one matrix product behind every kernel that has one: C = epilogue(A B) over strided views.
#pragma once

#include <optional>
#include <string>

#include "backends/cpu/kernel.h"
#include "backends/cpu/kernel_body.h"

namespace trama::cpu {

// Dimensions batch.., rows, columns and the inner depth.
struct Product {
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

// Appends the phases that compute `product`, named `name`.., to `kernel`. `buffers` gives the flat
// memrefs of Access::buffer in a phase; what it takes of the workspace it takes in every phase.
void AppendProduct(Builder& b, mlir::func::FuncOp body, const Product& product,
                   const Target& target, const std::string& name,
                   llvm::function_ref<SmallVector<Value>(codegen::PhaseArguments&)> buffers,
                   Kernel& kernel);

// Appends one phase of any kind; small ones are one piece of work.
void AppendPhase(Builder& b, mlir::func::FuncOp body, const std::string& name, int64_t tasks,
                 double flops, llvm::function_ref<void(codegen::PhaseArguments&)> emit,
                 Kernel& kernel);

}  // namespace trama::cpu
