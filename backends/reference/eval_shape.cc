// Ops that move elements without computing.
#include "backends/reference/evaluators.h"

namespace trama::reference {
namespace {

// y[i] = x[base + sum(i_d * strides_d)].
void Read(const Tensor& x, int64_t base, const Shape& strides, Tensor& y) {
  ForEachElement<1>(y.shape, {strides}, [&](int64_t i, auto at) { y.Move(i, x, base + at[0]); });
}

// The box starts + i * box_strides of a tensor of `shape`, as an offset and strides in elements.
std::pair<int64_t, Shape> Box(const Shape& shape, llvm::ArrayRef<int64_t> starts,
                              llvm::ArrayRef<int64_t> box_strides) {
  int64_t base = 0;
  Shape strides = Strides(shape);
  for (size_t d = 0; d < shape.size(); ++d) {
    base += starts[d] * strides[d];
    strides[d] *= box_strides[d];
  }
  return {base, strides};
}

void Reshape(Inputs<ReshapeOp> in, Results out) {
  out[0].real = in.getX()->real;
  out[0].integer = in.getX()->integer;
}

void Transpose(Inputs<TransposeOp> in, Results out) {
  const Shape dense = Strides(in.getX()->shape);
  Shape strides;
  for (int64_t from : in.getPermutation()) strides.push_back(dense[from]);
  Read(*in.getX(), 0, strides, out[0]);
}

void Broadcast(Inputs<BroadcastOp> in, Results out) {
  Read(*in.getX(), 0, BroadcastStrides(in.getX()->shape, out[0].shape), out[0]);
}

void Slice(Inputs<SliceOp> in, Results out) {
  const auto [base, strides] = Box(in.getX()->shape, in.getStarts(), in.getStrides());
  Read(*in.getX(), base, strides, out[0]);
}

void Pad(Inputs<PadOp> in, Results out) {
  const Tensor& x = *in.getX();
  Tensor& y = out[0];
  const auto box = Box(y.shape, in.getStarts(), in.getStrides());
  ForEachElement<1>(x.shape, {box.second},
                    [&](int64_t i, auto at) { y.Move(box.first + at[0], x, i); });
}

void Concat(Inputs<ConcatOp> in, Results out) {
  Tensor& y = out[0];
  const Shape strides = Strides(y.shape);
  int64_t start = 0;
  for (const Tensor* x : in.getXs()) {
    const int64_t base = start * strides[in.getDim()];
    ForEachElement<1>(x->shape, {strides},
                      [&](int64_t i, auto at) { y.Move(base + at[0], *x, i); });
    start += x->shape[in.getDim()];
  }
}

const bool registered[] = {
    Register<ReshapeOp>(Reshape),
    Register<TransposeOp>(Transpose),
    Register<BroadcastOp>(Broadcast),
    Register<SliceOp>(Slice),
    Register<PadOp>(Pad),
    Register<ConcatOp>(Concat),
};

}  // namespace
}  // namespace trama::reference
