// Kernels written with PhaseBuilder become valid shaders in both ABIs.
#include <functional>

#include "backends/codegen/kernel_source.h"
#include "backends/codegen/pointwise.h"
#include "backends/codegen/vector_math.h"
#include "backends/vulkan/phase_builder.h"
#include "mlir/IR/Verifier.h"
#include "tests/unit/vulkan_test_spirv.h"

namespace trama::vulkan {
namespace {
using Emit = std::function<absl::Status(PhaseBuilder&)>;

constexpr char kTwoVectors[] = R"(
func.func @f(%a: tensor<1000xf32>, %b: tensor<1000xf32>) -> tensor<1000xf32> {
  %0 = trama.add %a, %b : tensor<1000xf32>, tensor<1000xf32>
  return %0 : tensor<1000xf32>
})";
constexpr char kBools[] = R"(
func.func @f(%a: tensor<37xi1>) -> tensor<37xi1> {
  %0 = trama.not %a : tensor<37xi1>
  return %0 : tensor<37xi1>
})";
constexpr char kRows[] = R"(
func.func @f(%a: tensor<7x1000xf32>) -> tensor<7xf32> {
  %0 = trama.sum %a dims = [1] : tensor<7x1000xf32>
  return %0 : tensor<7xf32>
})";

// A kernel of one phase of 64 invocations, and its shaders in both ABIs.
class VulkanLoweringTest : public testing::TestWithParam<bool> {
 protected:
  absl::StatusOr<Shader> Lower(const std::string& text, const Emit& emit) {
    TRAMA_ASSIGN_OR_RETURN(auto source, codegen::ParseBody(*context_, text));
    auto body = *source->getOps<mlir::func::FuncOp>().begin();
    mlir::OwningOpRef<mlir::ModuleOp> module =
        mlir::ModuleOp::create(mlir::UnknownLoc::get(context_.get()));
    kernel_ = Kernel();
    {
      PhaseBuilder b(*module, body, target_, kernel_, "test", {64, 1, 1});
      TRAMA_RETURN_IF_ERROR(emit(b));
    }
    if (failed(mlir::verify(*module))) return absl::InternalError("invalid");
    return LowerToSpirv(*module->getOps<mlir::gpu::GPUModuleOp>().begin(), target_);
  }
  void ExpectValid(const std::string& text, const Emit& emit) {
    auto shader = Lower(text, emit);
    ASSERT_TRUE(shader.ok()) << shader.status().ToString();
    EXPECT_EQ(Invalid(shader->words), "");
    shader_ = *std::move(shader);
  }

  std::unique_ptr<mlir::MLIRContext> context_ = NewContext();
  Target target_ = TestTarget(GetParam());
  Kernel kernel_;
  Shader shader_;
};
INSTANTIATE_TEST_SUITE_P(Abi, VulkanLoweringTest, testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "DeviceAddress" : "Descriptors");
});

TEST_P(VulkanLoweringTest, Elementwise) {
  ExpectValid(kTwoVectors, [](PhaseBuilder& b) {
    Value i = b.GlobalIndex();
    b.If(b.Less(i, b.Index(1000)), [&] {
      Value sum = b.Add(b.Load(b.Operand(0), i), b.Load(b.Operand(1), i));
      b.Store(codegen::Exp(b, sum), b.Result(0), i);
    });
    return b.Finish(16);
  });
  ASSERT_EQ(kernel_.phases.size(), 1u);
  const Phase& phase = kernel_.phases[0];
  ASSERT_EQ(phase.buffers.size(), 3u);
  EXPECT_EQ(phase.workgroups[0], 16u);
  for (const BufferUse& use : phase.buffers) {
    EXPECT_EQ(use.reads, use.kind == BufferUse::kOperand);
    EXPECT_EQ(use.writes, use.kind == BufferUse::kResult);
  }
}

TEST_P(VulkanLoweringTest, Shuffle) {
  ExpectValid(kTwoVectors, [](PhaseBuilder& b) {
    Value i = b.Min(b.GlobalIndex(), b.Index(999)), x = b.Load(b.Operand(0), i);
    Value next = b.Shuffle(x, b.FromIndex(b.Lane(), b.Int(32)));
    b.Store(b.Add(x, b.Shuffle(next, b.IntConstant(b.Int(32), 3))), b.Result(0), i);
    return b.Finish(16);
  });
}

TEST_P(VulkanLoweringTest, VectorsOfFour) {
  ExpectValid(kTwoVectors, [](PhaseBuilder& b) {
    Value i = b.GlobalIndex();
    b.If(b.Less(i, b.Index(250)), [&] {
      Value x = b.Load(b.Operand(0, 4), i), y = b.Load(b.Operand(1, 4), i);
      b.Store(codegen::Tanh(b, b.Max(x, y)), b.Result(0, 4), i);
    });
    return b.Finish(4);
  });
}

TEST_P(VulkanLoweringTest, VectorsOverScalars) {
  ExpectValid(kTwoVectors, [](PhaseBuilder& b) {
    Value i = b.Mul(b.GlobalIndex(), 4);
    b.If(b.Less(i, b.Index(1000)), [&] {
      Value x = b.LoadVector(b.Operand(0), i), y = b.LoadVector(b.Operand(1), i);
      b.StoreVector(b.Mul(x, y), b.Result(0), i);
    });
    return b.Finish(4);
  });
}

TEST_P(VulkanLoweringTest, ReduceWorkgroup) {
  ExpectValid(kRows, [](PhaseBuilder& b) {
    Value row = b.Mul(b.WorkgroupIndex(), 1000);
    auto add = [&](Value i, ValueRange sum) -> SmallVector<Value> {
      return {b.Add(sum[0], b.Load(b.Operand(0), b.Add(row, i)))};
    };
    Value zero = b.Constant(b.F32(), 0);
    Value sum = b.For(b.LocalIndex(), b.Index(1000), b.invocations(), {zero}, add)[0];
    sum = b.ReduceWorkgroup(sum, [&](Value x, Value y) { return b.Add(x, y); });
    Value most = b.ReduceWorkgroup(sum, [&](Value x, Value y) { return b.Max(x, y); });
    b.If(b.Compare(mlir::arith::CmpIPredicate::eq, b.LocalIndex(), b.Index(0)),
         [&] { b.Store(most, b.Result(0), b.WorkgroupIndex()); });
    EXPECT_EQ(b.shared_bytes(), (64 + 8) * 4u);
    return b.Finish(7);
  });
}

TEST_P(VulkanLoweringTest, SharedAndPrivateMemory) {
  ExpectValid(kTwoVectors, [](PhaseBuilder& b) {
    Value tile = b.Shared({16, 4}, b.VectorF32()), own = b.Private({4}, b.F32());
    Value i = b.LocalIndex();
    b.Store(b.Load(b.Operand(0, 4), i), tile, {b.Div(i, 4), b.Rem(i, 4)});
    b.For(0, 4, 1, [&](Value k) { b.Store(b.Load(b.Operand(1), k), own, k); });
    b.Barrier();
    Value sum = b.For(b.Index(0), b.Index(16), 1, {b.Splat(0)},
                      [&](Value k, ValueRange sum) -> SmallVector<Value> {
                        Value x = b.Broadcast(b.Load(own, b.Rem(k, 4)));
                        return {b.Fma(x, b.Load(tile, {k, b.Rem(i, 4)}), sum[0])};
                      })[0];
    b.Store(sum, b.Result(0, 4), i);
    return b.Finish(1);
  });
}

TEST_P(VulkanLoweringTest, BoolsAreBytes) {
  ExpectValid(kBools, [](PhaseBuilder& b) {
    Value i = b.LocalIndex();
    b.If(b.Less(i, b.Index(37)), [&] {
      Value x = b.Load(b.Operand(0), i);
      Value flipped = b.Xor(x, b.IntConstant(x.getType(), 1));
      b.Store(flipped, b.Result(0), i);
    });
    return b.Finish(1);
  });
}

TEST_P(VulkanLoweringTest, BoolsWithoutBytes) {
  target_ = Target();
  target_.device_address = GetParam();
  for (int64_t vector : {1, 4})
    ExpectValid(kBools, [&](PhaseBuilder& b) {
      Value i = b.LocalIndex();
      Value x = codegen::FromStorage(b, b.Load(b.Operand(0, vector), i), b.getI1Type());
      b.Store(codegen::ToStorage(b, b.Xor(x, b.IntConstant(x.getType(), 1))), b.Result(0, vector),
              i);
      return b.Finish(1);
    });
}

TEST_P(VulkanLoweringTest, WorkspacesAndConstants) {
  ExpectValid(kTwoVectors, [](PhaseBuilder& b) {
    auto type = mlir::RankedTensorType::get({2}, b.F32());
    auto pair = mlir::DenseElementsAttr::get(type, llvm::ArrayRef<float>{1.5f, 2.5f});
    Value i = b.LocalIndex();
    Value x = b.Load(b.ConstantBuffer(pair), b.Rem(i, 2));
    b.Store(x, b.Workspace("partials", b.F32(), 64), i);
    b.Store(x, b.Result(0), i);
    return b.Finish(1);
  });
  EXPECT_EQ(kernel_.workspaces, std::vector<uint64_t>{256});
  ASSERT_EQ(kernel_.constants.size(), 1u);
  EXPECT_EQ(kernel_.constants[0].size(), 8u);
}

TEST_P(VulkanLoweringTest, LargeBuffersAreSeveral) {
  target_.max_buffer_range = 1536;  // of 4000 bytes
  ExpectValid(kTwoVectors, [](PhaseBuilder& b) {
    Value i = b.LocalIndex();
    b.Store(b.Load(b.Operand(0), i), b.Result(0), i);
    b.Store(b.Load(b.Operand(1, 4), i), b.Result(0, 4), i);
    return b.Finish(1);
  });
  EXPECT_EQ(shader_.pieces, std::vector<uint32_t>(4, GetParam() ? 1 : 3));
  EXPECT_FALSE(shader_.address_table);
}

TEST_P(VulkanLoweringTest, ManyBuffersComeInATable) {
  target_.max_push_bytes = 16;
  ExpectValid(kTwoVectors, [](PhaseBuilder& b) {
    Value i = b.LocalIndex();
    b.Store(b.Add(b.Load(b.Operand(0), i), b.Load(b.Operand(1), i)), b.Result(0), i);
    return b.Finish(1);
  });
  EXPECT_EQ(shader_.address_table, GetParam());
}

TEST_P(VulkanLoweringTest, ViewsMasksAndGathers) {
  ExpectValid(kTwoVectors, [](PhaseBuilder& b) {
    Value i = b.LocalIndex(), rows = b.View(b.Operand(0), {10, 99}, 10), zero = b.Index(0);
    Value row = b.View(rows, {99}, 20), mask = b.Mask(i, 4);
    Value x = b.LoadMasked(rows, {i, zero}, mask);
    Value y = b.Gather(b.Operand(1), zero, b.LaneIndices(b.Int(32), 4), mask);
    Value z = b.Broadcast(b.Add(b.ReduceAdd(x), b.ReduceMax(y)), 4);
    b.StoreMasked(z, b.Result(0), i, mask);
    b.StoreVector(b.LoadVector(row, i), b.Result(0), i);
    return b.Finish(1);
  });
}

TEST_P(VulkanLoweringTest, NothingIsFusedOrReordered) {
  auto shader = Lower(kTwoVectors, [](PhaseBuilder& b) {
    Value i = b.LocalIndex();
    Value x = b.Load(b.Operand(0), i), y = b.Load(b.Operand(1), i);
    b.Store(b.Add(b.Mul(x, y), y), b.Result(0), i);
    return b.Finish(1);
  });
  ASSERT_OK(shader);
  int decorated = 0;  // OpDecorate NoContraction
  for (size_t i = 5; i < shader->words.size(); i += shader->words[i] >> 16)
    decorated += (shader->words[i] & 0xFFFF) == 71 && shader->words[i + 2] == 42;
  EXPECT_EQ(decorated, 2);
}

TEST_P(VulkanLoweringTest, LongGridsHaveTwoDimensions) {
  target_.max_workgroups = 10;
  ExpectValid(kTwoVectors, [](PhaseBuilder& b) {
    Value row = b.WorkgroupIndex();
    b.Barrier();
    b.Store(b.Load(b.Operand(0), row), b.Result(0), row);
    return b.Finish(47);
  });
  EXPECT_EQ(kernel_.phases[0].workgroups, (std::array<uint32_t, 3>{10, 5, 1}));
  auto shader = Lower(kTwoVectors, [](PhaseBuilder& b) { return b.Finish(101); });
  EXPECT_EQ(shader.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_P(VulkanLoweringTest, RefusesMoreThanTheDeviceHas) {
  target_.shared_bytes = 100;
  auto shader = Lower(kTwoVectors, [](PhaseBuilder& b) {
    b.Shared({64}, b.F32());
    return b.Finish(1);
  });
  EXPECT_EQ(shader.status().code(), absl::StatusCode::kResourceExhausted);
  target_ = TestTarget(GetParam());
  target_.max_invocations = 32;
  shader = Lower(kTwoVectors, [](PhaseBuilder& b) { return b.Finish(1); });
  EXPECT_EQ(shader.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(VulkanCompiledKernelTest, SurvivesStorageAndDamageDoesNot) {
  CompiledKernel kernel;
  kernel.phases.resize(2);
  kernel.phases[1].phase.symbol = "second";
  kernel.phases[1].phase.workgroups = {7, 8, 1};
  kernel.phases[1].phase.buffers = {{BufferUse::kResult, 3, false, true}};
  kernel.phases[1].shader.words = {1, 2, 3};
  kernel.phases[1].shader.pieces = {2};
  kernel.phases[1].shader.address_table = true;
  kernel.phases[1].shader.subgroup_size = 32;
  kernel.workspaces = {256, 1024};
  kernel.constants = {"abc"};
  const std::string bytes = kernel.Serialize();
  ASSERT_OK_AND_ASSIGN(CompiledKernel back, CompiledKernel::Parse(bytes));
  EXPECT_EQ(back.phases[1].phase.symbol, "second");
  EXPECT_EQ(back.phases[1].phase.workgroups[1], 8u);
  EXPECT_EQ(back.phases[1].phase.buffers[0].index, 3u);
  EXPECT_TRUE(back.phases[1].shader.address_table);
  EXPECT_EQ(back.phases[1].shader.subgroup_size, 32u);
  EXPECT_EQ(back.constants, kernel.constants);
  EXPECT_EQ(back.Serialize(), bytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    EXPECT_EQ(CompiledKernel::Parse(damaged).status().code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(CompiledKernel::Parse(bytes.substr(0, i)).status().code(),
              absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace trama::vulkan
