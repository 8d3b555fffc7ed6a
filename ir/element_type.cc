#include "ir/element_type.h"

namespace trama {

DType DTypeOf(mlir::Type element) {
  if (element.isF64()) return DType::kF64;
  if (element.isBF16()) return DType::kBF16;
  if (element.isF16()) return DType::kF16;
  if (element.isInteger(1)) return DType::kBool;
  if (element.isInteger(8)) return DType::kI8;
  if (element.isInteger(32)) return DType::kI32;
  if (element.isInteger(64)) return DType::kI64;
  return DType::kF32;
}

}  // namespace trama
