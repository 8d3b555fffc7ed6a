// A few rows times a large matrix that lies transposed: decoding with a tied head.
#pragma once

#include "backends/cpu/product.h"
#include "backends/cpu/tile.h"

namespace trama::cpu {

// Whether `product` has few rows and a right operand whose columns lie along the depth, so that
// each element is needed once a row and packing would cost as much as the product.
bool IsDots(const Product& product, const Target& target);

// AppendProduct for those: every column is read once, in the order in which it lies, and multiplied
// as `lane` says.
void AppendDots(Builder& b, mlir::func::FuncOp body, const Product& product, Lane lane,
                const std::string& name,
                llvm::function_ref<SmallVector<Value>(codegen::PhaseArguments&)> buffers,
                Kernel& kernel);

}  // namespace trama::cpu
