#include "backends/cpu/element_memory.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace trama::cpu {
namespace arith = mlir::arith;
namespace LLVM = mlir::LLVM;
using codegen::Address;
using codegen::Builder;
using llvm::SmallVector;
using mlir::Value;

namespace {
Value AllLanes(Builder& b) { return b.IntConstant(b.Vector(b.lanes, b.Int(1)), -1); }
}  // namespace

Value VectorMemory::Load(Builder& b, const Address& address, Value mask) const {
  if (address.IsScalar()) return b.Load(memref_, address.base);
  if (address.stride == 1 && !address.lanes)
    return mask ? b.LoadMasked(memref_, address.base, mask) : b.LoadVector(memref_, address.base);
  Value lanes = address.lanes;
  if (address.stride) {
    // 32-bit indices where they suffice: one gather instruction instead of two.
    const bool narrow = !lanes && address.stride * b.lanes < INT32_MAX;
    mlir::Type type = narrow ? b.Int(32) : mlir::Type(b.getIndexType());
    Value own = b.Mul(b.LaneIndices(type), address.stride);
    lanes = lanes ? b.Add(lanes, own) : own;
  }
  return b.Gather(memref_, address.base, lanes, mask ? mask : AllLanes(b));
}

void VectorMemory::Store(Builder& b, Value stored, const Address& address, Value mask) const {
  if (address.IsScalar()) return b.Store(stored, memref_, address.base);
  if (address.stride == 1) {
    if (mask) return b.StoreMasked(stored, memref_, address.base, mask);
    return b.StoreVector(stored, memref_, address.base);
  }
  Value lanes = b.Mul(b.LaneIndices(b.getIndexType()), address.stride);
  mlir::vector::ScatterOp::create(b, mlir::Type(), memref_, mlir::ValueRange{address.base}, lanes,
                                  mask ? mask : AllLanes(b), stored);
}

PointerMemory::PointerMemory(Builder& b, Value workspace, int64_t offset, mlir::Type element)
    : element_(element), alignment_(std::max(1u, element.getIntOrFloatBitWidth() / 8)) {
  Value address = mlir::memref::ExtractAlignedPointerAsIndexOp::create(b, workspace);
  address = arith::IndexCastOp::create(b, b.Int(64), b.Add(address, offset));
  pointer_ = LLVM::IntToPtrOp::create(b, LLVM::LLVMPointerType::get(b.getContext()), address);
}

Value PointerMemory::At(Builder& b, Value index) const {
  Value i64 = arith::IndexCastOp::create(b, b.Int(64), index);
  return LLVM::GEPOp::create(b, pointer_.getType(), element_, pointer_,
                             llvm::ArrayRef<LLVM::GEPArg>{i64});
}

Value PointerMemory::LaneIndices(Builder& b, const Address& address) const {
  Value lanes = b.Broadcast(address.base);
  if (address.lanes) lanes = b.Add(lanes, address.lanes);
  if (address.stride) lanes = b.Add(lanes, b.Mul(b.LaneIndices(b.getIndexType()), address.stride));
  return lanes;
}

Value PointerMemory::Load(Builder& b, const Address& address, Value mask) const {
  auto load = [&](Value index) -> Value {
    return LLVM::LoadOp::create(b, element_, At(b, index), alignment_);
  };
  if (address.IsScalar()) return load(address.base);
  Value lanes = LaneIndices(b, address);
  Value loaded = b.Constant(b.Vector(b.lanes, element_), 0);
  for (int64_t i = 0; i < b.lanes; ++i) {
    auto lane = [&]() -> Value {
      Value x = load(mlir::vector::ExtractOp::create(b, lanes, i));
      return mlir::vector::InsertOp::create(b, x, loaded, i);
    };
    if (!mask) {
      loaded = lane();
      continue;
    }
    Value on = mlir::vector::ExtractOp::create(b, mask, i);
    loaded = b.IfValues(
        on, [&] { return SmallVector<Value>{lane()}; },
        [&] { return SmallVector<Value>{loaded}; })[0];
  }
  return loaded;
}

void PointerMemory::Store(Builder& b, Value stored, const Address& address, Value mask) const {
  auto store = [&](Value x, Value index) { LLVM::StoreOp::create(b, x, At(b, index), alignment_); };
  if (address.IsScalar()) return store(stored, address.base);
  Value lanes = LaneIndices(b, address);
  for (int64_t i = 0; i < b.lanes; ++i) {
    auto lane = [&] {
      store(mlir::vector::ExtractOp::create(b, stored, i),
            mlir::vector::ExtractOp::create(b, lanes, i));
    };
    if (mask)
      b.If(mlir::vector::ExtractOp::create(b, mask, i), lane);
    else
      lane();
  }
}

}  // namespace trama::cpu
