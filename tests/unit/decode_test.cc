// Decoding with a cache gives what the forward gives, however the ids are cut into chunks.
#include <random>

#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/passes.h"
#include "tests/unit/program_runner.h"

namespace trama {
namespace {

constexpr int kBatch = 3, kContext = 12, kVocabulary = 7;

void Replace(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// Two blocks of attention and a pointwise part over the embeddings of ids and of positions; the
// length T is also a head's width for T = 4.
std::string Program(const std::string& name, int length, const std::string& attributes) {
  std::string block = R"(
  %qI = trama.linear %xI, %w : tensor<3xTx8xf32>, tensor<8x8xf32>
  %q1I = trama.reshape %qI : tensor<3xTx8xf32> -> tensor<3xTx2x4xf32>
  %hI = trama.transpose %q1I permutation = [0, 2, 1, 3] : tensor<3xTx2x4xf32>
  %vI = trama.tanh %hI : tensor<3x2xTx4xf32>
  %yI, %lseI = trama.attention %hI, %hI, %vI scale = 0.5 causal
    : tensor<3x2xTx4xf32>, tensor<3x2xTx4xf32>, tensor<3x2xTx4xf32>
  %y1I = trama.transpose %yI permutation = [0, 2, 1, 3] : tensor<3x2xTx4xf32>
  %y2I = trama.reshape %y1I : tensor<3xTx2x4xf32> -> tensor<3xTx8xf32>
  %rI = trama.add %xI, %y2I : tensor<3xTx8xf32>, tensor<3xTx8xf32>
  %gI = trama.gelu %rI : tensor<3xTx8xf32>
  %xJ = trama.add %rI, %gI : tensor<3xTx8xf32>, tensor<3xTx8xf32>)";
  std::string text = R"(func.func @NAME(
    %ids: tensor<3xTxi32> {trama.name = "ids", trama.role = "input", trama.sequence = 1 : i64},
    %table: tensor<7x8xf32> {trama.name = "table", trama.role = "parameter"},
    %places: tensor<12x8xf32> {trama.name = "places", trama.role = "parameter"},
    %w: tensor<8x8xf32> {trama.name = "w", trama.role = "parameter"},
    %f: tensor<4xf32> {trama.name = "frequencies", trama.role = "parameter"})
    -> (tensor<3xTx7xf32> {trama.name = "logits"}) attributes {ATTRIBUTES} {
  %i = trama.iota dim = 0 sequence : tensor<Txi32>
  %e = trama.embedding %table, %ids : tensor<7x8xf32>, tensor<3xTxi32>
  %p = trama.embedding %places, %i : tensor<12x8xf32>, tensor<Txi32>
  %s = trama.add %e, %p : tensor<3xTx8xf32>, tensor<Tx8xf32>
  %i1 = trama.cast %i : tensor<Txi32> -> tensor<Txf32>
  %i2 = trama.reshape %i1 : tensor<Txf32> -> tensor<Tx1xf32>
  %angles = trama.mul %i2, %f : tensor<Tx1xf32>, tensor<4xf32>
  %sin = trama.sin %angles : tensor<Tx4xf32>
  %s1 = trama.reshape %s : tensor<3xTx8xf32> -> tensor<3xTx2x4xf32>
  %s2 = trama.transpose %s1 permutation = [0, 2, 1, 3] : tensor<3xTx2x4xf32>
  %s3 = trama.mul %s2, %sin : tensor<3x2xTx4xf32>, tensor<Tx4xf32>
  %s4 = trama.transpose %s3 permutation = [0, 2, 1, 3] : tensor<3x2xTx4xf32>
  %x0 = trama.reshape %s4 : tensor<3xTx2x4xf32> -> tensor<3xTx8xf32>)";
  for (int i : {0, 1}) {
    std::string part = block;
    Replace(part, "I", std::to_string(i));
    Replace(part, "J", std::to_string(i + 1));
    text += part;
  }
  text += R"(
  %t = trama.transpose %table permutation = [1, 0] : tensor<7x8xf32>
  %logits = trama.matmul %x2, %t : tensor<3xTx8xf32>, tensor<8x7xf32>
  return %logits : tensor<3xTx7xf32>
})";
  Replace(text, "NAME", name);
  Replace(text, "ATTRIBUTES", attributes);
  Replace(text, "xTx", "x" + std::to_string(length) + "x");
  Replace(text, "<Tx", "<" + std::to_string(length) + "x");
  return text;
}

class DecodeTest : public ::testing::Test {
 protected:
  DecodeTest() { LoadDialects(context_); }

  absl::StatusOr<mlir::OwningOpRef<mlir::ModuleOp>> Derive(const std::string& text) {
    std::string error;
    mlir::ScopedDiagnosticHandler handler(&context_, [&](mlir::Diagnostic& diagnostic) {
      error += diagnostic.str();
      return mlir::success();
    });
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context_);
    mlir::PassManager pm(&context_);
    pm.addPass(createDeriveDecode());
    if (!module || failed(pm.run(*module))) return absl::InvalidArgumentError(error);
    return module;
  }
  TensorMap Parameters() {
    std::mt19937 random(3);
    TensorMap values;
    auto add = [&](const char* name, Shape shape) {
      HostTensor tensor(DType::kF64, std::move(shape));
      for (int64_t i = 0; i < tensor.num_elements(); ++i)
        tensor.set(i, random() / 2147483648.0 - 1);
      values[name] = tensor;
    };
    add("table", {kVocabulary, 8});
    add("places", {kContext, 8});
    add("w", {8, 8});
    add("frequencies", {4});
    return values;
  }

  mlir::MLIRContext context_;
  reference::EvaluateOptions options_{.float64 = true};
};

TEST_F(DecodeTest, EqualsTheForward) {
  std::string text = Program("forward", kContext, "");
  for (int length : {1, 3, 4, 5, 12})
    text +=
        Program("step" + std::to_string(length), length, "trama.decode = {capacity = 12 : i64}");
  ASSERT_OK_AND_ASSIGN(auto module, Derive(text));
  std::mt19937 random(11);
  HostTensor ids(DType::kI32, {kBatch, kContext});
  for (int64_t i = 0; i < ids.num_elements(); ++i) ids.set(i, random() % kVocabulary);
  TensorMap values = Parameters();
  values["ids"] = ids;
  ASSERT_OK_AND_ASSIGN(
      const TensorMap all,
      RunByName(module->lookupSymbol<mlir::func::FuncOp>("forward"), values, options_));
  const HostTensor& want = all.at("logits");

  const std::vector<std::vector<int>> cuts = {{12},         {4, 4, 4},          {5, 5, 5},
                                              {3, 1, 4, 5}, {1, 1, 1, 1, 5, 5}, {5, 1, 1, 5}};
  for (const std::vector<int>& cut : cuts) {
    // Rows of different lengths, right-padded with ids that must not matter.
    const int lengths[kBatch] = {12, 7, 10};
    int done[kBatch] = {0, 0, 0};
    TensorMap state = Parameters();
    for (int width : cut) {
      HostTensor chunk(DType::kI32, {kBatch, width}), position(DType::kI32, {kBatch}),
          length(DType::kI32, {kBatch});
      for (int b = 0; b < kBatch; ++b) {
        const int count = std::min(width, lengths[b] - done[b]);
        position.set(b, done[b]);
        length.set(b, count);
        for (int i = 0; i < width; ++i)
          chunk.set(b * width + i, i < count ? ids.at(b * kContext + done[b] + i) : 6 - i % 7);
        done[b] += count;
      }
      state["ids"] = chunk;
      state["position"] = position;
      state["length"] = length;
      ASSERT_OK_AND_ASSIGN(
          state, RunByName(module->lookupSymbol<mlir::func::FuncOp>("step" + std::to_string(width)),
                           state, options_));
      for (int b = 0; b < kBatch; ++b)
        for (int v = 0; v < kVocabulary && length.at(b) > 0; ++v)
          ASSERT_NEAR(state["logits"].at(b * kVocabulary + v),
                      want.at((b * kContext + done[b] - 1) * kVocabulary + v), 1e-12)
              << "row " << b << " after " << done[b] << " ids";
    }
  }
}

// The vocabulary's product is for one position a row.
TEST_F(DecodeTest, ComputesTheLastPositionAlone) {
  ASSERT_OK_AND_ASSIGN(auto module,
                       Derive(Program("step", 5, "trama.decode = {capacity = 12 : i64}")));
  int products = 0;
  module->walk([&](MatmulOp product) {
    ++products;
    EXPECT_EQ(mlir::cast<mlir::RankedTensorType>(product.getLhs().getType()).getShape()[1], 1);
  });
  EXPECT_EQ(products, 1);
}

TEST_F(DecodeTest, WhatMixesPositionsIsRefused) {
  auto with = [](const std::string& body) {
    return R"(func.func @f(
    %x: tensor<2x5x4xf32> {trama.name = "x", trama.role = "input", trama.sequence = 1 : i64})
    -> (tensor<2x5x4xf32> {trama.name = "y"}) attributes {trama.decode = {capacity = 9 : i64}} {
)" + body + "\n  return %y : tensor<2x5x4xf32>\n}";
  };
  auto expect = [&](const std::string& body, const char* message) {
    EXPECT_THAT(Derive(with(body)), StatusIs(absl::StatusCode::kInvalidArgument, message));
  };
  expect("%y = trama.softmax %x dim = 1 : tensor<2x5x4xf32>",
         "softmax: the time axis is normalised over");
  expect(R"(%s = trama.sum %x dims = [1] keepdim : tensor<2x5x4xf32>
    %y = trama.sub %x, %s : tensor<2x5x4xf32>, tensor<2x1x4xf32>)",
         "sum: the time axis is reduced");
  expect(R"(%r = trama.reshape %x : tensor<2x5x4xf32> -> tensor<2x1x5x4xf32>
    %a, %l = trama.attention %r, %r, %r scale = 1.0
      : tensor<2x1x5x4xf32>, tensor<2x1x5x4xf32>, tensor<2x1x5x4xf32>
    %y = trama.reshape %a : tensor<2x1x5x4xf32> -> tensor<2x5x4xf32>)",
         "attention over time is not causal");
  expect(R"(%c = trama.constant dense<1.5> : tensor<5x4xf32>
    %y = trama.add %x, %c : tensor<2x5x4xf32>, tensor<5x4xf32>)",
         "add: the time axis meets a tensor of fixed length");
  expect(R"(%s = trama.slice %x starts = [0, 1, 0] strides = [1, 1, 1]
      : tensor<2x5x4xf32> -> tensor<2x4x4xf32>
    %y = trama.pad %s starts = [0, 1, 0] strides = [1, 1, 1]
      : tensor<2x4x4xf32> -> tensor<2x5x4xf32>)",
         "slice: the time axis is cut");
  expect(R"(%t = trama.transpose %x permutation = [0, 2, 1] : tensor<2x5x4xf32>
    %m = trama.matmul %t, %x : tensor<2x4x5xf32>, tensor<2x5x4xf32>
    %y = trama.matmul %x, %m : tensor<2x5x4xf32>, tensor<2x4x4xf32>)",
         "matmul: the time axis is summed over");
}

}  // namespace
}  // namespace trama
