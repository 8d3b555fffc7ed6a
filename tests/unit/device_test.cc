#include "runtime/device.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/Parser/Parser.h"
#include "passes/pipelines.h"

namespace trama {
namespace {

// A plan of the functions of `text`, which is at level "model".
absl::StatusOr<plan::Plan> PlanOf(const std::string& text, const DeviceTarget& target) {
  mlir::MLIRContext context;
  LoadDialects(context);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module) return absl::InvalidArgumentError("does not parse");
  CompileOptions options;
  options.device = target;
  return Compile(*module, options);
}

constexpr char kProgram[] = R"(
  func.func @forward(
      %x: tensor<2x3xf32> {trama.name = "x", trama.role = "input"},
      %w: tensor<3x2xf32> {trama.name = "w", trama.role = "parameter"})
      -> (tensor<2x2xf32> {trama.name = "y"}) {
    %0 = trama.matmul %x, %w : tensor<2x3xf32>, tensor<3x2xf32>
    %1 = trama.exp %0 : tensor<2x2xf32>
    return %1 : tensor<2x2xf32>
  })";

const plan::Buffer& Find(const plan::Plan& plan, absl::string_view name) {
  for (const plan::Buffer& buffer : plan.buffers())
    if (buffer.name() == name) return buffer;
  ADD_FAILURE() << "no buffer " << name;
  return plan.buffers(0);
}

TEST(DeviceTest, ParsesInfo) {
  ASSERT_OK_AND_ASSIGN(const Device device, Device::Open("reference"));
  EXPECT_EQ(device.info().backend, "reference");
  EXPECT_EQ(device.info().name, "interpreter");
  EXPECT_TRUE(device.target().compiles_bodies);
  EXPECT_EQ(device.target().alignment, 64);
  EXPECT_GT(device.target().memory_bytes, 1 << 20);
}

TEST(DeviceTest, RunsAPlan) {
  ASSERT_OK_AND_ASSIGN(Device device, Device::Open("reference"));
  ASSERT_OK_AND_ASSIGN(const plan::Plan plan, PlanOf(kProgram, device.target()));
  ASSERT_OK_AND_ASSIGN(std::vector<Buffer> blocks, device.AllocBlocks(plan));
  ASSERT_OK_AND_ASSIGN(Executable executable, device.Load(plan));
  const float x[] = {1, 0, 0, 0, 1, 0}, w[] = {0, 1, 2, 3, 9, 9};
  const plan::Buffer &bx = Find(plan, "x"), &bw = Find(plan, "w"), &by = Find(plan, "y");
  ASSERT_OK(blocks[bx.block()].Write(bx.offset(), x, sizeof(x)));
  ASSERT_OK(blocks[bw.block()].Write(bw.offset(), w, sizeof(w)));
  ASSERT_OK(executable.Run(0, blocks));
  ASSERT_OK(device.Wait());
  float y[4];
  ASSERT_OK(blocks[by.block()].Read(by.offset(), y, sizeof(y)));
  EXPECT_THAT(
      y, testing::ElementsAre(1, testing::FloatEq(std::exp(1.0f)), testing::FloatEq(std::exp(2.0f)),
                              testing::FloatEq(std::exp(3.0f))));
}

TEST(DeviceTest, ShowsTheCodeOfKernels) {
  ASSERT_OK_AND_ASSIGN(Device device, Device::Open("vulkan"));
  ASSERT_OK_AND_ASSIGN(const plan::Plan plan, PlanOf(R"(
  func.func @forward(%x: tensor<2x3xf32> {trama.name = "x", trama.role = "input"})
      -> (tensor<2x3xf32> {trama.name = "y"}) {
    %0 = trama.sqrt %x : tensor<2x3xf32>
    return %0 : tensor<2x3xf32>
  })",
                                                     device.target()));
  ASSERT_OK_AND_ASSIGN(const Executable executable, device.Load(plan));
  ASSERT_OK_AND_ASSIGN(const std::string code, executable.Code(0));
  EXPECT_THAT(code, testing::HasSubstr("spirv.GL.Sqrt"));
  EXPECT_THAT(code, testing::HasSubstr("//   operand 0 read\n//   result 0 written\n"));
  EXPECT_THAT(executable.Code(1), StatusIs(absl::StatusCode::kInvalidArgument, "no kernel 1"));
}

TEST(DeviceTest, SaysWhereThereIsNoCodeToShow) {
  ASSERT_OK_AND_ASSIGN(Device device, Device::Open("reference"));
  ASSERT_OK_AND_ASSIGN(const Executable executable, device.Load(plan::Plan()));
  EXPECT_THAT(executable.Code(0), StatusIs(absl::StatusCode::kUnimplemented, "does not show"));
}

TEST(DeviceTest, ErrorsCrossTheBoundary) {
  ASSERT_OK_AND_ASSIGN(Device device, Device::Open("reference"));
  ASSERT_OK_AND_ASSIGN(Buffer buffer, device.Alloc(8));
  char byte = 0;
  EXPECT_THAT(buffer.Write(8, &byte, 1), StatusIs(absl::StatusCode::kOutOfRange, "8 bytes"));
  EXPECT_THAT(buffer.Read(SIZE_MAX, &byte, 2), StatusIs(absl::StatusCode::kOutOfRange, ""));
  EXPECT_THAT(device.Alloc(SIZE_MAX - 100),
              StatusIs(absl::StatusCode::kResourceExhausted, "no memory"));
  plan::Plan plan;
  plan.add_kernels()->set_body("no MLIR");
  EXPECT_THAT(device.Load(plan), StatusIs(absl::StatusCode::kInvalidArgument, "does not parse"));
  ASSERT_OK_AND_ASSIGN(Executable executable, device.Load(plan::Plan()));
  EXPECT_THAT(executable.Run(0, std::vector<Buffer>()),
              StatusIs(absl::StatusCode::kInvalidArgument, "no program 0"));
}

// The plan with the dialect's version in the bytecode of its kernel raised to 2. A number n below
// 64 is the byte 2n + 1 in bytecode, so it is one of the threes.
std::vector<plan::Plan> WithNewerBytecode(const plan::Plan& plan) {
  std::vector<plan::Plan> newer;
  const std::string body = plan.kernels(0).body();
  for (size_t at = 0; at < body.size(); ++at) {
    if (body[at] != 2 * TramaDialect::kBytecodeVersion + 1) continue;
    newer.push_back(plan);
    (*newer.back().mutable_kernels(0)->mutable_body())[at] += 2;
    newer.back().mutable_kernels(0)->set_hash(absl::StrCat("other ", at));  // not from a cache
  }
  return newer;
}

TEST(DeviceTest, RefusesBytecodeOfANewerVersion) {
  for (const char* backend : {"reference", "cpu"}) {
    ASSERT_OK_AND_ASSIGN(Device device, Device::Open(backend));
    ASSERT_OK_AND_ASSIGN(const plan::Plan plan, PlanOf(kProgram, device.target()));
    ASSERT_OK(device.Load(plan));
    int refused = 0;
    for (const plan::Plan& newer : WithNewerBytecode(plan)) {
      const absl::Status status = device.Load(newer).status();
      if (!absl::StrContains(status.message(), "of version 2; this build reads up to 1")) continue;
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
      ++refused;
    }
    EXPECT_EQ(refused, 1) << backend;
    plan::Plan newer = plan;
    newer.set_version(2);
    EXPECT_THAT(device.Load(newer), StatusIs(absl::StatusCode::kInvalidArgument,
                                             "a plan of version 2; this build reads up to 1"));
  }
}

TEST(DeviceTest, BuffersAndExecutablesKeepTheDeviceOpen) {
  Buffer kept;
  {
    ASSERT_OK_AND_ASSIGN(Device device, Device::Open("reference"));
    ASSERT_OK_AND_ASSIGN(Buffer buffer, device.Alloc(4));
    kept = std::move(buffer);
  }
  const int32_t seven = 7;
  ASSERT_OK(kept.Write(0, &seven, 4));
  int32_t read = 0;
  ASSERT_OK(kept.Read(0, &read, 4));
  EXPECT_EQ(read, 7);
}

}  // namespace
}  // namespace trama
