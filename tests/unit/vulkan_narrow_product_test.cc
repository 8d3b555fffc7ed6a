// Products of f16 and bf16 operands, which sum in f32, on the device that is here: with its own
// code and with that for graphics processors, which where the device has cooperative matrices is
// theirs. And shaders with cooperative matrices, whether the device has them or not.
#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "backends/codegen/kernel_source.h"
#include "backends/codegen/product.h"
#include "backends/vulkan/product_tile.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Target/SPIRV/Deserialization.h"
#include "tests/unit/narrow_product_bodies.h"
#include "tests/unit/vulkan_anchor_test.h"
#include "tests/unit/vulkan_test_spirv.h"

namespace trama::vulkan {
namespace {
using absl::StrCat;
using kernel_testing::Matmul;

using VulkanNarrowProductTest = kernel_testing::NarrowProductBodies<AnchorTest>;

TEST_P(VulkanNarrowProductTest, EveryTranspositionAtOddSizes) {
  EveryTranspositionAtOddSizes("bf16");
  EveryTranspositionAtOddSizes("f16");
}
TEST_P(VulkanNarrowProductTest, Blocks) { Blocks("bf16"); }
TEST_P(VulkanNarrowProductTest, StridedOperandsAndResults) {
  StridedOperandsAndResults("bf16");
  StridedOperandsAndResults("f16");
}
TEST_P(VulkanNarrowProductTest, LinearAndEpilogues) {
  LinearAndEpilogues("bf16");
  LinearAndEpilogues("f16");
}
TEST_P(VulkanNarrowProductTest, NonFinite) { NonFinite("bf16"); }
// The reference rounds the gradient of the logits to the operands' type before it multiplies it;
// here it stays in f32.
TEST_P(VulkanNarrowProductTest, LinearCrossEntropy) {
  LinearCrossEntropy("bf16", 8e-3);
  LinearCrossEntropy("f16", 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Machines, VulkanNarrowProductTest, TestedMachines(), MachineName);

// What a shader with cooperative matrices must be, beside what MLIR's reader and spirv-val say;
// spirv-val before 2023.5 does not know them.
void ExpectMatrixShader(const std::vector<uint32_t>& words, bool bfloat16) {
  constexpr uint32_t kMemoryModel = 14, kCapability = 17;
  constexpr uint32_t kVulkan = 3, kVulkanMemoryModel = 5345, kMatrix = 6022, kBFloat16Matrix = 5118;
  std::vector<uint32_t> capabilities;
  uint32_t memory_model = 0;
  for (size_t i = 5; i < words.size(); i += words[i] >> 16) {
    if ((words[i] & 0xFFFF) == kCapability) capabilities.push_back(words[i + 1]);
    if ((words[i] & 0xFFFF) == kMemoryModel) memory_model = words[i + 2];
  }
  EXPECT_EQ(words[1], 0x10600u) << "SPIR-V's version";
  EXPECT_EQ(memory_model, kVulkan);
  EXPECT_THAT(capabilities, testing::IsSupersetOf({kVulkanMemoryModel, kMatrix}));
  EXPECT_EQ(llvm::is_contained(capabilities, kBFloat16Matrix), bfloat16);
  auto context = NewContext();
  EXPECT_TRUE(mlir::spirv::deserialize(words, context.get()));
  const std::string invalid = Invalid(words);
  if (!absl::StrContains(invalid, "Invalid capability operand")) EXPECT_EQ(invalid, "");
}

// The shapes that devices report: Mesa's in software, AMD's and NVIDIA's, Intel's.
const MatrixShape kShapes[] = {{MatrixShape::kF16, 8, 8, 8},    {MatrixShape::kF16, 16, 16, 16},
                               {MatrixShape::kF16, 8, 16, 16},  {MatrixShape::kBF16, 16, 16, 16},
                               {MatrixShape::kBF16, 8, 16, 16}, {MatrixShape::kF32, 8, 8, 4}};

struct MatrixMachine {
  MatrixShape shape;
  bool device_address;
};

// Instead of running a body: what it becomes on a device with one shape.
class ShaderCheck : public testing::TestWithParam<MatrixMachine> {
 protected:
  using Prepare = std::function<void(std::vector<HostTensor>&)>;

  void Check(const std::string& body, double = 0, const Prepare& = nullptr, int64_t = 0) {
    SCOPED_TRACE(body);
    const MatrixShape& shape = GetParam().shape;
    Target target = TestTarget(GetParam().device_address);
    target.matrices = {shape};
    target.matrix_subgroup_size = shape.m == 8 ? 8 : 32;
    auto context = NewContext();
    auto kernel = CompileKernel(*context, target, kernel_testing::KindOf(body), body);
    ASSERT_OK(kernel);
    const Shader& product = kernel->phases[0].shader;
    if (product.subgroup_size == 0) {  // of few rows
      EXPECT_EQ(Invalid(product.words), "");
      return;
    }
    ++matrices_;
    EXPECT_EQ(product.subgroup_size, target.matrix_subgroup_size);
    ASSERT_NO_FATAL_FAILURE(ExpectMatrixShader(product.words, shape.element == MatrixShape::kBF16));
  }

  std::string type() const {
    const MatrixShape::Element element = GetParam().shape.element;
    return element == MatrixShape::kF16 ? "f16" : element == MatrixShape::kBF16 ? "bf16" : "f32";
  }

  int matrices_ = 0;  // bodies that became shaders with them
};
using VulkanMatrixShaderTest = kernel_testing::NarrowProductBodies<ShaderCheck>;

TEST_P(VulkanMatrixShaderTest, IsValidInEveryForm) {
  EveryTranspositionAtOddSizes(type());
  EXPECT_GT(matrices_, 20);
}
TEST_P(VulkanMatrixShaderTest, IsValidWithViewsAndEpilogues) {
  StridedOperandsAndResults(type());
  LinearAndEpilogues(type());
  Blocks(type());
  EXPECT_GT(matrices_, 10);
}

std::vector<MatrixMachine> MatrixMachines() {
  std::vector<MatrixMachine> machines;
  for (const MatrixShape& shape : kShapes)
    for (bool device_address : {true, false}) machines.push_back({shape, device_address});
  return machines;
}
INSTANTIATE_TEST_SUITE_P(Shapes, VulkanMatrixShaderTest, testing::ValuesIn(MatrixMachines()),
                         [](const testing::TestParamInfo<MatrixMachine>& info) {
                           return StrCat(Name(info.param.shape),
                                         info.param.device_address ? "_address" : "_descriptors");
                         });

TEST(VulkanMatrixShadersTest, AreMadeWhereAShapeFitsTheOperands) {
  const auto kernel_of = [](const std::string& type, std::vector<MatrixShape> shapes,
                            bool is_cpu = false, int64_t rows = 64) {
    auto context = NewContext();
    auto source = codegen::ParseBody(*context, Matmul({}, rows, 64, 64, false, false, type));
    EXPECT_OK(source);
    auto body = *(*source)->getOps<mlir::func::FuncOp>().begin();
    auto product = codegen::ProductOf(codegen::FindAnchor<MatmulOp>(body), body);
    EXPECT_OK(product);
    Target target = TestTarget(/*device_address=*/false);
    target.is_cpu = is_cpu;
    target.matrices = std::move(shapes);
    return ChooseTile(body, *product, target).kernel;
  };
  const MatrixShape f16{MatrixShape::kF16, 16, 16, 16}, bf16{MatrixShape::kBF16, 16, 16, 16};
  const MatrixShape f32{MatrixShape::kF32, 8, 8, 8}, odd{MatrixShape::kF16, 6, 6, 6};
  EXPECT_EQ(kernel_of("f16", {bf16, f16}), ProductKernel::kMatrices);
  EXPECT_EQ(kernel_of("bf16", {bf16, f16}), ProductKernel::kMatrices);
  EXPECT_EQ(kernel_of("bf16", {f32}), ProductKernel::kMatrices);
  EXPECT_EQ(kernel_of("f32", {f32}), ProductKernel::kMatrices);
  // Nothing is rounded to another type for them.
  EXPECT_EQ(kernel_of("f32", {f16, bf16}), ProductKernel::kWorkgroup);
  EXPECT_EQ(kernel_of("bf16", {f16}), ProductKernel::kWorkgroup);
  EXPECT_EQ(kernel_of("f16", {odd}), ProductKernel::kWorkgroup);
  EXPECT_EQ(kernel_of("f16", {f16}, /*is_cpu=*/false, /*rows=*/1), ProductKernel::kRegisters);
  EXPECT_EQ(kernel_of("f16", {f16}, /*is_cpu=*/true), ProductKernel::kRegisters);
}

}  // namespace
}  // namespace trama::vulkan
