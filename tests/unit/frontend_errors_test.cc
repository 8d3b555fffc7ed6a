// A wrong shape, dtype or argument is an error with the op, the shapes and the DSL's line; the
// model's code runs on to its end.
#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "frontend/functional.h"
#include "frontend/loss.h"
#include "tests/unit/frontend_testing.h"

namespace trama {
namespace {
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// a: f32 [2, 3], b: f32 [4, 5], ids: i32 [2], mask: bool [2, 3].
using Case = std::function<Tensor(Tensor a, Tensor b, Tensor ids, Tensor mask)>;

absl::Status Result(const Case& f) {
  return TraceFunction([&](const std::vector<Tensor>& in) { return f(in[0], in[1], in[2], in[3]); },
                       {{DType::kF32, {2, 3}},
                        {DType::kF32, {4, 5}},
                        {DType::kI32, {2}},
                        {DType::kBool, {2, 3}}})
      .status();
}

// `code` is an expression of a, b, ids and mask on the macro's own line.
#define EXPECT_ERROR(message, code)                                                                \
  EXPECT_THAT(                                                                                     \
      Result([]([[maybe_unused]] Tensor a, [[maybe_unused]] Tensor b, [[maybe_unused]] Tensor ids, \
                [[maybe_unused]] Tensor mask) -> Tensor { return code; }),                         \
      StatusIs(kInvalid, absl::StrCat(message, " (frontend_errors_test.cc:", __LINE__, ")")))

TEST(FrontendErrors, Pointwise) {
  EXPECT_ERROR("add: tensor<2x3xf32> and tensor<4x5xf32> do not broadcast", a + b);
  EXPECT_ERROR("pow: tensor<2x3xf32> and tensor<4x5xf32> do not broadcast", pow(a, b));
  EXPECT_ERROR("lt: tensor<2x3xf32> and tensor<4x5xf32> do not broadcast", a < b);
  EXPECT_ERROR("maximum: wants a tensor", maximum(1, 2));
  EXPECT_ERROR("logical_and: operands must be bool, not tensor<2x3xf32>", a & mask);
  EXPECT_ERROR("logical_not: x must be bool, not tensor<2x3xf32>", ~a);
  EXPECT_ERROR("where: condition must be bool, not tensor<2x3xf32>", where(a, a, a));
  EXPECT_ERROR("where: tensor<2x3xi1> and tensor<4x5xf32> do not broadcast", where(mask, b, 0.0));
  EXPECT_ERROR("masked_fill: mask must be bool, not tensor<2x3xf32>", masked_fill(a, a, 0));
  EXPECT_ERROR("mask tensor<2x3xi1> does not broadcast to x: tensor<4x5xf32>",
               masked_fill(b, mask, 0));
  EXPECT_ERROR("activation: 'rellu' is unknown", activation("rellu", a));
  EXPECT_ERROR("exp: an operand is empty", exp(Tensor()));
}

TEST(FrontendErrors, Dimensions) {
  EXPECT_ERROR("softmax: dim 3 is out of range for x: tensor<2x3xf32>", softmax(a, 3));
  EXPECT_ERROR("log_softmax: dim -3 is out of range for x: tensor<2x3xf32>", log_softmax(a, -3));
  EXPECT_ERROR("softmax: dim -1 of x: tensor<2x0xf32> is empty", softmax(slice(a, 1, 3, 3), -1));
  EXPECT_ERROR("log_softmax: dim 0 of x: tensor<0x3xf32> is empty",
               log_softmax(slice(a, 0, 2, 2), 0));
  EXPECT_ERROR("sum: dim 2 is out of range for x: tensor<2x3xf32>", a.sum({2}));
  EXPECT_ERROR("mean: a dim of x: tensor<2x3xf32> is given twice", a.mean({1, -1}));
  EXPECT_ERROR("topk: k 4 is not in [1, 3], dim 1 of x: tensor<2x3xf32>", topk(a, 4).first);
  EXPECT_ERROR("topk: k 0 is not in [1, 2], dim 0 of x: tensor<2x3xf32>", topk(a, 0, 0).first);
  EXPECT_ERROR("topk: dim 2 is out of range for x: tensor<2x3xf32>", topk(a, 1, 2).second);
  EXPECT_ERROR("argmax: dim 2 is out of range for x: tensor<2x3xf32>", argmax(a, 2));
  EXPECT_ERROR("amax: dim 0 of x: tensor<0x3xf32> is empty", amax(slice(a, 0, 2, 2)));
  EXPECT_ERROR("size: dim 4 is out of range for x: tensor<2x3xf32>", a + a.size(4));
  EXPECT_ERROR("unsqueeze: dim 4 is out of range for x: tensor<2x3xf32>", a.unsqueeze(4));
  EXPECT_ERROR("transpose: dim 2 is out of range for x: tensor<2x3xf32>", a.transpose(0, 2));
  EXPECT_ERROR("permute: dims (0, 0) are not an order of those of x: tensor<2x3xf32>",
               a.permute({0, 0}));
}

TEST(FrontendErrors, Shapes) {
  EXPECT_ERROR("reshape: tensor<2x3xf32> does not fit (4, -1)", a.reshape({4, -1}));
  EXPECT_ERROR("reshape: tensor<2x3xf32> does not fit (-1, -1)", a.view({-1, -1}));
  EXPECT_ERROR("reshape: tensor<2x3xf32> does not fit (0, -1)", a.reshape({0, -1}));
  EXPECT_ERROR("unflatten: dim -1 of tensor<2x3xf32> does not fit (2, -1)",
               a.unflatten(-1, {2, -1}));
  EXPECT_ERROR("flatten: dim 1 comes after dim 0", a.flatten(1, 0));
  EXPECT_ERROR("expand: tensor<2x3xf32> does not expand to (3, 3)", a.expand({3, 3}));
  EXPECT_ERROR("expand: tensor<2x3xf32> does not expand to (3)", a.expand({3}));
  EXPECT_ERROR("slice: step 0 is not positive", slice(a, 0, 0, 1, 0));
  EXPECT_ERROR("select: index 3 is out of range for dim 1 of x: tensor<2x3xf32>", a.select(1, 3));
  EXPECT_ERROR("cat: tensor<2x3xf32> and tensor<4x5xf32> differ in more than dim 0", cat({a, b}));
  EXPECT_ERROR("cat: no tensors", cat({}));
  EXPECT_ERROR("stack: no tensors", stack({}));
  EXPECT_ERROR("split: sizes (1, 1) do not add up to dim 1 of x: tensor<2x3xf32>",
               split(a, {1, 1}, 1)[1]);
  EXPECT_ERROR("chunk: dim 1 of x: tensor<2x3xf32> is not 2 equal pieces", chunk<2>(a, 1)[1]);
  EXPECT_ERROR("full: the shape (2, -1) is negative", zeros({2, -1}));
  EXPECT_ERROR("arange: end -1 is negative", arange(-1));
  EXPECT_ERROR("full: the result tensor<4294967296x4294967296xf32> is too large",
               zeros({int64_t{1} << 32, int64_t{1} << 32}));
  // As many elements can be counted, but not their bytes.
  EXPECT_ERROR("full: the result tensor<2147483648x2147483648xf64> is too large",
               zeros({int64_t{1} << 31, int64_t{1} << 31}, DType::kF64));
  EXPECT_ERROR("causal_mask: scores must be [.., T, S], not tensor<6xf32>",
               causal_mask(a.flatten()));
}

TEST(FrontendErrors, Layers) {
  EXPECT_ERROR("matmul: inner sizes of 2x3 and 4x5 disagree", matmul(a, b));
  EXPECT_ERROR("matmul: batches of 2x1x3 and 3x3x1 do not broadcast",
               matmul(a.unsqueeze(1), ones({3, 3, 1})));
  EXPECT_ERROR("are not of one floating-point type: tensor<2x3xf32> and tensor<2x1xi32>",
               matmul(a, ids.unsqueeze(1)));
  EXPECT_ERROR("linear: inner sizes of 2x3 and 4x5 transposed disagree", linear(a, b));
  EXPECT_ERROR("linear: weight must be [out, in], not tensor<3xf32>", linear(a, ones({3})));
  EXPECT_ERROR(
      "weight tensor<4xf32> and bias tensor<3xf32> are not of the last dim of x: tensor<2x3xf32>",
      layer_norm(a, ones({4}), ones({3})).sum());
  EXPECT_ERROR("dropout: p = 1 is not in [0, 1)", dropout(a, 1));
  EXPECT_ERROR("embedding: ids must be integers, not tensor<2x3xf32>", embedding(a, b));
  EXPECT_ERROR("embedding: weight must be [V, D], not tensor<20xf32>", embedding(ids, b.flatten()));
  EXPECT_ERROR("gather: index tensor<2xi32> differs from x: tensor<2x3xf32> in more than dim 1",
               gather(a, 1, ids));
  EXPECT_ERROR("one_hot: 0 classes", one_hot(ids, 0));
}

TEST(FrontendErrors, Losses) {
  EXPECT_ERROR("wants logits [N, C] and targets [N], not tensor<4x5xf32> and tensor<2xi32>",
               cross_entropy(b, ids));
  EXPECT_ERROR("cross_entropy: targets must be integers, not tensor<2x3xf32>", cross_entropy(a, a));
  EXPECT_ERROR("cross_entropy: label_smoothing = 2 is not in [0, 1]",
               cross_entropy(a, ids, -100, 2));
  EXPECT_ERROR("cross_entropy: the logits tensor<2x0xf32> are empty",
               cross_entropy(slice(a, 1, 3, 3), ids));
  EXPECT_ERROR("mse_loss: there is no element to average",
               mse_loss(slice(a, 1, 3, 3), slice(a, 1, 3, 3)));
  EXPECT_ERROR("mse_loss: tensor<2x3xf32> and the target tensor<4x5xf32> differ in shape",
               mse_loss(a, b));
}

TEST(FrontendErrors, TheFirstOneIsKeptAndTheCodeRunsOn) {
  bool ended = false;
  const auto module = TraceFunction(
      [&](const std::vector<Tensor>& in) {
        Tensor wrong = matmul(in[0], in[0]);
        auto [q, k, v] = chunk<3>(wrong, -1);
        Tensor y = softmax(q + k, 7) / (1.0 / wrong.size(5));
        auto [carry, ys] = scan(y, v, [](Tensor c, Tensor x) { return std::pair(c + x, x); });
        ended = true;
        return cross_entropy(ys, carry);
      },
      {{DType::kF32, {2, 3}}});
  EXPECT_THAT(module, StatusIs(kInvalid, "matmul: inner sizes of 2x3 and 2x3 disagree"));
  EXPECT_TRUE(ended);
}

TEST(FrontendErrors, OpsOutsideOfATraceGiveEmptyTensors) {
  Tensor y = exp(ones({2, 3}) + 1);
  EXPECT_FALSE(y);
  EXPECT_EQ(y.shape(), Shape{});
  EXPECT_EQ(y.size(1), 1);
}

}  // namespace
}  // namespace trama
