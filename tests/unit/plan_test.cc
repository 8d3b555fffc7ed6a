// Plans: what is where, in place, shared, and what the validator refuses.
#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/Parser/Parser.h"
#include "passes/pipelines.h"
#include "passes/plan/block_allocator.h"

namespace trama {
namespace {

class PlanTest : public ::testing::Test {
 protected:
  PlanTest() { LoadDialects(context_); }

  absl::StatusOr<plan::Plan> Make(const char* text) {
    module_ = mlir::parseSourceString<mlir::ModuleOp>(text, &context_);
    if (!module_) return absl::InvalidArgumentError("the test's module does not parse");
    TRAMA_ASSIGN_OR_RETURN(plan::Plan plan, Compile(*module_, options_, &report_));
    TRAMA_RETURN_IF_ERROR(ValidatePlan(plan, options_.device));
    return plan;
  }
  static const plan::Buffer& Input(const plan::Plan& plan, int program, const std::string& name) {
    for (const plan::Binding& input : plan.programs(program).inputs())
      if (input.name() == name) return plan.buffers(input.buffer());
    ADD_FAILURE() << "no input " << name;
    return plan.buffers(0);
  }
  static uint64_t Bytes(const plan::Plan& plan, plan::Block::Kind kind) {
    uint64_t bytes = 0;
    for (const plan::Block& block : plan.blocks())
      if (block.kind() == kind) bytes += block.bytes();
    return bytes;
  }

  mlir::MLIRContext context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  CompileOptions options_;
  CompileReport report_;
};

constexpr char kChain[] = R"(
func.func @forward(
    %x: tensor<4x8xf32> {trama.name = "x", trama.role = "input"},
    %w: tensor<8x8xf32> {trama.name = "fc.weight", trama.role = "parameter"})
    -> (tensor<32xf32> {trama.name = "y"}) {
  %a = trama.matmul %x, %w : tensor<4x8xf32>, tensor<8x8xf32>
  %b = trama.softmax %a dim = 0 : tensor<4x8xf32>
  %c = trama.matmul %b, %w : tensor<4x8xf32>, tensor<8x8xf32>
  %d = trama.softmax %c dim = 0 : tensor<4x8xf32>
  %e = trama.reshape %d : tensor<4x8xf32> -> tensor<32xf32>
  return %e : tensor<32xf32>
}
)";

TEST_F(PlanTest, EqualKernelsAreOne) {
  options_.device.anchors = {"matmul", "softmax"};
  ASSERT_OK_AND_ASSIGN(plan::Plan plan, Make(kChain));
  EXPECT_EQ(plan.kernels_size(), 2);
  ASSERT_EQ(plan.programs_size(), 1);
  EXPECT_EQ(plan.programs(0).dispatches_size(), 4);
  EXPECT_EQ(plan.programs(0).dispatches(0).label(), "fc");
  EXPECT_EQ(plan.kernels(0).flops(), 2.0 * 4 * 8 * 8);
  EXPECT_EQ(plan.kernels(0).bytes_moved(), 4 * (32 + 64 + 32));
  EXPECT_EQ(plan.kernels(0).hash().size(), 32);
}

TEST_F(PlanTest, ArenaIsReusedAndOutputsAreWrittenInPlace) {
  options_.device.anchors = {"matmul", "softmax"};
  ASSERT_OK_AND_ASSIGN(plan::Plan plan, Make(kChain));
  // a, b and c live two at a time; d is the output, under its reshape's type.
  EXPECT_EQ(Bytes(plan, plan::Block::ARENA), 2 * 128);
  EXPECT_EQ(Bytes(plan, plan::Block::IO), 2 * 128);
  const plan::Buffer& y = plan.buffers(plan.programs(0).outputs(0).buffer());
  EXPECT_EQ(y.type().shape_size(), 1);
  const plan::Buffer& d = plan.buffers(plan.programs(0).dispatches(3).results(0));
  EXPECT_EQ(d.offset(), y.offset());
}

TEST_F(PlanTest, DonatedResultsLandInTheState) {
  ASSERT_OK_AND_ASSIGN(plan::Plan plan, Make(R"(
func.func @step(
    %x: tensor<64xf32> {trama.name = "x", trama.role = "input"},
    %p: tensor<64xf32> {trama.name = "p", trama.role = "parameter"})
    -> (tensor<64xf32> {trama.name = "p", trama.donates = 1 : i64}) {
  %new = trama.add %p, %x : tensor<64xf32>, tensor<64xf32>
  return %new : tensor<64xf32>
})"));
  ASSERT_EQ(plan.programs(0).dispatches_size(), 1);
  EXPECT_EQ(&plan.buffers(plan.programs(0).dispatches(0).results(0)), &Input(plan, 0, "p"));
  EXPECT_EQ(plan.programs(0).outputs_size(), 0);
}

// The chunk comes out of a wider value by views inside the kernel, as keys do of queries, keys and
// values together.
TEST_F(PlanTest, ACacheIsUpdatedInPlace) {
  options_.device.anchors = {"cache_update"};
  options_.device.compiles_bodies = true;
  ASSERT_OK_AND_ASSIGN(plan::Plan plan, Make(R"(
func.func @step(
    %x: tensor<1x1x8xf32> {trama.name = "x", trama.role = "input"},
    %at: tensor<1xi32> {trama.name = "position", trama.role = "input"},
    %n: tensor<1xi32> {trama.name = "length", trama.role = "input"},
    %c: tensor<1x2x16x2xf32> {trama.name = "cache", trama.role = "state"})
    -> (tensor<1x2x16x2xf32> {trama.name = "cache", trama.donates = 3 : i64},
        tensor<1x2x16x2xf32> {trama.name = "y"}) {
  %s = trama.slice %x starts = [0, 0, 4] strides = [1, 1, 1] : tensor<1x1x8xf32> -> tensor<1x1x4xf32>
  %r = trama.reshape %s : tensor<1x1x4xf32> -> tensor<1x1x2x2xf32>
  %t = trama.transpose %r permutation = [0, 2, 1, 3] : tensor<1x1x2x2xf32>
  %u = trama.cache_update %c, %t, %at, %n : tensor<1x2x16x2xf32>, tensor<1x2x1x2xf32>, tensor<1xi32>, tensor<1xi32>
  %y = trama.exp %u : tensor<1x2x16x2xf32>
  return %u, %y : tensor<1x2x16x2xf32>, tensor<1x2x16x2xf32>
})"));
  ASSERT_EQ(plan.programs(0).dispatches_size(), 2);
  const plan::Dispatch& update = plan.programs(0).dispatches(0);
  EXPECT_EQ(plan.kernels(update.kernel()).kind(), "cache_update");
  EXPECT_EQ(&plan.buffers(update.results(0)), &Input(plan, 0, "cache"));
}

// The two gradients of a table that is also the head: the rows' is added in the head's buffer.
TEST_F(PlanTest, ATablesGradientIsAddedInPlace) {
  options_.device.anchors = {"matmul", "embedding_grad"};
  options_.device.compiles_bodies = true;
  ASSERT_OK_AND_ASSIGN(plan::Plan plan, Make(R"(
func.func @gradients(
    %ids: tensor<7xi32> {trama.name = "ids", trama.role = "input"},
    %g: tensor<7x64xf32> {trama.name = "g", trama.role = "input"},
    %x: tensor<64x64xf32> {trama.name = "x", trama.role = "input"})
    -> (tensor<64x64xf32> {trama.name = "y"}) {
  %head = trama.matmul %x, %x : tensor<64x64xf32>, tensor<64x64xf32>
  %rows = trama.embedding_grad %g, %ids rows = 64 : tensor<7x64xf32>, tensor<7xi32>
  %both = trama.add %head, %rows : tensor<64x64xf32>, tensor<64x64xf32>
  %y = trama.exp %both : tensor<64x64xf32>
  return %y : tensor<64x64xf32>
})"));
  ASSERT_EQ(plan.programs(0).dispatches_size(), 3);
  const plan::Buffer& head = plan.buffers(plan.programs(0).dispatches(0).results(0));
  const plan::Buffer& sum = plan.buffers(plan.programs(0).dispatches(1).results(0));
  EXPECT_EQ(head.block(), sum.block());
  EXPECT_EQ(head.offset(), sum.offset());
  EXPECT_EQ(Bytes(plan, plan::Block::ARENA), 64 * 64 * 4);
}

// p is swapped with q, and both old values are wanted too.
TEST_F(PlanTest, DonationWaitsForTheLastReader) {
  ASSERT_OK_AND_ASSIGN(plan::Plan plan, Make(R"(
func.func @swap(
    %p: tensor<64xf32> {trama.name = "p", trama.role = "parameter"},
    %q: tensor<64xf32> {trama.name = "q", trama.role = "parameter"})
    -> (tensor<64xf32> {trama.name = "p", trama.donates = 0 : i64},
        tensor<64xf32> {trama.name = "q", trama.donates = 1 : i64},
        tensor<64xf32> {trama.name = "old"}) {
  return %q, %p, %p : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
})"));
  // q to the arena, p over q and to the output, then the arena's copy over p.
  ASSERT_EQ(plan.programs(0).dispatches_size(), 4);
  const auto& dispatches = plan.programs(0).dispatches();
  EXPECT_EQ(plan.buffers(dispatches[0].operands(0)).name(), "q");
  EXPECT_EQ(plan.buffers(dispatches[1].results(0)).name(), "q");
  EXPECT_EQ(plan.buffers(dispatches[2].results(0)).name(), "old");
  EXPECT_EQ(plan.buffers(dispatches[3].results(0)).name(), "p");
}

TEST_F(PlanTest, ProgramsShareStateAndDisagreeingTypesAreRefused) {
  const std::string two = R"(
func.func @a(%p: tensor<64xf32> {trama.name = "p", trama.role = "parameter"})
    -> (tensor<64xf32> {trama.name = "y"}) {
  %y = trama.exp %p : tensor<64xf32>
  return %y : tensor<64xf32>
}
func.func @b(%p: tensor<SIZExf32> {trama.name = "p", trama.role = "parameter"})
    -> (tensor<SIZExf32> {trama.name = "y"}) {
  %y = trama.neg %p : tensor<SIZExf32>
  return %y : tensor<SIZExf32>
})";
  auto with = [&](const std::string& size) {
    std::string text = two;
    for (size_t at; (at = text.find("SIZE")) != std::string::npos;) text.replace(at, 4, size);
    return text;
  };
  ASSERT_OK_AND_ASSIGN(plan::Plan plan, Make(with("64").c_str()));
  EXPECT_EQ(&Input(plan, 0, "p"), &Input(plan, 1, "p"));
  EXPECT_EQ(Bytes(plan, plan::Block::STATE), 256);
  EXPECT_EQ(Bytes(plan, plan::Block::IO), 256);
  EXPECT_THAT(Make(with("32").c_str()),
              StatusIs(absl::StatusCode::kInvalidArgument, "p: tensor<32xf32> in b"));
}

TEST_F(PlanTest, MemoryThatIsMissingIsAnnounced) {
  options_.device.memory_bytes = 500;
  EXPECT_THAT(Make(kChain),
              StatusIs(absl::StatusCode::kResourceExhausted, "recompute or bf16 may need less"));
  options_.device.memory_bytes = UINT64_MAX;
  options_.device.max_block_bytes = 128;
  EXPECT_THAT(Make(kChain),
              StatusIs(absl::StatusCode::kResourceExhausted, "does not fit in a block"));
}

TEST_F(PlanTest, BlocksAreNoLargerThanAllowed) {
  options_.device.anchors = {"matmul", "softmax"};
  options_.device.max_block_bytes = 256;
  ASSERT_OK_AND_ASSIGN(plan::Plan plan, Make(kChain));
  for (const plan::Block& block : plan.blocks()) EXPECT_LE(block.bytes(), 256);
}

TEST_F(PlanTest, TheValidatorFindsWhatIsWrong) {
  options_.device.anchors = {"matmul", "softmax"};
  ASSERT_OK_AND_ASSIGN(const plan::Plan good, Make(kChain));
  auto expect = [&](const char* message, auto change) {
    plan::Plan bad = good;
    change(bad);
    EXPECT_THAT(ValidatePlan(bad, options_.device), StatusIs(absl::StatusCode::kInternal, message));
  };
  auto& first = good.programs(0).dispatches(0);
  expect("not aligned", [&](plan::Plan& bad) { bad.mutable_buffers(0)->set_offset(4); });
  expect("beyond its block", [&](plan::Plan& bad) { bad.mutable_blocks(2)->set_bytes(64); });
  expect("is not written", [&](plan::Plan& bad) {
    const uint32_t output = good.programs(0).dispatches(3).results(0);
    bad.mutable_programs(0)->mutable_dispatches(0)->set_operands(0, output);
  });
  expect("overwrit", [&](plan::Plan& bad) {
    const plan::Buffer& input = bad.buffers(first.operands(0));
    plan::Buffer* result = bad.mutable_buffers(first.results(0));
    result->set_block(input.block());
    result->set_offset(input.offset());
  });
  expect("not of its kernel's type", [&](plan::Plan& bad) {
    bad.mutable_programs(0)->mutable_dispatches(0)->set_operands(0, first.operands(1));
  });
}

TEST(BlockAllocatorTest, ReusesGapsOfTheDead) {
  BlockAllocator allocator(64, UINT64_MAX);
  ASSERT_OK_AND_ASSIGN(std::vector<Place> places,
                       allocator.Allocate({{100, 0, 1}, {200, 1, 2}, {100, 2, 3}, {30, 0, 3}}));
  EXPECT_EQ(places[1].offset, 0);
  EXPECT_EQ(places[0].offset, places[2].offset);
  EXPECT_EQ(allocator.blocks(), std::vector<uint64_t>{256 + 128 + 64});
}

}  // namespace
}  // namespace trama
