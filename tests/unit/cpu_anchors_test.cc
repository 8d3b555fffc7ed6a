// The cpu backend's kernels with an anchor of the optimizers, embeddings and caches.
#include "tests/unit/cpu_test_util.h"
#include "tests/unit/indexing_bodies.h"

namespace trama::cpu {
namespace {
using absl::StrCat;
using kernel_testing::CacheUpdate;
using kernel_testing::EmbeddingGrad;
using kernel_testing::EmbeddingGradThroughViews;
using Sizes = std::vector<int64_t>;

std::string Adam(const Sizes& shape, bool decoupled) {
  const std::string t = Tensor(shape), s = "tensor<f32>";
  return StrCat("func.func @f(%p: ", t, ", %g: ", t, ", %m: ", t, ", %v: ", t, ", %lr: ", s,
                ", %scale: ", s, ", %c1: ", s, ", %c2: ", s, ", %apply: tensor<i1>) -> (", t, ", ",
                t, ", ", t, ") {\n %0:3 = trama.adam %p, %g, %m, %v lr %lr scale %scale ",
                "corrections %c1, %c2 apply %apply {beta1 = 0.9 : f64, beta2 = 0.99 : f64, eps = ",
                "1.0e-8 : f64, weight_decay = 0.1 : f64", decoupled ? ", decoupled" : "", "} : ", t,
                ", ", t, ", ", t, ", ", t,
                ", tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<i1>\n return ",
                "%0#0, %0#1, %0#2 : ", t, ", ", t, ", ", t, "\n}");
}

TEST(CpuAnchorsTest, Adam) {
  for (const Sizes& shape : {Sizes{}, {1}, {7}, {33, 5}, {128, 130}})
    for (bool decoupled : {false, true})
      ExpectKernelMatches("adam", Adam(shape, decoupled), 2e-5, 0.1, 1);
}

TEST(CpuAnchorsTest, AdamKeepsEverythingWhereItMayNotApply) {
  auto kernel = CpuKernel::Compile("adam", Adam({37}, true));
  ASSERT_OK(kernel);
  auto inputs = (*kernel)->RandomInputs(3, 0.1, 1);
  inputs[8].set(0, 0);
  auto results = (*kernel)->Run(inputs);
  EXPECT_EQ(results[0].bytes, inputs[0].bytes);
  EXPECT_EQ(results[1].bytes, inputs[2].bytes);
  EXPECT_EQ(results[2].bytes, inputs[3].bytes);
}

TEST(CpuAnchorsTest, Sgd) {
  for (const char* momentum : {"0.0", "0.9"}) {
    const std::string t = Tensor({19, 3});
    ExpectKernelMatches(
        "sgd",
        StrCat("func.func @f(%p: ", t, ", %g: ", t, ", %b: ", t,
               ", %lr: tensor<f32>, %s: tensor<f32>, %apply: tensor<i1>) -> (", t, ", ", t,
               ") {\n %0:2 = trama.sgd %p, %g, %b lr %lr scale %s apply %apply {momentum = ",
               momentum, " : f64, weight_decay = 0.01 : f64} : ", t, ", ", t, ", ", t,
               ", tensor<f32>, tensor<f32>, tensor<i1>\n return %0#0, %0#1 : ", t, ", ", t, "\n}"));
  }
}

TEST(CpuAnchorsTest, SquareSum) {
  const std::string a = Tensor({3, 5}), b = Tensor({40000}), c = Tensor({}), d = Tensor({2, 16384});
  ExpectKernelMatches(
      "square_sum", StrCat("func.func @f(%a: ", a, ", %b: ", b, ", %c: ", c, ", %d: ", d,
                           ") -> tensor<f32> {\n %0 = trama.square_sum %a, %b, %c, %d : ", a, ", ",
                           b, ", ", c, ", ", d, "\n return %0 : tensor<f32>\n}"));
  // What follows it makes it a fused kernel.
  ExpectKernelMatches(
      "square_sum",
      StrCat("func.func @f(%a: ", a, ") -> tensor<f32> {\n %0 = trama.square_sum ", "%a : ", a,
             "\n %1 = trama.sqrt %0 : tensor<f32>\n return %1 : ", "tensor<f32>\n}"));
}

TEST(CpuAnchorsTest, EmbeddingGrad) {
  // Ids from -2 to 7 for a table of 6 rows: some are out of range, some come twice.
  for (int64_t width : {1, 5, 16, 37, 130})
    ExpectKernelMatches("embedding_grad", EmbeddingGrad(width), 1e-5, -2, 7.9);
}

TEST(CpuAnchorsTest, EmbeddingGradThroughViews) {
  ExpectKernelMatches("embedding_grad", EmbeddingGradThroughViews(), 1e-5, 0, 5.9);
}

TEST(CpuAnchorsTest, CacheUpdate) {
  for (int64_t depth : {1, 16, 19}) {
    auto kernel = CpuKernel::Compile("cache_update", CacheUpdate(depth));
    ASSERT_OK(kernel);
    for (uint32_t seed = 0; seed < 8; ++seed)
      (*kernel)->ExpectMatches((*kernel)->RandomInputs(seed, 0, 6.9), 0);
  }
}

TEST(CpuAnchorsTest, CacheUpdateInPlaceWritesTheChunkAlone) {
  auto kernel = CpuKernel::Compile("cache_update", CacheUpdate(16));
  ASSERT_OK(kernel);
  auto inputs = (*kernel)->RandomInputs(1, 0, 3.9);
  auto want = reference::Evaluate((*kernel)->body(), inputs);
  ASSERT_OK(want);
  void* buffers[] = {inputs[0].bytes.data(), inputs[1].bytes.data(), inputs[2].bytes.data(),
                     inputs[3].bytes.data(), inputs[0].bytes.data()};
  Workspace workspace;
  ASSERT_TRUE(workspace.Reserve(0, 0, 2));
  std::vector<Step> steps;
  AppendSteps((*kernel)->loaded(), buffers, steps);
  for (const Step& step : steps) RunStep(step, workspace, (*kernel)->pool());
  EXPECT_EQ(inputs[0].bytes, (*want)[0].bytes);
}

}  // namespace
}  // namespace trama::cpu
