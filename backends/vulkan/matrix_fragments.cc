#include "backends/vulkan/matrix_fragments.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"

namespace trama::vulkan {
namespace spirv = mlir::spirv;

namespace {
using Use = spirv::CooperativeMatrixUseKHR;

Type MatrixType(PhaseBuilder& b, const MatrixShape& s, MatrixUse use) {
  const auto get = [](Type element, uint32_t rows, uint32_t columns, Use as) {
    return spirv::CooperativeMatrixType::get(element, rows, columns, spirv::Scope::Subgroup, as);
  };
  if (use == MatrixUse::kLeft) return get(MatrixElement(b, s.element), s.m, s.k, Use::MatrixA);
  if (use == MatrixUse::kRight) return get(MatrixElement(b, s.element), s.k, s.n, Use::MatrixB);
  return get(b.F32(), s.m, s.n, Use::MatrixAcc);
}

// A pointer to element `at` of `memory`; LowerToSpirv makes one of the cast.
Value ElementPointer(PhaseBuilder& b, Value memory, Value at) {
  auto vector =
      mlir::cast<mlir::VectorType>(mlir::cast<mlir::MemRefType>(memory.getType()).getElementType());
  if (vector.getElementType().isBF16()) vector = b.Vector(vector.getNumElements(), b.Int(16));
  Type pointer = spirv::PointerType::get(vector, spirv::StorageClass::Workgroup);
  return mlir::UnrealizedConversionCastOp::create(b, pointer, ValueRange{memory, at}).getResult(0);
}

Value Stride(PhaseBuilder& b, int64_t stride) { return b.IntConstant(b.Int(32), stride); }
}  // namespace

Type MatrixElement(PhaseBuilder& b, MatrixShape::Element element) {
  if (element == MatrixShape::kF16) return b.getF16Type();
  if (element == MatrixShape::kBF16) return b.getBF16Type();
  return b.F32();
}

Value LoadMatrix(PhaseBuilder& b, const MatrixShape& shape, MatrixUse use, Value memory, Value at,
                 int64_t stride, MatrixLayout layout) {
  const auto as = layout == MatrixLayout::kRows ? spirv::CooperativeMatrixLayoutKHR::RowMajor
                                                : spirv::CooperativeMatrixLayoutKHR::ColumnMajor;
  return spirv::KHRCooperativeMatrixLoadOp::create(
      b, MatrixType(b, shape, use), ElementPointer(b, memory, at), as, Stride(b, stride),
      b.getAttr<spirv::MemoryAccessAttr>(spirv::MemoryAccess::NonPrivatePointer),
      /*alignment=*/nullptr);
}

void StoreMatrix(PhaseBuilder& b, Value sums, Value memory, Value at, int64_t stride) {
  spirv::KHRCooperativeMatrixStoreOp::create(
      b, ElementPointer(b, memory, at), sums, spirv::CooperativeMatrixLayoutKHR::RowMajor,
      Stride(b, stride), b.getAttr<spirv::MemoryAccessAttr>(spirv::MemoryAccess::NonPrivatePointer),
      /*alignment=*/nullptr);
}

Value MultiplyMatrices(PhaseBuilder& b, Value left, Value right, Value sums) {
  return spirv::KHRCooperativeMatrixMulAddOp::create(b, left, right, sums);
}

MatrixSums::MatrixSums(PhaseBuilder& b, const MatrixShape& shape) : b_(b) {
  Type type = MatrixType(b, shape, MatrixUse::kSums);
  {
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(b.EntryBlock());
    variable_ =
        spirv::VariableOp::create(b, spirv::PointerType::get(type, spirv::StorageClass::Function),
                                  spirv::StorageClass::Function, /*initializer=*/nullptr);
  }
  Store(spirv::CompositeConstructOp::create(b, type, b.Constant(b.F32(), 0)));
}

Value MatrixSums::Load() { return spirv::LoadOp::create(b_, variable_); }
void MatrixSums::Store(Value sums) { spirv::StoreOp::create(b_, variable_, sums); }

}  // namespace trama::vulkan
