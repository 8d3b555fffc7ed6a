// Products of f16 and bf16 operands, which sum in f32, on the device that is here: with its own
// code and with that for graphics processors, which where the device has cooperative matrices is
// theirs. And shaders with cooperative matrices, whether the device has them or not.
#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "backends/codegen/kernel_source.h"
#include "backends/codegen/product.h"
#include "backends/vulkan/product_tile.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Target/SPIRV/Deserialization.h"
#include "tests/unit/matmul_bodies.h"
#include "tests/unit/vulkan_anchor_test.h"
#include "tests/unit/vulkan_test_spirv.h"

namespace trama::vulkan {
namespace {
using absl::StrCat;
using kernel_testing::KernelText;
using kernel_testing::Matmul;

// Bodies by what they ask of a kernel, of operands of `type`.
std::vector<std::string> Bodies(const std::string& type) {
  std::vector<std::string> bodies;
  for (int form = 0; form < 4; ++form) {
    const bool left = form & 1, right = form & 2;
    bodies.push_back(Matmul({}, 17, 13, 19, left, right, type));    // no vectors, one tile
    bodies.push_back(Matmul({}, 64, 64, 64, left, right, type));    // whole tiles
    bodies.push_back(Matmul({}, 130, 70, 140, left, right, type));  // the largest tile, overhanging
    bodies.push_back(Matmul({2, 3}, 9, 36, 44, left, right, type));  // batches
    bodies.push_back(Matmul({}, 3, 68, 52, left, right, type));      // few rows
  }
  bodies.push_back(Matmul({}, 8, 5004, 12, false, true, type));  // the depth is split
  // Heads of q and k as views; every second row and column.
  bodies.push_back(absl::StrReplaceAll(
      KernelText("matmul", "%a: tensor<2x9x48xT>", "tensor<2x2x9x9xf32>",
                 "%q = trama.slice %a starts = [0, 0, 0] strides = [1, 1, 1] : tensor<2x9x48xT> -> "
                 "tensor<2x9x16xT>\n"
                 "%k = trama.slice %a starts = [0, 0, 16] strides = [1, 1, 1] : tensor<2x9x48xT> "
                 "-> tensor<2x9x16xT>\n"
                 "%q4 = trama.reshape %q : tensor<2x9x16xT> -> tensor<2x9x2x8xT>\n"
                 "%k4 = trama.reshape %k : tensor<2x9x16xT> -> tensor<2x9x2x8xT>\n"
                 "%qh = trama.transpose %q4 permutation = [0, 2, 1, 3] : tensor<2x9x2x8xT>\n"
                 "%kh = trama.transpose %k4 permutation = [0, 2, 1, 3] : tensor<2x9x2x8xT>\n"
                 "%y = trama.matmul %qh, %kh transposed : tensor<2x2x9x8xT>, tensor<2x2x9x8xT>\n"
                 "return %y : tensor<2x2x9x9xf32>"),
      {{"xT>", StrCat("x", type, ">")}}));
  bodies.push_back(absl::StrReplaceAll(
      KernelText("matmul", "%a: tensor<20x18xT>, %b: tensor<18x37xT>", "tensor<10x18xf32>",
                 "%s = trama.slice %a starts = [1, 0] strides = [2, 2] : tensor<20x18xT> -> "
                 "tensor<10x9xT>\n"
                 "%t = trama.slice %b starts = [0, 1] strides = [2, 2] : tensor<18x37xT> -> "
                 "tensor<9x18xT>\n"
                 "%y = trama.matmul %s, %t : tensor<10x9xT>, tensor<9x18xT>\n"
                 "return %y : tensor<10x18xf32>"),
      {{"xT>", StrCat("x", type, ">")}}));
  // Bias, activation, a residual; the sums and a narrow result.
  for (bool transposed : {false, true})
    bodies.push_back(absl::StrReplaceAll(
        KernelText(
            "linear",
            StrCat("%x: tensor<3x7x20xT>, %w: ", transposed ? "tensor<37x20xT>" : "tensor<20x37xT>",
                   ", %b: tensor<37xf32>, %r: tensor<3x7x37xf32>"),
            "tensor<3x7x37xf32>, tensor<3x7x37xT>",
            StrCat("%y = trama.linear %x, %w", transposed ? " transposed" : "",
                   ", %b {activation = #trama<activation gelu>} : tensor<3x7x20xT>, ",
                   transposed ? "tensor<37x20xT>" : "tensor<20x37xT>",
                   ", tensor<37xf32>\n"
                   "%z = trama.add %y, %r : tensor<3x7x37xf32>, tensor<3x7x37xf32>\n"
                   "%n = trama.cast %z : tensor<3x7x37xf32> -> tensor<3x7x37xT>\n"
                   "return %z, %n : tensor<3x7x37xf32>, tensor<3x7x37xT>")),
        {{"xT>", StrCat("x", type, ">")}}));
  // A result stored by columns.
  bodies.push_back(absl::StrReplaceAll(
      KernelText("matmul", "%a: tensor<19x13xT>, %b: tensor<13x21xT>", "tensor<21x19xf32>",
                 "%y = trama.matmul %a, %b : tensor<19x13xT>, tensor<13x21xT>\n"
                 "%t = trama.transpose %y permutation = [1, 0] : tensor<19x21xf32>\n"
                 "return %t : tensor<21x19xf32>"),
      {{"xT>", StrCat("x", type, ">")}}));
  return bodies;
}

std::string Head(const std::string& type, bool gradient) {
  const std::string x = StrCat("tensor<37x20x", type, ">"), w = StrCat("tensor<53x20x", type, ">");
  return gradient
             ? KernelText(
                   "linear_cross_entropy_grad",
                   StrCat("%g: tensor<37xf32>, %x: ", x, ", %w: ", w, ", %t: tensor<37xi32>"),
                   "tensor<37xf32>, tensor<37x20xf32>, tensor<53x20xf32>",
                   StrCat("%l:3 = trama.linear_cross_entropy_grad %g, %x, %w, %t : "
                          "tensor<37xf32>, ",
                          x, ", ", w,
                          ", tensor<37xi32>\nreturn %l#0, %l#1, %l#2 : tensor<37xf32>, "
                          "tensor<37x20xf32>, tensor<53x20xf32>"))
             : KernelText("linear_cross_entropy",
                          StrCat("%x: ", x, ", %w: ", w, ", %t: tensor<37xi32>"), "tensor<37xf32>",
                          StrCat("%l = trama.linear_cross_entropy %x, %w, %t : ", x, ", ", w,
                                 ", tensor<37xi32>\nreturn %l : tensor<37xf32>"));
}

class NarrowProduct : public AnchorTest {};

TEST_P(NarrowProduct, Float16) {
  for (const std::string& body : Bodies("f16"))
    Check(body, absl::StrContains(body, "cast") ? 1e-3 : 2e-6);
}
TEST_P(NarrowProduct, BFloat16) {
  for (const std::string& body : Bodies("bf16"))
    Check(body, absl::StrContains(body, "cast") ? 8e-3 : 2e-6);
}
// The gradient of the logits is rounded to the operands' type before it is multiplied, or is not.
TEST_P(NarrowProduct, CrossEntropyOfAHead) {
  for (const auto& [type, rounding] : {std::pair("f16", 1e-3), {"bf16", 8e-3}}) {
    Check(Head(type, false), 4e-6, nullptr, 53);
    Check(Head(type, true), rounding, nullptr, 53);
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, NarrowProduct,
                         testing::Values(TestedMachine{Abi::kAddress, false},
                                         TestedMachine{Abi::kAddress, true},
                                         TestedMachine{Abi::kDescriptors, true}),
                         MachineName);

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

TEST(MatrixShaders, AreValidForEveryShape) {
  for (const MatrixShape& shape : kShapes) {
    for (bool device_address : {true, false}) {
      SCOPED_TRACE(StrCat(Name(shape), device_address ? " address" : " descriptors"));
      Target target = TestTarget(device_address);
      target.matrices = {shape};
      target.matrix_subgroup_size = shape.m == 8 ? 8 : 32;
      const bool bfloat16 = shape.element == MatrixShape::kBF16;
      const char* type = bfloat16 ? "bf16" : shape.element == MatrixShape::kF16 ? "f16" : "f32";
      for (const std::string& body : Bodies(type)) {
        SCOPED_TRACE(body);
        auto context = NewContext();
        auto kernel =
            CompileKernel(*context, target, std::string(kernel_testing::KindOf(body)), body);
        ASSERT_OK(kernel);
        const Shader& product = kernel->phases[0].shader;
        if (product.subgroup_size == 0) {  // of few rows
          EXPECT_EQ(Invalid(product.words), "");
          continue;
        }
        EXPECT_EQ(product.subgroup_size, target.matrix_subgroup_size);
        ASSERT_NO_FATAL_FAILURE(ExpectMatrixShader(product.words, bfloat16));
      }
    }
  }
}

TEST(MatrixShaders, AreMadeWhereAShapeFitsTheOperands) {
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
