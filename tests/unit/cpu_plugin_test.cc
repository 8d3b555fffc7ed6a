// The cpu backend as hosts see it: options, information, plans, statistics.
#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/Parser/Parser.h"
#include "passes/pipelines.h"
#include "runtime/device.h"

namespace trama {
namespace {
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusOr<plan::Plan> PlanOf(const std::string& text, const DeviceTarget& target) {
  mlir::MLIRContext context;
  LoadDialects(context);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module) return absl::InvalidArgumentError("does not parse");
  CompileOptions options;
  options.device = target;
  return Compile(*module, options);
}

DeviceOptions Options(std::map<std::string, std::string> more) {
  DeviceOptions options;
  more.emplace("cache_dir", "");
  options.more = std::move(more);
  return options;
}

// Donated state, a scalar, a row reduction, a column reduction.
constexpr char kProgram[] = R"(
  func.func @step(
      %x: tensor<5x33xf32> {trama.name = "x", trama.role = "input"},
      %w: tensor<33xf32> {trama.name = "w", trama.role = "parameter"},
      %lr: tensor<f32> {trama.name = "lr", trama.role = "scalar"})
      -> (tensor<5x33xf32> {trama.name = "p"},
          tensor<33xf32> {trama.name = "w.new", trama.donates = 1}) {
    %0 = trama.mul %x, %w : tensor<5x33xf32>, tensor<33xf32>
    %1 = trama.softmax %0 dim = 1 : tensor<5x33xf32>
    %2 = trama.sum %1 dims = [0] : tensor<5x33xf32>
    %3 = trama.mul %2, %lr : tensor<33xf32>, tensor<f32>
    %4 = trama.sub %w, %3 : tensor<33xf32>, tensor<33xf32>
    return %1, %4 : tensor<5x33xf32>, tensor<33xf32>
  })";

// The program's buffers after three runs on blocks that change in between.
std::map<std::string, std::vector<float>> RunThrice(Device& device) {
  std::map<std::string, std::vector<float>> values;
  auto plan = PlanOf(kProgram, device.target());
  EXPECT_OK(plan);
  auto executable = device.Load(*plan);
  EXPECT_OK(executable);
  std::vector<Buffer> before;
  for (int run = 0; run < 3; ++run) {
    auto blocks = device.AllocBlocks(*plan);
    EXPECT_OK(blocks);
    auto fill = [&](const plan::Binding& binding) {
      const plan::Buffer& buffer = plan->buffers(static_cast<int>(binding.buffer()));
      std::vector<float> data(buffer.bytes() / sizeof(float));
      if (run > 0 && values.contains(binding.name())) data = values[binding.name()];
      for (size_t i = 0; run == 0 && i < data.size(); ++i)
        data[i] = 0.25f + 0.01f * static_cast<float>(i % 50);
      values[binding.name()] = data;
      EXPECT_OK((*blocks)[buffer.block()].Write(buffer.offset(), data.data(), buffer.bytes()));
    };
    for (const plan::Binding& binding : plan->programs(0).inputs()) fill(binding);
    EXPECT_OK(executable->Run(0, *blocks));
    EXPECT_OK(device.Wait());
    for (const plan::Binding& binding : plan->programs(0).outputs()) {
      const plan::Buffer& buffer = plan->buffers(static_cast<int>(binding.buffer()));
      std::vector<float>& data = values[binding.name()];
      data.resize(buffer.bytes() / sizeof(float));
      EXPECT_OK((*blocks)[buffer.block()].Read(buffer.offset(), data.data(), buffer.bytes()));
    }
    before = *std::move(blocks);
  }
  return values;
}

TEST(CpuPluginTest, AgreesWithTheReferenceAndWithItself) {
  ASSERT_OK_AND_ASSIGN(Device reference, Device::Open("reference"));
  const auto want = RunThrice(reference);
  std::map<std::string, std::vector<float>> first;
  for (const char* threads : {"1", "2", "3"}) {
    ASSERT_OK_AND_ASSIGN(Device device, Device::Open("cpu", Options({{"threads", threads}})));
    const auto got = RunThrice(device);
    if (first.empty()) first = got;
    EXPECT_EQ(got, first) << "depends on threads";
    ASSERT_EQ(got.size(), want.size());
    for (const auto& [name, values] : want)
      for (size_t i = 0; i < values.size(); ++i)
        EXPECT_NEAR(got.at(name)[i], values[i], 1e-5) << name << " " << i;
  }
}

TEST(CpuPluginTest, SaysWhatItIs) {
  ASSERT_OK_AND_ASSIGN(Device device, Device::Open("cpu", Options({})));
  EXPECT_TRUE(device.target().compiles_bodies);
  EXPECT_EQ(device.target().alignment, 64);
  EXPECT_GT(device.target().memory_bytes, 1 << 20);
  for (const char* kind : {"matmul", "attention", "adam", "square_sum"})
    EXPECT_THAT(device.info().kernels, Contains(kind));
  EXPECT_THAT(device.info().kernels, Not(Contains("fused")));
}

TEST(CpuPluginTest, CountsAndMeasures) {
  ASSERT_OK_AND_ASSIGN(Device device, Device::Open("cpu", Options({{"profile", "1"}})));
  ASSERT_OK_AND_ASSIGN(plan::Plan plan, PlanOf(kProgram, device.target()));
  ASSERT_OK_AND_ASSIGN(std::vector<Buffer> blocks, device.AllocBlocks(plan));
  ASSERT_OK_AND_ASSIGN(Executable executable, device.Load(plan));
  ASSERT_OK(executable.Run(0, blocks));
  ASSERT_OK(executable.Run(0, blocks));
  const std::string statistics = executable.Statistics();
  EXPECT_THAT(statistics, HasSubstr(absl::StrCat("\"compiled\": ", plan.kernels_size())));
  EXPECT_THAT(statistics, HasSubstr("\"runs\": 2"));
  EXPECT_THAT(statistics, HasSubstr("\"best_us\": "));
  // The same kernels again are there already.
  ASSERT_OK_AND_ASSIGN(Executable again, device.Load(plan));
  EXPECT_THAT(again.Statistics(), HasSubstr("\"compiled\": 0"));
}

TEST(CpuPluginTest, Errors) {
  EXPECT_THAT(Device::Open("cpu", Options({{"threads", "many"}})),
              StatusIs(absl::StatusCode::kInvalidArgument, "threads: \"many\""));
  ASSERT_OK_AND_ASSIGN(Device device, Device::Open("cpu", Options({})));
  EXPECT_THAT(device.Alloc(SIZE_MAX - 100),
              StatusIs(absl::StatusCode::kResourceExhausted, "no memory"));
  plan::Plan plan;
  plan.add_kernels()->set_body("no MLIR");
  EXPECT_THAT(device.Load(plan), StatusIs(absl::StatusCode::kInvalidArgument, "kernel body"));
  ASSERT_OK_AND_ASSIGN(Executable executable, device.Load(plan::Plan()));
  EXPECT_THAT(executable.Run(0, std::vector<Buffer>()),
              StatusIs(absl::StatusCode::kInvalidArgument, "no program 0"));
}

TEST(CpuPluginTest, KernelsThatNobodyCanCompileAreErrors) {
  ASSERT_OK_AND_ASSIGN(Device device, Device::Open("cpu", Options({})));
  plan::Plan plan;
  plan.add_kernels()->set_body(
      R"(func.func @f(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>) -> tensor<2x4xf32> {
    %0 = trama.matmul %a, %b : tensor<2x3xf32>, tensor<3x4xf32>
    return %0 : tensor<2x4xf32>})");
  plan.mutable_kernels(0)->set_kind("fused");
  EXPECT_THAT(device.Load(plan), StatusIs(absl::StatusCode::kUnimplemented, "trama.matmul"));
}

}  // namespace
}  // namespace trama
