#include "backends/vulkan/quads.h"

#include "backends/codegen/pointwise.h"

namespace trama::vulkan {
namespace arith = mlir::arith;
using codegen::Access;

int64_t PowerOfTwo(int64_t n) {
  int64_t power = 1;
  while (power < n) power *= 2;
  return power;
}

Value Divide(PhaseBuilder& b, Value n, int64_t by) {
  return by == 1 ? n : Value(arith::DivUIOp::create(b, n, b.Index(by)));
}
Value Remainder(PhaseBuilder& b, Value n, int64_t by) {
  return by == 1 ? b.Index(0) : Value(arith::RemUIOp::create(b, n, b.Index(by)));
}

mlir::RankedTensorType TypeOf(mlir::func::FuncOp body, const Access& access) {
  const int64_t operands = body.getNumArguments();
  return mlir::cast<mlir::RankedTensorType>(access.buffer < operands
                                                ? body.getArgumentTypes()[access.buffer]
                                                : body.getResultTypes()[access.buffer - operands]);
}

Value BufferOf(PhaseBuilder& b, mlir::func::FuncOp body, const Access& access, int64_t vector) {
  const int64_t operands = body.getNumArguments();
  if (access.buffer < operands) return b.Operand(access.buffer, vector);
  return b.Result(access.buffer - operands, vector);
}

Value LoadElement(PhaseBuilder& b, mlir::func::FuncOp body, const Access& access, ValueRange at) {
  Value stored = b.Load(BufferOf(b, body, access), ElementIndex(b, access, at));
  return codegen::FromStorage(b, stored, TypeOf(body, access).getElementType());
}
void StoreElement(PhaseBuilder& b, mlir::func::FuncOp body, Value value, const Access& access,
                  ValueRange at) {
  b.Store(codegen::ToStorage(b, value), BufferOf(b, body, access), ElementIndex(b, access, at));
}

Value SumQuad(PhaseBuilder& b, Value quad) {
  SmallVector<Value> x;
  for (int64_t l = 0; l < 4; ++l) x.push_back(mlir::vector::ExtractOp::create(b, quad, l));
  return b.Add(b.Add(x[0], x[1]), b.Add(x[2], x[3]));
}

Value MakeQuad(PhaseBuilder& b, ArrayRef<Value> elements) {
  return mlir::vector::FromElementsOp::create(b, b.Vector(4, elements[0].getType()), elements);
}

namespace {
bool Unrolls(int64_t columns) { return columns / 4 <= 32; }
}  // namespace

void ForQuads(PhaseBuilder& b, int64_t columns, llvm::function_ref<void(Value, int64_t)> f) {
  const int64_t whole = columns / 4;
  if (Unrolls(columns)) {
    for (int64_t quad = 0; quad < whole; ++quad) f(b.Index(quad), 4);
  } else {
    b.For(0, whole, 1, [&](Value quad) { f(quad, 4); });
  }
  if (columns % 4) f(b.Index(whole), columns % 4);
}

QuadRows::QuadRows(PhaseBuilder& b, mlir::func::FuncOp body, Access access, int64_t columns)
    : b_(b), access_(std::move(access)), columns_(columns) {
  auto in_quads = [](int64_t n) { return n % 4 == 0; };
  auto outer = ArrayRef<int64_t>(access_.strides).drop_back();
  whole_ = access_.strides.back() == 1 && in_quads(columns) && in_quads(access_.offset) &&
           llvm::all_of(outer, in_quads) && PhaseBuilder::CanVectorize(TypeOf(body, access_));
  buffer_ = BufferOf(b, body, access_, whole_ ? 4 : 1);
  if (!whole_) return;
  access_.offset /= 4;
  for (int64_t& stride : access_.strides) stride /= 4;
}

Value QuadRows::Row(ValueRange at) {
  Access row{access_.buffer, access_.offset, {}};
  row.strides.assign(access_.strides.begin(), access_.strides.end() - 1);
  return ElementIndex(b_, row, at);
}

Value QuadRows::Load(Value row, Value quad, int64_t live) {
  if (whole_) return b_.Load(buffer_, b_.Add(row, quad));
  const bool unknown = live == kUnknown && columns_ % 4;
  if (live == kUnknown) live = 4;
  Value zero = b_.Constant(b_.F32(), 0), first = b_.Mul(quad, 4);
  SmallVector<Value> elements;
  for (int64_t l = 0; l < 4; ++l) {
    if (l >= live) {
      elements.push_back(zero);
      continue;
    }
    Value column = b_.Add(first, l);
    Value safe = unknown ? b_.Min(column, b_.Index(columns_ - 1)) : column;
    Value x = b_.Load(buffer_, b_.Add(row, b_.Mul(safe, access_.strides.back())));
    if (unknown) x = b_.Select(b_.Less(column, b_.Index(columns_)), x, zero);
    elements.push_back(x);
  }
  return MakeQuad(b_, elements);
}

void QuadRows::Store(Value value, Value row, Value quad, int64_t live) {
  if (whole_) return b_.Store(value, buffer_, b_.Add(row, quad));
  const bool unknown = live == kUnknown && columns_ % 4;
  if (live == kUnknown) live = 4;
  Value first = b_.Mul(quad, 4);
  for (int64_t l = 0; l < live; ++l) {
    Value column = b_.Add(first, l);
    auto store = [&] {
      Value x = mlir::vector::ExtractOp::create(b_, value, l);
      b_.Store(x, buffer_, b_.Add(row, b_.Mul(column, access_.strides.back())));
    };
    if (unknown)
      b_.If(b_.Less(column, b_.Index(columns_)), store);
    else
      store();
  }
}

RowReader::RowReader(PhaseBuilder& b, QuadRows& rows, Value row, bool common)
    : b_(&b), rows_(&rows), row_(row) {
  const Target& target = b.target();
  const int64_t lanes = target.subgroup_size, quads = CeilDiv(rows.columns(), 4);
  if (!common || !target.is_cpu || !target.subgroup_shuffle || b.invocations() % lanes != 0 ||
      !Unrolls(rows.columns()))
    return;
  for (int64_t first = 0; first < quads; first += lanes) {
    Value quad = b.Min(b.Add(b.Lane(), first), b.Index(quads - 1));
    own_.push_back(rows.Load(row, quad, QuadRows::kUnknown));
  }
}

Value RowReader::Load(Value quad, int64_t live) {
  if (own_.empty()) return rows_->Load(row_, quad, live);
  const int64_t lanes = b_->target().subgroup_size, index = *mlir::getConstantIntValue(quad);
  Value lane = b_->IntConstant(b_->Int(32), index % lanes);
  SmallVector<Value> elements;
  for (int64_t l = 0; l < 4; ++l)
    elements.push_back(
        b_->Shuffle(mlir::vector::ExtractOp::create(*b_, own_[index / lanes], l), lane));
  return MakeQuad(*b_, elements);
}

}  // namespace trama::vulkan
