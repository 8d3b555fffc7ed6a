// Phases that compute a matrix product (codegen/product.h).
#pragma once

#include <string>

#include "backends/codegen/product.h"
#include "backends/vulkan/kernel.h"

namespace trama::vulkan {

// Appends the phases that compute `product`, whose accesses are of the operands and results of
// `body`, named `name`.., to `kernel`.
absl::Status AppendProduct(mlir::ModuleOp module, mlir::func::FuncOp body,
                           const codegen::Product& product, const Target& target,
                           const std::string& name, Kernel& kernel);

}  // namespace trama::vulkan
