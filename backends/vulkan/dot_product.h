// Few rows times a right side that lies along the depth: dot products over a workgroup.
#pragma once

#include "backends/vulkan/kernel.h"
#include "backends/vulkan/product_tile.h"

namespace trama::vulkan {

absl::Status AppendDotProduct(mlir::ModuleOp module, mlir::func::FuncOp body,
                              const codegen::Product& product, const Target& target,
                              const ProductTile& tile, const std::string& name, Kernel& kernel);

}  // namespace trama::vulkan
