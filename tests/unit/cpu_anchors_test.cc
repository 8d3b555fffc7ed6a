// The cpu backend's kernels with an anchor of the optimizers, embeddings and caches.
#include "tests/unit/cpu_test_util.h"
#include "tests/unit/fused_bodies.h"
#include "tests/unit/indexing_bodies.h"

namespace trama::cpu {
namespace {
using absl::StrCat;
using kernel_testing::CacheUpdate;
using kernel_testing::EmbeddingGrad;
using kernel_testing::EmbeddingGradAdded;
using kernel_testing::EmbeddingGradThroughViews;
using Sizes = std::vector<int64_t>;

// The result is written over the first operand.
void RunInPlace(CpuKernel& kernel, std::vector<HostTensor>& inputs) {
  std::vector<void*> buffers;
  for (HostTensor& input : inputs) buffers.push_back(input.bytes.data());
  buffers.push_back(inputs[0].bytes.data());
  Workspace workspace;
  ASSERT_TRUE(workspace.Reserve(0, 0, 2));
  std::vector<Step> steps;
  AppendSteps(kernel.loaded(), buffers.data(), steps);
  for (const Step& step : steps) RunStep(step, workspace, kernel.pool());
}

TEST(CpuAnchorsTest, Adam) {
  for (const Sizes& shape : {Sizes{}, {1}, {7}, {33, 5}, {128, 130}})
    for (bool decoupled : {false, true})
      ExpectKernelMatches("adam", kernel_testing::Adam(shape, decoupled), 2e-5, 0.1, 1);
}

TEST(CpuAnchorsTest, AdamKeepsEverythingWhereItMayNotApply) {
  auto kernel = CpuKernel::Compile("adam", kernel_testing::Adam({37}, true));
  ASSERT_OK(kernel);
  auto inputs = (*kernel)->RandomInputs(3, 0.1, 1);
  inputs[8].set(0, 0);
  auto results = (*kernel)->Run(inputs);
  EXPECT_EQ(results[0].bytes, inputs[0].bytes);
  EXPECT_EQ(results[1].bytes, inputs[2].bytes);
  EXPECT_EQ(results[2].bytes, inputs[3].bytes);
}

TEST(CpuAnchorsTest, EmbeddingGrad) {
  // Ids from -2 to 7 for a table of 6 rows: some are out of range, some come twice.
  for (int64_t width : {1, 5, 16, 37, 130})
    ExpectKernelMatches("embedding_grad", EmbeddingGrad(width), 1e-5, -2, 7.9);
}

TEST(CpuAnchorsTest, EmbeddingGradAdded) {
  for (int64_t width : {1, 5, 37, 130})
    ExpectKernelMatches("embedding_grad", EmbeddingGradAdded(width), 1e-5, -2, 7.9);
}

TEST(CpuAnchorsTest, EmbeddingGradAddedInPlace) {
  auto kernel = CpuKernel::Compile("embedding_grad", EmbeddingGradAdded(37));
  ASSERT_OK(kernel);
  auto inputs = (*kernel)->RandomInputs(1, -2, 7.9);
  auto want = reference::Evaluate((*kernel)->body(), inputs);
  ASSERT_OK(want);
  RunInPlace(**kernel, inputs);
  ASSERT_NO_FATAL_FAILURE(kernel_testing::ExpectNear({inputs[0]}, *want, 1e-5, ""));
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
  RunInPlace(**kernel, inputs);
  EXPECT_EQ(inputs[0].bytes, (*want)[0].bytes);
}

}  // namespace
}  // namespace trama::cpu
