// The matrix product kernel for graphics processors with cooperative matrices.
#pragma once

#include <string>

#include "backends/codegen/product.h"
#include "backends/vulkan/kernel.h"
#include "backends/vulkan/product_tile.h"

namespace trama::vulkan {

absl::Status AppendMatrixProduct(mlir::ModuleOp module, mlir::func::FuncOp body,
                                 const codegen::Product& product, const Target& target,
                                 const ProductTile& tile, const std::string& name, Kernel& kernel);

// Bytes of workgroup memory that the kernel of such a tile takes.
int64_t MatrixProductBytes(const ProductTile& tile, uint32_t subgroup_size);

}  // namespace trama::vulkan
