// Contractions, indexing and the composites that models call by name.
#include "absl/strings/str_cat.h"
#include "frontend/call.h"
#include "ir/element_type.h"

namespace trama {
namespace {
bool SameFloats(Call& call, std::initializer_list<mlir::Value> values) {
  const mlir::Value first = *values.begin();
  for (mlir::Value value : values)
    if (!IsFloat(value) || TypeOf(value).getElementType() != TypeOf(first).getElementType()) {
      call.Fail(absl::StrCat("operands are not of one floating-point type: ", Describe(first),
                             " and ", Describe(value)));
      return false;
    }
  return true;
}

// lhs rhs, or lhs rhs^T, of two or more dimensions and in their type, as torch's.
Tensor Product(Call& call, mlir::Value lhs, mlir::Value rhs, bool transpose_rhs) {
  if (!SameFloats(call, {lhs, rhs})) return {};
  const Shape a = DimsOf(lhs), b = DimsOf(rhs);
  if (a.back() != b[b.size() - (transpose_rhs ? 1 : 2)])
    return call.Fail(absl::StrCat("inner sizes of ", ToString(a), " and ", ToString(b),
                                  transpose_rhs ? " transposed" : "", " disagree"));
  std::optional<Shape> batch =
      Broadcast(absl::MakeSpan(a).first(a.size() - 2), absl::MakeSpan(b).first(b.size() - 2));
  if (!batch)
    return call.Fail(
        absl::StrCat("batches of ", ToString(a), " and ", ToString(b), " do not broadcast"));
  const int64_t rank = static_cast<int64_t>(batch->size()) + 2;
  auto aligned = [&](mlir::Value x, const Shape& shape) {
    return call.axes(x) << (rank - static_cast<int64_t>(shape.size()));
  };
  const uint64_t row = uint64_t{1} << (rank - 2), column = row << 1, outer = row - 1;
  uint64_t axes = ((aligned(lhs, a) | aligned(rhs, b)) & outer) | (aligned(lhs, a) & row);
  axes |= transpose_rhs ? (aligned(rhs, b) & row) << 1 : aligned(rhs, b) & column;
  mlir::Value y = call.Build<MatmulOp>(axes, lhs, rhs, /*transpose_lhs=*/false, transpose_rhs);
  return call.Wrap(call.Cast(y, TypeOf(lhs).getElementType()));
}

// softmax and its like along `dim`, which has elements.
template <typename OpTy>
Tensor Normalized(const char* name, const Tensor& tensor, int64_t dim, const Loc& loc) {
  Call call(name, loc);
  mlir::Value x = call.UseFloat(tensor);
  if (!x) return {};
  std::optional<int64_t> at = call.Dim(dim, x);
  if (!at) return {};
  if (TypeOf(x).getDimSize(*at) == 0)
    return call.Fail(absl::StrCat("dim ", dim, " of x: ", Describe(x), " is empty"));
  return call.Make<OpTy>(call.axes(x), x.getType(), x, *at);
}
}  // namespace

Tensor matmul(Tensor a, Tensor b, Loc loc) {
  Call call("matmul", loc);
  mlir::Value lhs = call.Use(a), rhs = call.Use(b);
  if (!lhs || !rhs) return {};
  const bool row = TypeOf(lhs).getRank() == 1, column = TypeOf(rhs).getRank() == 1;
  if (TypeOf(lhs).getRank() == 0 || TypeOf(rhs).getRank() == 0)
    return call.Fail(absl::StrCat(Describe(lhs), " and ", Describe(rhs), " are not matrices"));
  if (row) lhs = call.recorder()->Use(unsqueeze(a, 0, loc), "matmul", loc);
  if (column) rhs = call.recorder()->Use(unsqueeze(b, 1, loc), "matmul", loc);
  Tensor y = Product(call, lhs, rhs, /*transpose_rhs=*/false);
  if (column) y = squeeze(y, -1, loc);
  return row ? squeeze(y, column ? -1 : -2, loc) : y;
}

Tensor linear(Tensor x, Tensor weight, Tensor bias, Loc loc) {
  Call call("linear", loc);
  mlir::Value lhs = call.Use(x), rhs = call.Use(weight);
  if (!lhs || !rhs) return {};
  if (TypeOf(rhs).getRank() != 2)
    return call.Fail(absl::StrCat("weight must be [out, in], not ", Describe(rhs)));
  if (TypeOf(lhs).getRank() == 0) return call.Fail("x has no dimension");
  if (TypeOf(lhs).getRank() == 1)
    return squeeze(linear(unsqueeze(x, 0, loc), weight, bias, loc), 0, loc);
  Tensor y = Product(call, lhs, rhs, /*transpose_rhs=*/true);
  return bias ? Operand(y, loc) + bias : y;
}

Tensor softmax(Tensor x, int64_t dim, Loc loc) {
  return Normalized<SoftmaxOp>("softmax", x, dim, loc);
}

Tensor log_softmax(Tensor x, int64_t dim, Loc loc) {
  return Normalized<LogSoftmaxOp>("log_softmax", x, dim, loc);
}

Tensor layer_norm(Tensor tensor, Tensor weight, Tensor bias, double eps, Loc loc) {
  Call call("layer_norm", loc);
  mlir::Value x = call.UseFloat(tensor), w = call.Use(weight), b = call.Use(bias);
  if (!x || !w || !b || !SameFloats(call, {x, w, b})) return {};
  const Shape shape = DimsOf(x);
  if (shape.empty() || DimsOf(w) != Shape{shape.back()} || DimsOf(b) != Shape{shape.back()})
    return call.Fail(absl::StrCat("weight ", Describe(w), " and bias ", Describe(b),
                                  " are not of the last dim of x: ", Describe(x)));
  if (shape.back() == 0)
    return call.Fail(absl::StrCat("the last dim of ", Describe(x), " is empty"));
  return call.Make<LayerNormOp>(call.axes(x), x.getType(), x, w, b,
                                call.recorder()->builder().getF64FloatAttr(eps));
}

Tensor dropout(Tensor tensor, double p, Loc loc) {
  Call call("dropout", loc);
  mlir::Value x = call.UseFloat(tensor);
  if (!x) return {};
  if (!(p >= 0 && p < 1)) return call.Fail(absl::StrCat("p = ", p, " is not in [0, 1)"));
  if (p == 0 || !call.recorder()->training()) return call.Wrap(x);
  return call.Make<DropoutOp>(call.axes(x), x.getType(), x, call.recorder()->Rng(),
                              llvm::APFloat(p), call.recorder()->NextOpId());
}

Tensor embedding(Tensor ids, Tensor weight, Loc loc) {
  Call call("embedding", loc);
  mlir::Value index = call.UseInteger(ids, "ids"), table = call.Use(weight);
  if (!index || !table) return {};
  if (!IsFloat(table) || TypeOf(table).getRank() != 2)
    return call.Fail(absl::StrCat("weight must be [V, D], not ", Describe(table)));
  return call.Make<EmbeddingOp>(call.axes(index), table, index);
}

Tensor gather(Tensor tensor, int64_t dim, Tensor index, Loc loc) {
  Call call("gather", loc);
  mlir::Value x = call.Use(tensor), i = call.UseInteger(index, "index");
  if (!x || !i) return {};
  std::optional<int64_t> at = call.Dim(dim, x);
  if (!at) return {};
  Shape a = DimsOf(x), b = DimsOf(i);
  if (a.size() == b.size()) a[*at] = b[*at];
  if (a != b)
    return call.Fail(absl::StrCat("index ", Describe(i), " differs from x: ", Describe(x),
                                  " in more than dim ", dim));
  x = call.AsNumber(x);
  return call.Make<GatherOp>(call.axes(i), x, i, *at);
}

Tensor one_hot(Tensor ids, int64_t num_classes, DType dtype, Loc loc) {
  Call call("one_hot", loc);
  mlir::Value index = call.UseInteger(ids, "ids");
  if (!index) return {};
  if (num_classes < 1) return call.Fail(absl::StrCat(num_classes, " classes"));
  Tensor classes = arange(num_classes, DTypeOf(TypeOf(index).getElementType()), loc);
  return to(eq(Operand(unsqueeze(ids, -1, loc), loc), Operand(classes, loc)), dtype, loc);
}

}  // namespace trama
