#include "backends/codegen/builder.h"

#include <algorithm>
#include <utility>

namespace trama::codegen {
namespace arith = mlir::arith;
namespace memref = mlir::memref;
namespace scf = mlir::scf;
namespace vector = mlir::vector;
using mlir::VectorType;

namespace {
bool IsFloat(Value value) { return mlir::isa<mlir::FloatType>(getElementTypeOrSelf(value)); }

template <typename FloatOp, typename IntOp>
Value ByType(Builder& b, Value lhs, Value rhs) {
  if (IsFloat(lhs)) return FloatOp::create(b, lhs, rhs);
  return IntOp::create(b, lhs, rhs);
}
}  // namespace

void LoadCodegenDialects(mlir::MLIRContext& context) {
  context.loadDialect<arith::ArithDialect, mlir::func::FuncDialect, mlir::math::MathDialect,
                      memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
}

Type WithElement(Type like, Type element) {
  if (auto type = mlir::dyn_cast<VectorType>(like)) return type.clone(element);
  return element;
}

Value Builder::Index(int64_t value) { return arith::ConstantIndexOp::create(*this, value); }

Value Builder::Constant(Type type, double value) {
  Type element = getElementTypeOrSelf(type);
  if (!mlir::isa<mlir::FloatType>(element)) return IntConstant(type, static_cast<int64_t>(value));
  mlir::TypedAttr attr = getFloatAttr(element, value);
  if (auto shaped = mlir::dyn_cast<VectorType>(type))
    attr = mlir::DenseElementsAttr::get(shaped, mlir::cast<mlir::Attribute>(attr));
  return arith::ConstantOp::create(*this, attr);
}

Value Builder::IntConstant(Type type, int64_t value) {
  Type element = getElementTypeOrSelf(type);
  mlir::TypedAttr attr;
  if (auto integer = mlir::dyn_cast<mlir::IntegerType>(element))
    attr = getIntegerAttr(element, llvm::APInt(integer.getWidth(), static_cast<uint64_t>(value),
                                               /*isSigned=*/false, /*implicitTrunc=*/true));
  else
    attr = getIntegerAttr(element, value);
  if (auto shaped = mlir::dyn_cast<VectorType>(type))
    attr = mlir::DenseElementsAttr::get(shaped, mlir::cast<mlir::Attribute>(attr));
  return arith::ConstantOp::create(*this, attr);
}

Value Builder::Add(Value a, Value b) { return ByType<arith::AddFOp, arith::AddIOp>(*this, a, b); }
Value Builder::Sub(Value a, Value b) { return ByType<arith::SubFOp, arith::SubIOp>(*this, a, b); }
Value Builder::Mul(Value a, Value b) { return ByType<arith::MulFOp, arith::MulIOp>(*this, a, b); }
Value Builder::Div(Value a, Value b) { return ByType<arith::DivFOp, arith::DivSIOp>(*this, a, b); }
Value Builder::Rem(Value a, Value b) { return arith::RemSIOp::create(*this, a, b); }

Value Builder::Neg(Value a) {
  if (IsFloat(a)) return arith::NegFOp::create(*this, a);
  return Sub(IntConstant(a.getType(), 0), a);
}

Value Builder::Max(Value a, Value b) {
  if (IsFloat(a)) return arith::MaximumFOp::create(*this, a, b, arith::FastMathFlags::nsz);
  return arith::MaxSIOp::create(*this, a, b);
}
Value Builder::Min(Value a, Value b) {
  if (IsFloat(a)) return arith::MinimumFOp::create(*this, a, b, arith::FastMathFlags::nsz);
  return arith::MinSIOp::create(*this, a, b);
}
// Written as compare and select, which is what vmaxps and vminps compute, NaN included.
Value Builder::FastMax(Value a, Value b) {
  if (!IsFloat(a)) return Max(a, b);
  return Select(Compare(arith::CmpFPredicate::OGT, a, b), a, b);
}
Value Builder::FastMin(Value a, Value b) {
  if (!IsFloat(a)) return Min(a, b);
  return Select(Compare(arith::CmpFPredicate::OLT, a, b), a, b);
}

Value Builder::Fma(Value a, Value b, Value c) { return mlir::math::FmaOp::create(*this, a, b, c); }

Value Builder::Less(Value a, Value b) {
  if (IsFloat(a)) return Compare(arith::CmpFPredicate::OLT, a, b);
  return Compare(arith::CmpIPredicate::slt, a, b);
}

Value Builder::ToIndex(Value integer) {
  return arith::IndexCastOp::create(*this, WithElement(integer.getType(), getIndexType()), integer);
}
Value Builder::FromIndex(Value index, Type like) {
  Type type = WithElement(index.getType(), getElementTypeOrSelf(like));
  return arith::IndexCastOp::create(*this, type, index);
}
Value Builder::Bitcast(Value value, Type element) {
  return arith::BitcastOp::create(*this, WithElement(value.getType(), element), value);
}

Value Builder::Broadcast(Value scalar, int64_t n) {
  if (IsVector(scalar)) return scalar;
  return vector::BroadcastOp::create(*this, Vector(n ? n : lanes, scalar.getType()), scalar);
}

Value Builder::LaneIndices(Type element, int64_t n) {
  VectorType type = Vector(n ? n : lanes, element);
  SmallVector<mlir::Attribute> values;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    if (mlir::isa<mlir::FloatType>(element))
      values.push_back(getFloatAttr(element, static_cast<double>(i)));
    else
      values.push_back(getIntegerAttr(element, i));
  }
  return arith::ConstantOp::create(*this, mlir::DenseElementsAttr::get(type, values));
}

Value Builder::Mask(Value count, int64_t n) {
  return vector::CreateMaskOp::create(*this, Vector(n ? n : lanes, getI1Type()), ValueRange{count});
}

Value Builder::ReduceAdd(Value vector) {
  return vector::ReductionOp::create(*this, vector::CombiningKind::ADD, vector,
                                     arith::FastMathFlags::reassoc);
}
Value Builder::ReduceMax(Value vector) {
  const auto kind =
      IsFloat(vector) ? vector::CombiningKind::MAXIMUMF : vector::CombiningKind::MAXSI;
  return vector::ReductionOp::create(*this, kind, vector, arith::FastMathFlags::nsz);
}

Value Builder::ReduceEach(ArrayRef<Value> vectors,
                          llvm::function_ref<Value(Value, Value)> combine) {
  SmallVector<Value> rows(vectors);
  const int64_t count = rows.size(), n = mlir::cast<VectorType>(rows[0].getType()).getNumElements();
  for (int64_t d = n / 2; d; d /= 2) {
    // Lanes l and l + d of a row meet; below `count` rows they make room for those of row i + d.
    const bool pairs = d < count;
    for (int64_t i = 0; i < (pairs ? d : count); ++i) {
      SmallVector<int64_t> low, high;
      for (int64_t l = 0; l < n; ++l) {
        const int64_t second = pairs ? n : 0;
        low.push_back(l & d ? second + l - d : l);
        high.push_back(l & d ? second + l : l + d);
      }
      Value other = pairs ? rows[i + d] : rows[i];
      rows[i] = combine(vector::ShuffleOp::create(*this, rows[i], other, low),
                        vector::ShuffleOp::create(*this, rows[i], other, high));
    }
  }
  return rows[0];
}

void Builder::TransposeRows(llvm::MutableArrayRef<Value> rows) {
  const int n = rows.size();
  for (int d = n / 2; d; d /= 2) {
    for (int i = 0; i < n; ++i) {
      if (i & d) continue;
      SmallVector<int64_t> low, high;
      for (int l = 0; l < n; ++l) {
        low.push_back(l & d ? n + l - d : l);
        high.push_back(l & d ? n + l : l + d);
      }
      Value x = rows[i], y = rows[i + d];
      rows[i] = vector::ShuffleOp::create(*this, x, y, low);
      rows[i + d] = vector::ShuffleOp::create(*this, x, y, high);
    }
  }
}

Value Builder::LoadVector(Value memref, ValueRange at, int64_t n) {
  Type element = mlir::cast<mlir::MemRefType>(memref.getType()).getElementType();
  return vector::LoadOp::create(*this, Vector(n ? n : lanes, element), memref, at);
}

Value Builder::LoadMasked(Value memref, ValueRange at, Value mask, Value other) {
  Type element = mlir::cast<mlir::MemRefType>(memref.getType()).getElementType();
  VectorType type = mlir::cast<VectorType>(mask.getType()).clone(element);
  if (!other) other = Constant(type, 0);
  return vector::MaskedLoadOp::create(*this, type, memref, at, mask, other);
}

Value Builder::Gather(Value memref, ValueRange at, Value indices, Value mask) {
  Type element = mlir::cast<mlir::MemRefType>(memref.getType()).getElementType();
  VectorType type = mlir::cast<VectorType>(mask.getType()).clone(element);
  return vector::GatherOp::create(*this, type, memref, at, indices, mask, Constant(type, 0));
}

Value Builder::View(Value memref, ArrayRef<int64_t> shape, int64_t offset) {
  auto source = mlir::cast<mlir::MemRefType>(memref.getType());
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  mlir::MemRefLayoutAttrInterface layout;
  if (offset) layout = mlir::StridedLayoutAttr::get(getContext(), offset, strides);
  auto type =
      mlir::MemRefType::get(shape, source.getElementType(), layout, source.getMemorySpace());
  return memref::ReinterpretCastOp::create(*this, type, memref, offset, shape, strides);
}

Value Builder::Flat(Value memref) {
  auto type = mlir::cast<mlir::MemRefType>(memref.getType());
  // A view's offset counts from the buffer's start, so that of a part of a buffer is to be kept.
  return View(memref, {type.getNumElements()}, type.getStridesAndOffset().second);
}

void Builder::For(Value begin, Value end, int64_t step, llvm::function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(*this, begin, end, Index(step));
  InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

SmallVector<Value> Builder::For(Value begin, Value end, int64_t step, ValueRange init,
                                llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(*this, begin, end, Index(step), init);
  InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  // Without carried values the builder has made the terminator already.
  if (!init.empty()) scf::YieldOp::create(*this, next);
  return SmallVector<Value>(loop.getResults());
}

void Builder::If(Value condition, llvm::function_ref<void()> then,
                 llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/bool(otherwise));
  InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  then();
  if (!otherwise) return;
  setInsertionPointToStart(branch.elseBlock());
  otherwise();
}

SmallVector<Value> Builder::IfValues(Value condition, llvm::function_ref<SmallVector<Value>()> then,
                                     llvm::function_ref<SmallVector<Value>()> otherwise) {
  auto branch = scf::IfOp::create(
      *this, condition,
      [&](mlir::OpBuilder& builder, mlir::Location loc) {
        InsertionGuard guard(*this);
        setInsertionPoint(builder.getInsertionBlock(), builder.getInsertionPoint());
        scf::YieldOp::create(*this, then());
      },
      [&](mlir::OpBuilder& builder, mlir::Location loc) {
        InsertionGuard guard(*this);
        setInsertionPoint(builder.getInsertionBlock(), builder.getInsertionPoint());
        scf::YieldOp::create(*this, otherwise());
      });
  return SmallVector<Value>(branch.getResults());
}

Value FloatArena::Take(Builder& b, ArrayRef<int64_t> shape) {
  const int64_t offset = used_;
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  used_ += (count + 15) / 16 * 16;
  return b.View(base_, shape, offset);
}

mlir::MemRefType BufferType(mlir::RankedTensorType type) {
  Type element = type.getElementType();
  if (element.isInteger(1)) element = mlir::IntegerType::get(type.getContext(), 8);
  return mlir::MemRefType::get(type.getShape(), element);
}

PhaseSizes EmitPhase(Builder& b, const std::string& name, mlir::func::FuncOp kernel,
                     llvm::function_ref<void(PhaseArguments&)> emit) {
  SmallVector<Type> types;
  const size_t operands = kernel.getNumArguments(), results = kernel.getNumResults();
  for (Type type : kernel.getArgumentTypes())
    types.push_back(BufferType(mlir::cast<mlir::RankedTensorType>(type)));
  for (Type type : kernel.getResultTypes())
    types.push_back(BufferType(mlir::cast<mlir::RankedTensorType>(type)));
  for (int i = 0; i < 2; ++i) types.push_back(mlir::MemRefType::get({1}, b.F32()));
  for (int i = 0; i < 2; ++i) types.push_back(b.getIndexType());
  auto function = mlir::func::FuncOp::create(b, name, b.getFunctionType(types, {}));
  Builder::InsertionGuard guard(b);
  mlir::Block* block = function.addEntryBlock();
  b.setInsertionPointToStart(block);
  auto arguments = block->getArguments();
  const size_t after = operands + results;
  PhaseArguments phase{SmallVector<Value>(arguments.take_front(operands)),
                       SmallVector<Value>(arguments.slice(operands, results)),
                       FloatArena(arguments[after]),
                       FloatArena(arguments[after + 1]),
                       arguments[after + 2],
                       arguments[after + 3]};
  emit(phase);
  mlir::func::ReturnOp::create(b);
  PhaseSizes sizes{phase.workspace.used(), phase.scratch.used()};
  for (auto [i, size] : {std::pair<size_t, int64_t>{after, sizes.workspace_floats},
                         std::pair<size_t, int64_t>{after + 1, sizes.scratch_floats}}) {
    types[i] = mlir::MemRefType::get({std::max<int64_t>(size, 1)}, b.F32());
    block->getArgument(i).setType(types[i]);
  }
  function.setFunctionType(b.getFunctionType(types, {}));
  return sizes;
}

}  // namespace trama::codegen
