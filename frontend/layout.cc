// Functions that move elements to other shapes, and constants.
#include <limits>

#include "absl/strings/str_cat.h"
#include "frontend/call.h"

namespace trama {
namespace {
uint64_t Bit(int64_t dim) { return uint64_t{1} << dim; }
// The bits below `dim`.
uint64_t Below(uint64_t axes, int64_t dim) { return axes & (Bit(dim) - 1); }

// Axes where dimensions [from, from + removed) are replaced by `added` new ones.
uint64_t Replaced(uint64_t axes, int64_t from, int64_t removed, int64_t added, uint64_t new_axes) {
  return Below(axes, from) | new_axes << from | (axes >> (from + removed)) << (from + added);
}

mlir::RankedTensorType WithShape(mlir::Value x, const Shape& shape) {
  return mlir::RankedTensorType::get(shape, TypeOf(x).getElementType());
}

Tensor Reshape(Call& call, mlir::Value x, const Shape& shape, uint64_t axes) {
  if (DimsOf(x) == shape && call.axes(x) == axes) return call.Wrap(x);
  return call.Make<ReshapeOp>(axes, WithShape(x, shape), x);
}

// `sizes` with its one -1 computed so that the product is `elements`.
std::optional<Shape> Resolve(const Sizes& sizes, int64_t elements) {
  if (sizes.get().size() > kMaxRank) return std::nullopt;
  Shape shape;
  int64_t known = 1, unknown = -1;
  for (const Size& size : sizes.get()) {
    if (size == -1 && unknown < 0) {
      unknown = static_cast<int64_t>(shape.size());
    } else if (size < 0 || __builtin_mul_overflow(known, int64_t{size}, &known)) {
      return std::nullopt;
    }
    shape.push_back(size);
  }
  if (unknown >= 0) {
    if (known == 0 || elements % known) return std::nullopt;
    shape[unknown] = elements / known;
    known *= shape[unknown];
  }
  return known == elements ? std::optional(shape) : std::nullopt;
}

std::string Text(const Sizes& sizes) {
  std::string text = "(";
  for (const Size& size : sizes.get())
    absl::StrAppend(&text, text.size() > 1 ? ", " : "", int64_t{size});
  return text + ")";
}

// The time axes that a reshape keeps: dimensions of equal size before any others were merged or
// split, from the front and from the back, and those that the sizes say.
uint64_t ReshapedAxes(uint64_t axes, const Shape& from, const Shape& to, const Sizes& sizes) {
  uint64_t result = 0;
  const int64_t n = from.size(), m = to.size();
  int64_t front = 0, back = 0;
  for (; front < std::min(n, m) && from[front] == to[front]; ++front)
    if (axes >> front & 1) result |= Bit(front);
  for (; back < std::min(n, m) - front && from[n - 1 - back] == to[m - 1 - back]; ++back)
    if (axes >> (n - 1 - back) & 1) result |= Bit(m - 1 - back);
  for (int64_t d = 0; d < m; ++d)
    if (sizes.get()[d].is_time()) result |= Bit(d);
  return result;
}
}  // namespace

Tensor reshape(Tensor tensor, const Sizes& sizes, Loc loc) {
  Call call("reshape", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  std::optional<Shape> shape = Resolve(sizes, TypeOf(x).getNumElements());
  if (!shape) return call.Fail(absl::StrCat(Describe(x), " does not fit ", Text(sizes)));
  return Reshape(call, x, *shape, ReshapedAxes(call.axes(x), DimsOf(x), *shape, sizes));
}

Tensor flatten(Tensor tensor, int64_t start_dim, int64_t end_dim, Loc loc) {
  Call call("flatten", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  if (TypeOf(x).getRank() == 0) return Reshape(call, x, {1}, 0);
  std::optional<int64_t> start = call.Dim(start_dim, x), end = call.Dim(end_dim, x);
  if (!start || !end) return {};
  if (*start > *end)
    return call.Fail(absl::StrCat("dim ", start_dim, " comes after dim ", end_dim));
  if (*start == *end) return tensor;
  Shape shape = DimsOf(x);
  int64_t merged = 1;
  for (int64_t d = *start; d <= *end; ++d) merged *= shape[d];
  shape.erase(shape.begin() + *start + 1, shape.begin() + *end + 1);
  shape[*start] = merged;
  return Reshape(call, x, shape, Replaced(call.axes(x), *start, *end - *start + 1, 1, 0));
}

Tensor unflatten(Tensor tensor, int64_t dim, const Sizes& sizes, Loc loc) {
  Call call("unflatten", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  std::optional<int64_t> at = call.Dim(dim, x);
  if (!at) return {};
  std::optional<Shape> parts = Resolve(sizes, TypeOf(x).getDimSize(*at));
  if (!parts)
    return call.Fail(absl::StrCat("dim ", dim, " of ", Describe(x), " does not fit ", Text(sizes)));
  Shape shape = DimsOf(x);
  shape.erase(shape.begin() + *at);
  shape.insert(shape.begin() + *at, parts->begin(), parts->end());
  uint64_t axes = 0;
  for (size_t d = 0; d < parts->size(); ++d)
    if (sizes.get()[d].is_time()) axes |= Bit(d);
  return Reshape(call, x, shape, Replaced(call.axes(x), *at, 1, parts->size(), axes));
}

Tensor squeeze(Tensor tensor, int64_t dim, Loc loc) {
  Call call("squeeze", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  std::optional<int64_t> at = call.Dim(dim, x);
  if (!at) return {};
  if (TypeOf(x).getDimSize(*at) != 1) return tensor;
  Shape shape = DimsOf(x);
  shape.erase(shape.begin() + *at);
  return Reshape(call, x, shape, Replaced(call.axes(x), *at, 1, 0, 0));
}

Tensor unsqueeze(Tensor tensor, int64_t dim, Loc loc) {
  Call call("unsqueeze", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  std::optional<int64_t> at = NormalizeDim(dim, TypeOf(x).getRank() + 1);
  if (!at) return call.Fail(absl::StrCat("dim ", dim, " is out of range for x: ", Describe(x)));
  Shape shape = DimsOf(x);
  shape.insert(shape.begin() + *at, 1);
  return Reshape(call, x, shape, Replaced(call.axes(x), *at, 0, 1, 0));
}

Tensor permute(Tensor tensor, const Shape& dims, Loc loc) {
  Call call("permute", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  Shape order;
  uint64_t seen = 0, axes = 0;
  for (int64_t dim : dims) {
    std::optional<int64_t> at = call.Dim(dim, x);
    if (!at) return {};
    if (call.axes(x) >> *at & 1) axes |= Bit(order.size());
    seen |= Bit(*at);
    order.push_back(*at);
  }
  if (dims.size() != static_cast<size_t>(TypeOf(x).getRank()) || seen != Bit(dims.size()) - 1)
    return call.Fail(
        absl::StrCat("dims ", Text(dims), " are not an order of those of x: ", Describe(x)));
  return call.Make<TransposeOp>(axes, x, order);
}

Tensor transpose(Tensor tensor, int64_t dim0, int64_t dim1, Loc loc) {
  Call call("transpose", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  std::optional<int64_t> a = call.Dim(dim0, x), b = call.Dim(dim1, x);
  if (!a || !b) return {};
  Shape order(TypeOf(x).getRank());
  for (size_t d = 0; d < order.size(); ++d) order[d] = static_cast<int64_t>(d);
  std::swap(order[*a], order[*b]);
  return permute(tensor, order, loc);
}

Tensor expand(Tensor tensor, const Sizes& sizes, Loc loc) {
  Call call("expand", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  if (sizes.get().size() > kMaxRank)
    return call.Fail(absl::StrCat("more than ", kMaxRank, " dimensions"));
  Shape shape;
  const int64_t added = sizes.get().size() - TypeOf(x).getRank();
  uint64_t axes = 0;
  for (const Size& size : sizes.get()) {
    const int64_t d = shape.size(), own = d >= added ? TypeOf(x).getDimSize(d - added) : 1;
    shape.push_back(size == -1 && d >= added ? own : int64_t{size});
    if (size.is_time() || (d >= added && shape[d] == own && (call.axes(x) >> (d - added) & 1)))
      axes |= Bit(d);
  }
  if (Broadcast(TypeOf(x).getShape(), shape) != shape)
    return call.Fail(absl::StrCat(Describe(x), " does not expand to ", Text(sizes)));
  if (shape == DimsOf(x)) return tensor;
  return call.Make<BroadcastOp>(axes, WithShape(x, shape), x);
}

Tensor slice(Tensor tensor, int64_t dim, int64_t start, int64_t end, int64_t step, Loc loc) {
  Call call("slice", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  std::optional<int64_t> at = call.Dim(dim, x);
  if (!at) return {};
  if (step < 1) return call.Fail(absl::StrCat("step ", step, " is not positive"));
  const int64_t size = TypeOf(x).getDimSize(*at);
  auto bound = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t from = bound(start), to = std::max(from, bound(end));
  if (from == 0 && to == size && step == 1) return tensor;
  Shape shape = DimsOf(x), starts(shape.size(), 0), strides(shape.size(), 1);
  shape[*at] = (to - from + step - 1) / step;
  starts[*at] = from;
  strides[*at] = step;
  return call.Make<SliceOp>(call.axes(x) & ~Bit(*at), WithShape(x, shape), x, starts, strides);
}

Tensor select(Tensor tensor, int64_t dim, int64_t index, Loc loc) {
  Call call("select", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return {};
  std::optional<int64_t> at = call.Dim(dim, x);
  if (!at) return {};
  std::optional<int64_t> i = NormalizeDim(index, TypeOf(x).getDimSize(*at));
  if (!i)
    return call.Fail(
        absl::StrCat("index ", index, " is out of range for dim ", dim, " of x: ", Describe(x)));
  return squeeze(slice(tensor, *at, *i, *i + 1, 1, loc), *at, loc);
}

Tensor cat(const std::vector<Tensor>& tensors, int64_t dim, Loc loc) {
  Call call("cat", loc);
  llvm::SmallVector<mlir::Value> xs;
  for (const Tensor& tensor : tensors) {
    xs.push_back(call.Use(tensor));
    if (!xs.back()) return {};
  }
  if (xs.empty()) return call.Fail("no tensors");
  std::optional<int64_t> at = call.Dim(dim, xs[0]);
  if (!at) return {};
  uint64_t axes = 0;
  for (mlir::Value x : xs) {
    Shape a = DimsOf(xs[0]), b = DimsOf(x);
    if (a.size() == b.size()) a[*at] = b[*at];
    if (a != b || TypeOf(x).getElementType() != TypeOf(xs[0]).getElementType())
      return call.Fail(
          absl::StrCat(Describe(xs[0]), " and ", Describe(x), " differ in more than dim ", dim));
    axes |= call.axes(x);
  }
  return call.Make<ConcatOp>(axes & ~Bit(*at), xs, *at);
}

Tensor concat(const std::vector<Tensor>& tensors, int64_t dim, Loc loc) {
  return cat(tensors, dim, loc);
}

Tensor stack(const std::vector<Tensor>& tensors, int64_t dim, Loc loc) {
  Call call("stack", loc);
  std::vector<Tensor> rows;
  for (const Tensor& tensor : tensors) rows.push_back(unsqueeze(tensor, dim, loc));
  if (rows.empty()) return call.Fail("no tensors");
  return cat(rows, dim, loc);
}

std::vector<Tensor> split(Tensor tensor, const Shape& sizes, int64_t dim, Loc loc) {
  std::vector<Tensor> pieces(sizes.size());
  Call call("split", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return pieces;
  std::optional<int64_t> at = call.Dim(dim, x);
  if (!at) return pieces;
  int64_t total = 0;
  bool negative = false;
  for (int64_t size : sizes) total += size, negative |= size < 0;
  if (negative || total != TypeOf(x).getDimSize(*at)) {
    call.Fail(
        absl::StrCat("sizes ", Text(sizes), " do not add up to dim ", dim, " of x: ", Describe(x)));
    return pieces;
  }
  int64_t start = 0;
  for (size_t i = 0; i < sizes.size(); start += sizes[i++])
    pieces[i] = slice(tensor, *at, start, start + sizes[i], 1, loc);
  return pieces;
}

std::vector<Tensor> chunk(Tensor tensor, int64_t chunks, int64_t dim, Loc loc) {
  std::vector<Tensor> pieces(std::max<int64_t>(chunks, 0));
  Call call("chunk", loc);
  mlir::Value x = call.Use(tensor);
  if (!x) return pieces;
  std::optional<int64_t> at = call.Dim(dim, x);
  if (!at) return pieces;
  const int64_t size = TypeOf(x).getDimSize(*at);
  if (chunks < 1 || size % chunks) {
    call.Fail(
        absl::StrCat("dim ", dim, " of x: ", Describe(x), " is not ", chunks, " equal pieces"));
    return pieces;
  }
  return split(tensor, Shape(chunks, size / chunks), *at, loc);
}

Tensor full(const Sizes& sizes, double value, DType dtype, Loc loc) {
  Call call("full", loc);
  if (!call.recorder()) return {};
  if (sizes.get().size() > kMaxRank)
    return call.Fail(absl::StrCat("more than ", kMaxRank, " dimensions"));
  Shape shape;
  uint64_t axes = 0;
  for (const Size& size : sizes.get()) {
    if (size < 0) return call.Fail(absl::StrCat("the shape ", Text(sizes), " is negative"));
    if (size.is_time()) axes |= Bit(shape.size());
    shape.push_back(size);
  }
  mlir::Value y = call.recorder()->Splat(value, call.recorder()->TensorType(dtype, shape), loc);
  call.recorder()->set_time_axes(y, axes);
  return call.Wrap(y);
}
Tensor zeros(const Sizes& shape, DType dtype, Loc loc) { return full(shape, 0, dtype, loc); }
Tensor ones(const Sizes& shape, DType dtype, Loc loc) { return full(shape, 1, dtype, loc); }

Tensor arange(Size end, DType dtype, Loc loc) {
  Call call("arange", loc);
  if (!call.recorder()) return {};
  if (end < 0) return call.Fail(absl::StrCat("end ", int64_t{end}, " is negative"));
  if (dtype == DType::kBool) return call.Fail("bool does not count");
  return call.Make<IotaOp>(end.is_time(), call.recorder()->TensorType(dtype, {end}), 0,
                           end.is_time());
}

Tensor causal_mask(Tensor tensor, Loc loc) {
  Call call("causal_mask", loc);
  mlir::Value scores = call.UseFloat(tensor);
  if (!scores) return {};
  const mlir::RankedTensorType type = TypeOf(scores);
  const int64_t rank = type.getRank();
  if (rank < 2) return call.Fail(absl::StrCat("scores must be [.., T, S], not ", Describe(scores)));
  const uint64_t axes = call.axes(scores) >> (rank - 2);
  const mlir::RankedTensorType index = call.recorder()->TensorType(
      DType::kI32, {type.getDimSize(rank - 2), type.getDimSize(rank - 1)});
  mlir::Value query = call.Build<IotaOp>(axes, index, 0, (axes & 1) != 0);
  mlir::Value key = call.Build<IotaOp>(axes, index, 1, (axes & 2) != 0);
  mlir::Value seen = call.Build<CompareOp>(axes, ComparePredicate::le, key, query);
  const auto scalar = mlir::RankedTensorType::get({}, type.getElementType());
  mlir::Value zero = call.recorder()->Splat(0, scalar, loc);
  mlir::Value infinity =
      call.recorder()->Splat(-std::numeric_limits<double>::infinity(), scalar, loc);
  return call.Make<SelectOp>(axes, seen, zero, infinity);
}

}  // namespace trama
