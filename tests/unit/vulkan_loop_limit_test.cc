// How many loop iterations a phase takes, which drivers on processors limit.
#include "backends/vulkan/loop_limit.h"

#include <gtest/gtest.h>

#include <string>

#include "backends/vulkan/compiler.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

namespace trama::vulkan {
namespace {

int64_t Count(const std::string& body) {
  const auto context = NewContext();
  const std::string text =
      "gpu.module @m {\n gpu.func @f(%n: index, %x: index) kernel {\n"
      "%c0 = arith.constant 0 : index\n %c1 = arith.constant 1 : index\n"
      "%c7 = arith.constant 7 : index\n %c100 = arith.constant 100 : index\n" +
      body + "gpu.return\n}\n}";
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, context.get());
  EXPECT_TRUE(module);
  return IterationsOf(*module->getOps<mlir::gpu::GPUModuleOp>().begin());
}

TEST(VulkanLoopLimitTest, CountsNestedLoopsAndTheirBodies) {
  EXPECT_EQ(Count(""), 0);
  EXPECT_EQ(Count("scf.for %i = %c0 to %c100 step %c7 {}\n"), 15);
  EXPECT_EQ(Count("scf.for %i = %c7 to %c100 step %c1 {}\n"), 93);
  EXPECT_EQ(Count("scf.for %i = %c0 to %c7 step %c1 { scf.for %j = %c0 to %c100 step %c1 {} }\n"
                  "scf.for %i = %c0 to %c7 step %c1 {}\n"),
            7 * 101 + 7);
}

TEST(VulkanLoopLimitTest, UnderstandsAShareThatEndsWithTheWhole) {
  EXPECT_EQ(Count("%e = arith.addi %x, %c7 : index\n %m = arith.minsi %e, %c100 : index\n"
                  "scf.for %i = %x to %m step %c1 {}\n"),
            7);
  EXPECT_EQ(Count("%b = arith.addi %x, %n : index\n %e = arith.addi %x, %c7 : index\n"
                  "scf.for %i = %b to %e step %c1 {}\n"),
            7);
}

// How far a query of causal attention sees: up to itself, within the keys.
TEST(VulkanLoopLimitTest, UnderstandsALimitBetweenZeroAndTheWhole) {
  EXPECT_EQ(Count("%m = arith.minsi %n, %c100 : index\n %e = arith.maxsi %m, %c0 : index\n"
                  "scf.for %i = %c0 to %e step %c1 {}\n"),
            100);
}

TEST(VulkanLoopLimitTest, CountsWhatItDoesNotUnderstandAsTooMany) {
  EXPECT_GT(Count("scf.for %i = %c0 to %n step %c1 {}\n"), kMostIterations);
  EXPECT_GT(Count("%e = arith.maxsi %n, %c0 : index\n scf.for %i = %c0 to %e step %c1 {}\n"),
            kMostIterations);
}

// A prime number of rows is not cut: too many for one invocation, and said so.
TEST(VulkanLoopLimitTest, RefusesWhatADriverOnAProcessorWouldEndEarly) {
  Target target;
  target.is_cpu = true;
  const auto context = NewContext();
  const std::string body =
      "func.func @f(%a: tensor<1000003x64xf32>) -> tensor<64xf32> {\n"
      "%0 = trama.sum %a dims = [0] : tensor<1000003x64xf32>\n return %0 : tensor<64xf32>}";
  const auto kernel = CompileKernel(*context, target, "fused", body);
  ASSERT_FALSE(kernel.ok());
  EXPECT_EQ(kernel.status().code(), absl::StatusCode::kUnimplemented) << kernel.status();
  target.is_cpu = false;
  EXPECT_TRUE(CompileKernel(*context, target, "fused", body).ok());
}

}  // namespace
}  // namespace trama::vulkan
