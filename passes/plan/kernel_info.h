// What can be read off a kernel's body: what it costs, and which results may overwrite operands.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "ir/dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama {

// Bytes of a dense tensor in a buffer; a bool takes one byte.
uint64_t BytesOf(mlir::Type type);

// Floating-point operations of one op, an exp counted as one; 0 for moves.
double FlopsOf(mlir::Operation* op);
// The same for everything in a kernel.
double FlopsOf(mlir::func::FuncOp kernel);

// The op that gives a kernel its name and line: the one with most work.
mlir::Operation* MainOp(mlir::func::FuncOp kernel);

// Results of a fused kernel one of which may take over an operand that the others read as well, by
// their indices. Whoever cuts the kernel into parts keeps each group in one, or the operand would
// be overwritten before it is read.
std::vector<llvm::SmallVector<unsigned>> ResultsTogether(mlir::func::FuncOp kernel);

struct MayAlias {
  unsigned result, operand;
};
// Pairs where element i of the operand is read only for element i of the results, before that is
// written, so that the result may take the operand's buffer.
std::vector<MayAlias> AliasesOf(mlir::func::FuncOp kernel);

}  // namespace trama
