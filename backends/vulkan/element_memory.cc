#include "backends/vulkan/element_memory.h"

namespace trama::vulkan {
using codegen::Address;
using codegen::Builder;
using llvm::SmallVector;
using mlir::Value;

namespace {
Value VectorIndex(Builder& b, const Address& address) {
  return mlir::arith::DivUIOp::create(b, address.base, b.Index(b.lanes));
}

Value LaneIndex(Builder& b, const Address& address, int64_t lane) {
  Value index = b.Add(address.base, lane * address.stride);
  if (!address.lanes) return index;
  return b.Add(index, Value(mlir::vector::ExtractOp::create(b, address.lanes, lane)));
}
}  // namespace

// Fused kernels of this backend have loops that their vectors divide: no mask.
Value BufferMemory::Load(Builder& b, const Address& address, Value) const {
  if (address.IsScalar()) return b.Load(buffer_(1), address.base);
  if (IsVector(address)) return b.Load(buffer_(b.lanes), VectorIndex(b, address));
  Value buffer = buffer_(1);
  SmallVector<Value> elements;
  for (int64_t i = 0; i < b.lanes; ++i)
    elements.push_back(b.Load(buffer, LaneIndex(b, address, i)));
  return mlir::vector::FromElementsOp::create(b, b.Vector(b.lanes, elements[0].getType()),
                                              elements);
}

void BufferMemory::Store(Builder& b, Value stored, const Address& address, Value) const {
  if (address.IsScalar()) return b.Store(stored, buffer_(1), address.base);
  if (IsVector(address)) return b.Store(stored, buffer_(b.lanes), VectorIndex(b, address));
  Value buffer = buffer_(1);
  for (int64_t i = 0; i < b.lanes; ++i)
    b.Store(mlir::vector::ExtractOp::create(b, stored, i), buffer, LaneIndex(b, address, i));
}

}  // namespace trama::vulkan
