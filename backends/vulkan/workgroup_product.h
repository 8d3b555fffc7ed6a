// A matrix product by tiles in workgroup memory.
#pragma once

#include "backends/vulkan/kernel.h"
#include "backends/vulkan/product_tile.h"

namespace trama::vulkan {

absl::Status AppendWorkgroupProduct(mlir::ModuleOp module, mlir::func::FuncOp body,
                                    const codegen::Product& product, const Target& target,
                                    const ProductTile& tile, const std::string& name,
                                    Kernel& kernel);

}  // namespace trama::vulkan
