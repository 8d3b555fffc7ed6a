// A fused kernel's tensors in this machine's memory.
#pragma once

#include "backends/codegen/element_memory.h"

namespace trama::cpu {

// A flat memref, in vector registers.
class VectorMemory : public codegen::ElementMemory {
 public:
  explicit VectorMemory(mlir::Value memref) : memref_(memref) {}
  mlir::Value Load(codegen::Builder& b, const codegen::Address& address,
                   mlir::Value mask) const override;
  void Store(codegen::Builder& b, mlir::Value stored, const codegen::Address& address,
             mlir::Value mask) const override;

 private:
  mlir::Value memref_;
};

// Elements of any type in the workspace, which is of floats: lane by lane.
class PointerMemory : public codegen::ElementMemory {
 public:
  // From byte `offset` of `workspace`.
  PointerMemory(codegen::Builder& b, mlir::Value workspace, int64_t offset, mlir::Type element);
  mlir::Value Load(codegen::Builder& b, const codegen::Address& address,
                   mlir::Value mask) const override;
  void Store(codegen::Builder& b, mlir::Value stored, const codegen::Address& address,
             mlir::Value mask) const override;

 private:
  mlir::Value At(codegen::Builder& b, mlir::Value index) const;
  mlir::Value LaneIndices(codegen::Builder& b, const codegen::Address& address) const;

  mlir::Value pointer_;
  mlir::Type element_;
  unsigned alignment_;
};

}  // namespace trama::cpu
