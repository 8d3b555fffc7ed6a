// The DSL's functions, with PyTorch's names and semantics. x: a tensor of any shape unless a shape
// is given; a negative `dim` counts from the end. Every function knows the line it was called from.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "frontend/tensor.h"

namespace trama {

// ---- element by element
Tensor abs(Tensor x, Loc loc = Loc::current());
Tensor sign(Tensor x, Loc loc = Loc::current());
Tensor exp(Tensor x, Loc loc = Loc::current());
Tensor log(Tensor x, Loc loc = Loc::current());
Tensor log1p(Tensor x, Loc loc = Loc::current());  // ln(1 + x), to the absolute accuracy of log
Tensor sqrt(Tensor x, Loc loc = Loc::current());
Tensor rsqrt(Tensor x, Loc loc = Loc::current());
Tensor square(Tensor x, Loc loc = Loc::current());
Tensor reciprocal(Tensor x, Loc loc = Loc::current());
Tensor erf(Tensor x, Loc loc = Loc::current());
Tensor sin(Tensor x, Loc loc = Loc::current());
Tensor cos(Tensor x, Loc loc = Loc::current());
Tensor floor(Tensor x, Loc loc = Loc::current());
Tensor tanh(Tensor x, Loc loc = Loc::current());
Tensor sigmoid(Tensor x, Loc loc = Loc::current());
Tensor softplus(Tensor x, Loc loc = Loc::current());  // ln(1 + e^x), stable; slope 1/2 at 0
Tensor relu(Tensor x, Loc loc = Loc::current());
enum class Gelu { kErf, kTanh };  // torch's approximate = "none", "tanh"
Tensor gelu(Tensor x, Gelu approximate = Gelu::kErf, Loc loc = Loc::current());
Tensor silu(Tensor x, Loc loc = Loc::current());
// By name: "relu", "gelu", "gelu_new" (tanh), "gelu_pytorch_tanh", "gelu_fast", "silu", "swish",
// "tanh", "sigmoid", "linear". Another name is an error of the trace.
Tensor activation(const std::string& name, Tensor x, Loc loc = Loc::current());
bool IsActivation(const std::string& name);

Tensor pow(Operand base, Operand exponent);
Tensor maximum(Operand a, Operand b);
Tensor minimum(Operand a, Operand b);
Tensor clamp(Tensor x, Operand min, Operand max);
Tensor eq(Operand a, Operand b);
Tensor ne(Operand a, Operand b);
Tensor lt(Operand a, Operand b);
Tensor le(Operand a, Operand b);
Tensor gt(Operand a, Operand b);
Tensor ge(Operand a, Operand b);
Tensor logical_and(Operand a, Operand b);
Tensor logical_or(Operand a, Operand b);
Tensor logical_not(Operand x);
// `input` where the bool `condition` holds, else `other`; the three broadcast. Two numbers give
// f32, or i32 where both are integers.
Tensor where(Tensor condition, Operand input, Operand other);
// x with `value` where the bool `mask` holds; mask broadcasts to x.
Tensor masked_fill(Tensor x, Tensor mask, double value, Loc loc = Loc::current());
Tensor to(Tensor x, DType dtype, Loc loc = Loc::current());

// ---- constants. A float dtype of kF32 becomes the trace's float type.
Tensor full(const Sizes& shape, double value, DType dtype = DType::kF32, Loc loc = Loc::current());
Tensor zeros(const Sizes& shape, DType dtype = DType::kF32, Loc loc = Loc::current());
Tensor ones(const Sizes& shape, DType dtype = DType::kF32, Loc loc = Loc::current());
// 0, 1, .., end - 1: positions where `end` is the size of the time axis.
Tensor arange(Size end, DType dtype = DType::kI32, Loc loc = Loc::current());
// f32 [T, S] for scores [.., T, S]: 0 where query i sees key j <= i, else -infinity.
Tensor causal_mask(Tensor scores, Loc loc = Loc::current());

// ---- reductions over `dims`, all where empty. The reduced ones stay with size 1 if `keepdim`.
Tensor sum(Tensor x, const Shape& dims = {}, bool keepdim = false, Loc loc = Loc::current());
Tensor mean(Tensor x, const Shape& dims = {}, bool keepdim = false, Loc loc = Loc::current());
// Divides by n - correction, as torch does; layer normalisation wants correction 0.
Tensor var(Tensor x, const Shape& dims = {}, bool keepdim = false, double correction = 1,
           Loc loc = Loc::current());
Tensor amax(Tensor x, const Shape& dims = {}, bool keepdim = false, Loc loc = Loc::current());
Tensor amin(Tensor x, const Shape& dims = {}, bool keepdim = false, Loc loc = Loc::current());
// i32, the lowest index on a tie.
Tensor argmax(Tensor x, int64_t dim, bool keepdim = false, Loc loc = Loc::current());
// The k largest along `dim`, in order, and their i32 indices; the lower index comes first on a tie.
std::pair<Tensor, Tensor> topk(Tensor x, int64_t k, int64_t dim = -1, Loc loc = Loc::current());
Tensor logsumexp(Tensor x, int64_t dim, bool keepdim = false, Loc loc = Loc::current());

// ---- other shapes
Tensor reshape(Tensor x, const Sizes& shape, Loc loc = Loc::current());  // one size may be -1
Tensor flatten(Tensor x, int64_t start_dim = 0, int64_t end_dim = -1, Loc loc = Loc::current());
Tensor unflatten(Tensor x, int64_t dim, const Sizes& sizes, Loc loc = Loc::current());
Tensor squeeze(Tensor x, int64_t dim, Loc loc = Loc::current());  // as it is unless of size 1
Tensor unsqueeze(Tensor x, int64_t dim, Loc loc = Loc::current());
Tensor transpose(Tensor x, int64_t dim0, int64_t dim1, Loc loc = Loc::current());
Tensor permute(Tensor x, const Shape& dims, Loc loc = Loc::current());
Tensor expand(Tensor x, const Sizes& shape, Loc loc = Loc::current());  // -1 keeps a size
// x[.., start : end : step, ..] at `dim`, with Python's reading of negative and too large bounds.
Tensor slice(Tensor x, int64_t dim, int64_t start, int64_t end, int64_t step = 1,
             Loc loc = Loc::current());
Tensor select(Tensor x, int64_t dim, int64_t index, Loc loc = Loc::current());  // x[.., index, ..]
Tensor cat(const std::vector<Tensor>& tensors, int64_t dim = 0, Loc loc = Loc::current());
Tensor concat(const std::vector<Tensor>& tensors, int64_t dim = 0, Loc loc = Loc::current());
Tensor stack(const std::vector<Tensor>& tensors, int64_t dim = 0, Loc loc = Loc::current());
// Pieces of the given sizes, which add up to the dimension's; always as many as there are sizes.
std::vector<Tensor> split(Tensor x, const Shape& sizes, int64_t dim = 0, Loc loc = Loc::current());
// `chunks` equal pieces: the size must divide (torch makes the last one smaller).
std::vector<Tensor> chunk(Tensor x, int64_t chunks, int64_t dim = 0, Loc loc = Loc::current());
// auto [q, k, v] = chunk<3>(x, -1);
template <size_t N>
std::array<Tensor, N> chunk(Tensor x, int64_t dim = 0, Loc loc = Loc::current()) {
  const std::vector<Tensor> pieces = chunk(x, N, dim, loc);
  std::array<Tensor, N> result;
  std::copy(pieces.begin(), pieces.end(), result.begin());
  return result;
}

// ---- indexing
// ids: integers of any shape; weight: [V, D] -> shape(ids) x D. An id outside [0, V) gives zeros.
Tensor embedding(Tensor ids, Tensor weight, Loc loc = Loc::current());
// y[.., j, ..] = x[.., index[.., j, ..], ..] at `dim`; the other sizes of index are x's.
Tensor gather(Tensor x, int64_t dim, Tensor index, Loc loc = Loc::current());
// ids: integers -> shape(ids) x num_classes, of `dtype`.
Tensor one_hot(Tensor ids, int64_t num_classes, DType dtype = DType::kF32,
               Loc loc = Loc::current());

// ---- layers
// a: [.., M, K], b: [.., K, N] -> [.., M, N]. A one-dimensional operand is a row or a column that
// goes from the result.
Tensor matmul(Tensor a, Tensor b, Loc loc = Loc::current());
// x: [.., in], weight: [out, in], bias: [out] or empty -> [.., out].
Tensor linear(Tensor x, Tensor weight, Tensor bias = {}, Loc loc = Loc::current());
Tensor softmax(Tensor x, int64_t dim, Loc loc = Loc::current());
Tensor log_softmax(Tensor x, int64_t dim, Loc loc = Loc::current());
// Over the last dimension. x: [.., C], weight, bias: [C].
Tensor layer_norm(Tensor x, Tensor weight, Tensor bias, double eps = 1e-5,
                  Loc loc = Loc::current());
// Zero with probability p and x / (1 - p) else, in training programs; x in others.
Tensor dropout(Tensor x, double p, Loc loc = Loc::current());

// Runs step(carry, x_t) -> (carry, y_t) over the steps x_t of xs along `dim` and returns the last
// carry and the y_t stacked along `dim`. The loop is unrolled: its length is static.
template <typename Carry, typename Step>
std::pair<Carry, Tensor> scan(Tensor xs, Carry init, Step step, int64_t dim = 0,
                              Loc loc = Loc::current()) {
  std::vector<Tensor> ys;
  const int64_t steps = xs.size(dim, loc);
  for (int64_t t = 0; t < steps; ++t) {
    auto [carry, y] = step(init, select(xs, dim, t, loc));
    init = carry;
    ys.push_back(y);
  }
  return {init, stack(ys, dim, loc)};
}

}  // namespace trama
