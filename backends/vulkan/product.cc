#include "backends/vulkan/product.h"

#include "backends/vulkan/dot_product.h"
#include "backends/vulkan/matrix_product.h"
#include "backends/vulkan/product_result.h"
#include "backends/vulkan/register_product.h"
#include "backends/vulkan/workgroup_product.h"
#include "base/status_macros.h"

namespace trama::vulkan {

absl::Status AppendProduct(mlir::ModuleOp module, mlir::func::FuncOp body,
                           const codegen::Product& product, const Target& target,
                           const std::string& name, Kernel& kernel) {
  const ProductTile tile = ChooseTile(body, product, target);
  const auto append = tile.kernel == ProductKernel::kRegisters   ? AppendRegisterProduct
                      : tile.kernel == ProductKernel::kWorkgroup ? AppendWorkgroupProduct
                      : tile.kernel == ProductKernel::kMatrices  ? AppendMatrixProduct
                                                                 : AppendDotProduct;
  TRAMA_RETURN_IF_ERROR(append(module, body, product, target, tile, name, kernel));
  if (tile.splits == 1) return absl::OkStatus();
  return AppendSums(module, body, product, target, tile.splits, name, kernel);
}

}  // namespace trama::vulkan
