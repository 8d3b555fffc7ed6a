#include "backends/cpu/kernel_body.h"

namespace trama::cpu {

SmallVector<Value> FlatBuffers(Builder& b, const codegen::PhaseArguments& arguments) {
  SmallVector<Value> buffers;
  for (Value memref : arguments.operands) buffers.push_back(b.Flat(memref));
  for (Value memref : arguments.results) buffers.push_back(b.Flat(memref));
  return buffers;
}

Value LoadLanes(Builder& b, ArrayRef<Value> buffers, const Access& access, ValueRange at,
                int64_t live) {
  Value buffer = buffers[access.buffer], index = ElementIndex(b, access, at), value;
  const int64_t stride = access.strides.back();
  mlir::Type element = mlir::cast<mlir::MemRefType>(buffer.getType()).getElementType();
  if (stride == 0) {
    value = b.Broadcast(b.Load(buffer, index));
  } else if (stride == 1) {
    value = live == b.lanes ? b.LoadVector(buffer, index)
                            : b.LoadMasked(buffer, index, b.Mask(b.Index(live)));
  } else {
    SmallVector<Value> lanes;
    for (int64_t l = 0; l < b.lanes; ++l)
      lanes.push_back(b.Load(buffer, b.Add(index, std::min(l, live - 1) * stride)));
    value = mlir::vector::FromElementsOp::create(b, b.Vector(b.lanes, element), lanes);
  }
  if (!element.isInteger(8)) return value;
  return b.Compare(mlir::arith::CmpIPredicate::ne, value, b.IntConstant(value.getType(), 0));
}

void StoreLanes(Builder& b, Value vector, ArrayRef<Value> buffers, const Access& access,
                ValueRange at, int64_t live) {
  Value buffer = buffers[access.buffer], index = ElementIndex(b, access, at);
  const int64_t stride = access.strides.back();
  if (mlir::getElementTypeOrSelf(vector).isInteger(1))
    vector = mlir::arith::ExtUIOp::create(b, b.Vector(b.lanes, b.Int(8)), vector);
  if (stride == 1) {
    if (live == b.lanes)
      b.StoreVector(vector, buffer, index);
    else
      b.StoreMasked(vector, buffer, index, b.Mask(b.Index(live)));
    return;
  }
  for (int64_t l = 0; l < live; ++l)
    b.Store(mlir::vector::ExtractOp::create(b, vector, l), buffer, b.Add(index, l * stride));
}

void EmitEpilogue(Builder& b, const Epilogue& epilogue, ArrayRef<Value> buffers, ValueRange at,
                  Value accumulator, int64_t live) {
  epilogue.Emit(
      b, accumulator, [&](const Access& access) { return LoadLanes(b, buffers, access, at, live); },
      [&](Value value, const Access& to) { StoreLanes(b, value, buffers, to, at, live); });
}

}  // namespace trama::cpu
