// A matrix product from registers alone: no workgroup memory and no barrier.
#pragma once

#include "backends/vulkan/kernel.h"
#include "backends/vulkan/product_tile.h"

namespace trama::vulkan {

absl::Status AppendRegisterProduct(mlir::ModuleOp module, mlir::func::FuncOp body,
                                   const codegen::Product& product, const Target& target,
                                   const ProductTile& tile, const std::string& name,
                                   Kernel& kernel);

}  // namespace trama::vulkan
