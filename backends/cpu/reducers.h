// Sum, maximum and argmax of vectors of elements, kept in registers along a loop.
#pragma once

#include "backends/codegen/builder.h"
#include "mlir/IR/Operation.h"

namespace trama::cpu {

class Reducer {
 public:
  explicit Reducer(mlir::Operation* op);

  mlir::Operation* op() const { return op_; }
  // Values carried: one, or for argmax the largest and where it was.
  size_t width() const { return wants_index() ? 2 : 1; }
  bool wants_index() const;

  llvm::SmallVector<mlir::Value> Identity(codegen::Builder& b) const;
  // `carried` with a vector of elements (and their indices along the reduced dimension) added
  // where `mask` (null: everywhere).
  llvm::SmallVector<mlir::Value> Step(codegen::Builder& b, mlir::ValueRange carried,
                                      mlir::Value elements, mlir::Value indices,
                                      mlir::Value mask) const;
  // Two accumulators in one.
  llvm::SmallVector<mlir::Value> Join(codegen::Builder& b, mlir::ValueRange first,
                                      mlir::ValueRange second) const;
  // The result: one a lane, or of all lanes together.
  mlir::Value ByLane(codegen::Builder& b, mlir::ValueRange carried) const;
  mlir::Value Total(codegen::Builder& b, mlir::ValueRange carried) const;

 private:
  mlir::Value ToResult(codegen::Builder& b, mlir::Value value) const;
  mlir::Operation* op_;
  mlir::Type element_;      // of the operand
  mlir::Type accumulator_;  // f32 for bf16 and f16
};

}  // namespace trama::cpu
