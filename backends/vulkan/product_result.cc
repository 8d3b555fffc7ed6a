#include "backends/vulkan/product_result.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/vulkan/quads.h"

namespace trama::vulkan {
using codegen::Access;

SmallVector<Value> ProductResult::BatchIndices(Value batch) {
  SmallVector<Value> indices(p_.sizes.size() - 2);
  for (size_t d = indices.size(); d-- > 0;) {
    indices[d] = d == 0 ? batch : Remainder(b_, batch, p_.sizes[d]);
    batch = Divide(b_, batch, p_.sizes[d]);
  }
  return indices;
}

void ProductResult::Finish(ValueRange batch, Value row, Value column, Value sum) {
  quad_ = codegen::IsVector(sum);
  SmallVector<Value> at(batch);
  at.append({row, column});
  Value inside = b_.And(b_.Less(row, b_.Index(p_.rows())), b_.Less(column, b_.Index(p_.columns())));
  b_.If(inside, [&] { FinishWithin(at, sum); });
}

void ProductResult::FinishWithin(ValueRange at, Value sum) {
  if (p_.accumulate) sum = b_.Add(sum, Load(p_.epilogue.outputs().front().to, at));
  if (p_.bias) sum = b_.Add(sum, Load(*p_.bias, at));
  sum = codegen::Activate(b_, p_.activation, sum);
  p_.epilogue.Emit(
      b_, sum, [&](const Access& access) { return Load(access, at); },
      [&](Value value, const Access& to) { Store(value, to, at); });
}

bool ProductResult::InQuads(const Access& access) const {
  mlir::RankedTensorType type = TypeOf(body_, access);
  if (access.strides.back() != 1 || access.offset % 4 || p_.columns() % 4) return false;
  if (type.getElementTypeBitWidth() != 32 || !PhaseBuilder::CanVectorize(type)) return false;
  for (size_t d = 0; d + 1 < p_.sizes.size(); ++d)
    if (p_.sizes[d] != 1 && access.strides[d] % 4) return false;
  return true;
}

Value ProductResult::Load(const Access& access, ValueRange at) {
  if (!quad_) return LoadElement(b_, body_, access, at);
  if (access.strides.back() == 0) return b_.Broadcast(LoadElement(b_, body_, access, at));
  if (InQuads(access))
    return b_.Load(BufferOf(b_, body_, access, 4), Divide(b_, ElementIndex(b_, access, at), 4));
  SmallVector<Value> elements, element_at(at);
  for (int64_t l = 0; l < 4; ++l) {
    Value column = b_.Add(at.back(), l);
    if (l && p_.columns() % 4) column = b_.Min(column, b_.Index(p_.columns() - 1));
    element_at.back() = column;
    elements.push_back(LoadElement(b_, body_, access, element_at));
  }
  return MakeQuad(b_, elements);
}

void ProductResult::Store(Value value, const Access& access, ValueRange at) {
  if (!quad_) return StoreElement(b_, body_, value, access, at);
  if (InQuads(access))
    return b_.Store(value, BufferOf(b_, body_, access, 4),
                    Divide(b_, ElementIndex(b_, access, at), 4));
  SmallVector<Value> element_at(at);
  for (int64_t l = 0; l < 4; ++l) {
    element_at.back() = b_.Add(at.back(), l);
    auto store = [&] {
      Value element = mlir::vector::ExtractOp::create(b_, value, l);
      StoreElement(b_, body_, element, access, element_at);
    };
    if (l && p_.columns() % 4)
      b_.If(b_.Less(element_at.back(), b_.Index(p_.columns())), store);
    else
      store();
  }
}

PartialSums::PartialSums(PhaseBuilder& b, const codegen::Product& product, int64_t splits)
    : b_(b), p_(product), splits_(splits), width_(RoundUp(product.columns(), 4)) {}

Value PartialSums::Buffer(int64_t vector) {
  return b_.Workspace("partial sums", b_.F32(), splits_ * p_.batch() * p_.rows() * width_, vector);
}

Value PartialSums::Index(Value split, Value batch, Value row, Value column) {
  Value line = b_.Add(b_.Mul(b_.Add(b_.Mul(split, p_.batch()), batch), p_.rows()), row);
  return b_.Add(b_.Mul(line, width_), column);
}

void PartialSums::Store(Value sum, Value split, Value batch, Value row, Value column) {
  Value inside = b_.And(b_.Less(row, b_.Index(p_.rows())), b_.Less(column, b_.Index(width_)));
  Value index = Index(split, batch, row, column);
  b_.If(inside, [&] {
    if (codegen::IsVector(sum))
      b_.Store(sum, Buffer(4), Divide(b_, index, 4));
    else
      b_.Store(sum, Buffer(1), index);
  });
}

Value PartialSums::Sum(Value batch, Value row, Value column) {
  auto load = [&](Value split) {
    return b_.Load(Buffer(4), Divide(b_, Index(split, batch, row, column), 4));
  };
  return b_.For(b_.Index(1), b_.Index(splits_), 1, load(b_.Index(0)),
                [&](Value split, ValueRange sum) -> SmallVector<Value> {
                  return {b_.Add(sum[0], load(split))};
                })[0];
}

absl::Status AppendSums(mlir::ModuleOp module, mlir::func::FuncOp body, const codegen::Product& p,
                        const Target& target, int64_t splits, const std::string& name,
                        Kernel& kernel) {
  const uint32_t local = std::min<uint32_t>(64, target.max_invocations);
  PhaseBuilder b(module, body, target, kernel, absl::StrCat(name, "_sum"), {local, 1, 1});
  const int64_t quads = CeilDiv(p.columns(), 4), count = p.batch() * p.rows() * quads;
  PartialSums sums(b, p, splits);
  ProductResult result(b, body, p);
  Value index = b.GlobalIndex();
  b.If(b.Less(index, b.Index(count)), [&] {
    Value line = Divide(b, index, quads), column = b.Mul(Remainder(b, index, quads), 4);
    Value batch = Divide(b, line, p.rows()), row = Remainder(b, line, p.rows());
    result.Finish(result.BatchIndices(batch), row, column, sums.Sum(batch, row, column));
  });
  return b.Finish(CeilDiv(count, local));
}

}  // namespace trama::vulkan
