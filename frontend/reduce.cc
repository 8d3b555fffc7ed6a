// Reductions.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "frontend/call.h"

namespace trama {
namespace {
// The dimensions to reduce, ascending; all of them where `dims` is empty.
std::optional<Shape> ReducedDims(Call& call, mlir::Value x, const Shape& dims) {
  Shape result;
  for (int64_t dim : dims) {
    std::optional<int64_t> at = call.Dim(dim, x);
    if (!at) return std::nullopt;
    result.push_back(*at);
  }
  if (dims.empty())
    for (int64_t d = 0; d < TypeOf(x).getRank(); ++d) result.push_back(d);
  std::sort(result.begin(), result.end());
  if (std::adjacent_find(result.begin(), result.end()) != result.end()) {
    call.Fail(absl::StrCat("a dim of x: ", Describe(x), " is given twice"));
    return std::nullopt;
  }
  for (int64_t d : result)
    if (TypeOf(x).getDimSize(d) == 0) {
      call.Fail(absl::StrCat("dim ", d, " of x: ", Describe(x), " is empty"));
      return std::nullopt;
    }
  return result;
}

uint64_t ReducedAxes(uint64_t axes, const Shape& dims, bool keepdim) {
  for (auto d = dims.rbegin(); d != dims.rend(); ++d) {
    const uint64_t below = axes & ((uint64_t{1} << *d) - 1), above = axes >> (*d + 1);
    axes = below | above << (keepdim ? *d + 1 : *d);
  }
  return axes;
}

template <typename OpTy>
Tensor Reduce(Call& call, mlir::Value x, const Shape& dims, bool keepdim) {
  if (!x) return {};
  x = call.AsNumber(x);
  std::optional<Shape> normal = ReducedDims(call, x, dims);
  if (!normal) return {};
  if (normal->empty()) return call.Wrap(x);  // of a scalar
  return call.Make<OpTy>(ReducedAxes(call.axes(x), *normal, keepdim), x, *normal, keepdim);
}
}  // namespace

Tensor sum(Tensor x, const Shape& dims, bool keepdim, Loc loc) {
  Call call("sum", loc);
  return Reduce<SumOp>(call, call.Use(x), dims, keepdim);
}

Tensor mean(Tensor x, const Shape& dims, bool keepdim, Loc loc) {
  Call call("mean", loc);
  return Reduce<MeanOp>(call, call.UseFloat(x), dims, keepdim);
}

Tensor amax(Tensor x, const Shape& dims, bool keepdim, Loc loc) {
  Call call("amax", loc);
  return Reduce<ReduceMaxOp>(call, call.Use(x), dims, keepdim);
}

Tensor amin(Tensor x, const Shape& dims, bool keepdim, Loc loc) {
  return -Operand(amax(-Operand(x, loc), dims, keepdim, loc), loc);
}

Tensor var(Tensor tensor, const Shape& dims, bool keepdim, double correction, Loc loc) {
  Call call("var", loc);
  mlir::Value x = call.UseFloat(tensor);
  if (!x) return {};
  std::optional<Shape> normal = ReducedDims(call, x, dims);
  if (!normal) return {};
  double count = 1;
  for (int64_t d : *normal) count *= static_cast<double>(TypeOf(x).getDimSize(d));
  Tensor away = Operand(tensor, loc) - mean(tensor, *normal, /*keepdim=*/true, loc);
  Tensor biased = mean(square(away, loc), *normal, keepdim, loc);
  if (correction == 0) return biased;
  return Operand(biased, loc) * (count / std::max(count - correction, 0.0));
}

Tensor argmax(Tensor tensor, int64_t dim, bool keepdim, Loc loc) {
  Call call("argmax", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  std::optional<Shape> dims = ReducedDims(call, x, {dim});
  if (!dims) return {};
  x = call.AsNumber(x);
  return call.Make<ArgmaxOp>(ReducedAxes(call.axes(x), *dims, keepdim), x, dims->front(), keepdim);
}

std::pair<Tensor, Tensor> topk(Tensor tensor, int64_t k, int64_t dim, Loc loc) {
  Call call("topk", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  std::optional<int64_t> at = call.Dim(dim, x);
  if (!at) return {};
  const int64_t size = TypeOf(x).getDimSize(*at), last = TypeOf(x).getRank() - 1;
  if (k < 1 || k > size) {
    call.Fail(
        absl::StrCat("k ", k, " is not in [1, ", size, "], dim ", *at, " of x: ", Describe(x)));
    return {};
  }
  if (*at != last) {
    auto [values, indices] = topk(transpose(tensor, *at, last, loc), k, -1, loc);
    return {transpose(values, *at, last, loc), transpose(indices, *at, last, loc)};
  }
  x = call.AsNumber(x);
  const uint64_t axes = call.axes(x) & ~(uint64_t{1} << last);  // k is no length
  mlir::Value values = call.Build<TopKOp>(axes, x, k);
  mlir::Value indices = values.getDefiningOp()->getResult(1);
  call.recorder()->set_time_axes(indices, axes);
  return {call.Wrap(values), call.Wrap(indices)};
}

Tensor logsumexp(Tensor x, int64_t dim, bool keepdim, Loc loc) {
  Operand max(amax(x, {dim}, /*keepdim=*/true, loc), loc);
  Tensor y = max + log(sum(exp(Operand(x, loc) - max, loc), {dim}, /*keepdim=*/true, loc), loc);
  return keepdim ? y : squeeze(y, dim, loc);
}

}  // namespace trama
