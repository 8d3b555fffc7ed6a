#include "frontend/tensor.h"

#include "absl/strings/str_cat.h"
#include "frontend/call.h"
#include "frontend/nn.h"
#include "ir/element_type.h"

namespace trama {
namespace {
// Null where there is nothing: questions about an empty tensor are no errors, uses of it are.
mlir::Value Known(const Tensor& tensor) {
  Recorder* recorder = Recorder::Current();
  return recorder && tensor ? recorder->Use(tensor, "tensor", Loc::current()) : mlir::Value();
}
}  // namespace

DType Tensor::dtype() const {
  mlir::Value x = Known(*this);
  return x ? DTypeOf(TypeOf(x).getElementType()) : DType::kF32;
}

Shape Tensor::shape() const {
  if (parameter_) return parameter_->shape();
  mlir::Value x = Known(*this);
  return x ? DimsOf(x) : Shape{};
}

int64_t Tensor::dim() const { return static_cast<int64_t>(shape().size()); }

int64_t Tensor::numel() const { return NumElements(shape()).value_or(0); }

Size Tensor::size(int64_t dim, Loc loc) const {
  Call call("size", loc);
  mlir::Value x = call.Use(*this);
  if (!x) return 1;  // the code that follows may divide by it
  std::optional<int64_t> at = call.Dim(dim, x);
  if (!at) return 1;
  return Size(TypeOf(x).getDimSize(*at), (call.axes(x) >> *at & 1) != 0);
}

Tensor Tensor::transpose(int64_t dim0, int64_t dim1, Loc loc) const {
  return trama::transpose(*this, dim0, dim1, loc);
}
Tensor Tensor::permute(const Shape& dims, Loc loc) const {
  return trama::permute(*this, dims, loc);
}
Tensor Tensor::reshape(const Sizes& shape, Loc loc) const {
  return trama::reshape(*this, shape, loc);
}
Tensor Tensor::view(const Sizes& shape, Loc loc) const { return trama::reshape(*this, shape, loc); }
Tensor Tensor::flatten(int64_t start_dim, int64_t end_dim, Loc loc) const {
  return trama::flatten(*this, start_dim, end_dim, loc);
}
Tensor Tensor::unflatten(int64_t dim, const Sizes& sizes, Loc loc) const {
  return trama::unflatten(*this, dim, sizes, loc);
}
Tensor Tensor::squeeze(int64_t dim, Loc loc) const { return trama::squeeze(*this, dim, loc); }
Tensor Tensor::unsqueeze(int64_t dim, Loc loc) const { return trama::unsqueeze(*this, dim, loc); }
Tensor Tensor::expand(const Sizes& shape, Loc loc) const {
  return trama::expand(*this, shape, loc);
}
Tensor Tensor::select(int64_t dim, int64_t index, Loc loc) const {
  return trama::select(*this, dim, index, loc);
}
Tensor Tensor::sum(const Shape& dims, bool keepdim, Loc loc) const {
  return trama::sum(*this, dims, keepdim, loc);
}
Tensor Tensor::mean(const Shape& dims, bool keepdim, Loc loc) const {
  return trama::mean(*this, dims, keepdim, loc);
}
Tensor Tensor::masked_fill(Tensor mask, double value, Loc loc) const {
  return trama::masked_fill(*this, mask, value, loc);
}
Tensor Tensor::to(DType dtype, Loc loc) const { return trama::to(*this, dtype, loc); }

}  // namespace trama
