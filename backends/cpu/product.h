// Phases that compute a matrix product (codegen/product.h).
#pragma once

#include <string>

#include "backends/codegen/product.h"
#include "backends/cpu/kernel.h"
#include "backends/cpu/kernel_body.h"

namespace trama::cpu {

using codegen::Product;

// Appends the phases that compute `product`, named `name`.., to `kernel`. `buffers` gives the flat
// memrefs of Access::buffer in a phase; what it takes of the workspace it takes in every phase.
void AppendProduct(Builder& b, mlir::func::FuncOp body, const Product& product,
                   const Target& target, const std::string& name,
                   llvm::function_ref<SmallVector<Value>(codegen::PhaseArguments&)> buffers,
                   Kernel& kernel);

// For those who compute sums themselves: the indices of batch number `batch` along the leading
// dimensions, and bias, activation and epilogue of `live` sums from `at` on, the tasks' last step.
SmallVector<Value> BatchIndices(Builder& b, const Product& product, Value batch);
void FinishProduct(Builder& b, const Product& product, ArrayRef<Value> buffers, ValueRange at,
                   Value sums, int64_t live);

// Appends one phase of any kind; small ones are one piece of work.
void AppendPhase(Builder& b, mlir::func::FuncOp body, const std::string& name, int64_t tasks,
                 double flops, llvm::function_ref<void(codegen::PhaseArguments&)> emit,
                 Kernel& kernel);

}  // namespace trama::cpu
