// Plans of hand-written kernels on a Vulkan device: replay, several plans and blocks, splitting,
// profiles, staging.
#include "backends/vulkan/executable.h"
#include "tests/unit/vulkan_test_kernels.h"
#include "tests/unit/vulkan_test_util.h"

namespace trama::vulkan {
namespace {
using ::testing::HasSubstr;

constexpr int64_t kN = 1000;
constexpr uint64_t kSlot = 4096;  // bytes of a buffer and its padding

// x -> x doubled `doublings` times, then added to x: one block, a slot a value.
plan::Plan PlanOf(int doublings) {
  plan::Plan plan;
  plan.set_version(1);
  const auto add_buffer = [&](uint64_t slot, const std::string& name) {
    plan::Buffer* buffer = plan.add_buffers();
    buffer->set_offset(slot * kSlot);
    buffer->set_bytes(kN * 4);
    buffer->mutable_type()->set_dtype("f32");
    buffer->mutable_type()->add_shape(kN);
    buffer->set_name(name);
    return static_cast<uint32_t>(plan.buffers_size() - 1);
  };
  const auto add_kernel = [&](const std::string& kind, const std::string& body, int operands) {
    plan::Kernel* kernel = plan.add_kernels();
    kernel->set_kind(kind);
    kernel->set_body(body);
    kernel->set_hash(kind);
    kernel->set_flops(kN);
    kernel->set_bytes_moved(kN * 4 * (operands + 1));
    for (int i = 0; i <= operands; ++i) {
      plan::TensorType* type = i < operands ? kernel->add_operands() : kernel->add_results();
      type->set_dtype("f32");
      type->add_shape(kN);
    }
  };
  add_kernel("test_double", DoubleBody(kN), 1);
  add_kernel("test_add", AddBody(kN), 2);
  plan::Program* program = plan.add_programs();
  program->set_name("run");
  const auto dispatch = [&](uint32_t kernel, std::vector<uint32_t> operands, uint32_t result) {
    plan::Dispatch* added = program->add_dispatches();
    added->set_kernel(kernel);
    for (uint32_t operand : operands) added->add_operands(operand);
    added->add_results(result);
  };
  uint64_t slots = 0;
  const uint32_t x = add_buffer(slots++, "x");
  uint32_t last = x;
  for (int i = 0; i < doublings; ++i) {
    const uint32_t next = add_buffer(slots++, absl::StrCat("x", i));
    dispatch(0, {last}, next);
    last = next;
  }
  const uint32_t y = add_buffer(slots++, "y");
  dispatch(1, {x, last}, y);
  plan::Block* block = plan.add_blocks();
  block->set_kind(plan::Block::IO);
  block->set_bytes(slots * kSlot);
  plan::Binding* input = program->add_inputs();
  input->set_name("x");
  input->set_role("input");
  input->set_buffer(x);
  plan::Binding* output = program->add_outputs();
  output->set_name("y");
  output->set_buffer(y);
  return plan;
}

struct Loaded {
  plan::Plan plan;
  std::unique_ptr<Executable> executable;
  std::unique_ptr<Buffer> block;
};

class VulkanExecutableTest : public ::testing::TestWithParam<std::pair<Abi, bool>> {
 protected:
  void SetUp() override {
    DeviceOptions options;
    options.validation = true;
    options.device_address = GetParam().first == Abi::kAddress;
    ASSERT_OK_AND_ASSIGN(engine_.device, Device::Open(options));
    engine_.memory = std::make_unique<Memory>(*engine_.device, GetParam().second);
    engine_.shaders = std::make_unique<ShaderCache>(*engine_.memory, "", 2);
  }
  void TearDown() override { EXPECT_OK(engine_.device->CheckMessages()); }

  absl::StatusOr<Loaded> Load(int doublings) {
    Loaded loaded;
    loaded.plan = PlanOf(doublings);
    TRAMA_ASSIGN_OR_RETURN(loaded.executable,
                           Executable::Load(engine_, loaded.plan.SerializeAsString()));
    TRAMA_ASSIGN_OR_RETURN(loaded.block, engine_.memory->Alloc(loaded.plan.blocks(0).bytes()));
    return loaded;
  }
  static void Write(const Loaded& loaded, float value) {
    const std::vector<float> x(kN, value);
    ASSERT_OK(loaded.block->Write(0, x.data(), kN * 4));
  }
  static void Run(const Loaded& loaded) {
    plugin::BufferBase* blocks[] = {loaded.block.get()};
    ASSERT_OK(loaded.executable->Run(0, blocks));
  }
  static void ExpectResult(const Loaded& loaded, float value) {
    std::vector<float> y(kN);
    const plan::Buffer& buffer = loaded.plan.buffers(loaded.plan.buffers_size() - 1);
    ASSERT_OK(loaded.block->Read(buffer.offset(), y.data(), kN * 4));
    EXPECT_EQ(y, std::vector<float>(kN, value));
  }

  Engine engine_;
};
INSTANTIATE_TEST_SUITE_P(
    Kinds, VulkanExecutableTest,
    ::testing::Values(std::pair(Abi::kAddress, false), std::pair(Abi::kAddress, true),
                      std::pair(Abi::kDescriptors, false), std::pair(Abi::kDescriptors, true)),
    [](const auto& info) {
      return std::string(Name(info.param.first)) + (info.param.second ? "_staging" : "_mapped");
    });

TEST_P(VulkanExecutableTest, Replays) {
  ASSERT_OK_AND_ASSIGN(Loaded loaded, Load(5));
  for (float x : {1.f, 0.5f, 3.f}) {
    Write(loaded, x);
    Run(loaded);
    ExpectResult(loaded, 33 * x);
  }
  // Twice without waiting: the second waits for the first.
  Write(loaded, 2);
  Run(loaded);
  Run(loaded);
  ASSERT_OK(engine_.device->Wait());
  ExpectResult(loaded, 66);
}

TEST_P(VulkanExecutableTest, LongProgramsAreSeveralSubmissions) {
  const uint64_t before = engine_.device->submitted();
  ASSERT_OK_AND_ASSIGN(Loaded loaded, Load(20));
  ASSERT_OK_AND_ASSIGN(Loaded longer, Load(300));
  Write(loaded, 1);
  const uint64_t start = engine_.device->submitted();
  Run(loaded);
  EXPECT_EQ(engine_.device->submitted(), start + 1);
  ExpectResult(loaded, (1 << 20) + 1);
  Write(longer, 0);
  const uint64_t at = engine_.device->submitted();
  Run(longer);
  EXPECT_EQ(engine_.device->submitted(), at + 3);  // 601 phases
  ExpectResult(longer, 0);
  EXPECT_GT(engine_.device->submitted(), before);
}

TEST_P(VulkanExecutableTest, TwoPlansAtOnce) {
  ASSERT_OK_AND_ASSIGN(Loaded a, Load(3));
  ASSERT_OK_AND_ASSIGN(Loaded b, Load(4));
  Write(a, 1);
  Write(b, 10);
  for (int i = 0; i < 3; ++i) Run(a), Run(b);
  ExpectResult(b, 170);
  ExpectResult(a, 9);
  // What one is unloaded, the other stays.
  a.executable.reset();
  Write(b, 1);
  Run(b);
  ExpectResult(b, 17);
}

TEST_P(VulkanExecutableTest, BlocksMayChange) {
  ASSERT_OK_AND_ASSIGN(Loaded loaded, Load(2));
  std::unique_ptr<Buffer> first = std::move(loaded.block);
  for (int i = 0; i < 12; ++i) {
    ASSERT_OK_AND_ASSIGN(loaded.block, engine_.memory->Alloc(loaded.plan.blocks(0).bytes()));
    Write(loaded, static_cast<float>(i));
    Run(loaded);
    ExpectResult(loaded, static_cast<float>(5 * i));
    std::swap(first, loaded.block);
    Write(loaded, 1);
    Run(loaded);
    ExpectResult(loaded, 5);
    std::swap(first, loaded.block);
  }
}

TEST_P(VulkanExecutableTest, ALargerWorkspaceIsRecordedAnew) {
  ASSERT_OK_AND_ASSIGN(Loaded loaded, Load(2));
  Write(loaded, 1);
  Run(loaded);
  ASSERT_OK(engine_.ReserveWorkspace(1 << 20));
  Write(loaded, 2);
  Run(loaded);
  ExpectResult(loaded, 10);
  EXPECT_THAT(loaded.executable->Statistics(), HasSubstr("\"workspace_bytes\": 1048576"));
}

TEST_P(VulkanExecutableTest, CountsAndMeasures) {
  engine_.profile = true;
  ASSERT_OK_AND_ASSIGN(Loaded loaded, Load(2));
  Write(loaded, 1);
  Run(loaded);
  Run(loaded);
  ExpectResult(loaded, 5);
  const std::string statistics = loaded.executable->Statistics();
  for (const char* part :
       {"\"compiled\": 2", "\"cached\": 0", "\"host_fallbacks\": 0", "\"dispatches\": 5",
        "\"runs\": 2", "\"kind\": \"test_add\"", "\"flops\": 1000", "\"bytes\": 12000"})
    EXPECT_THAT(statistics, HasSubstr(part));
  EXPECT_THAT(statistics, ::testing::Not(HasSubstr("\"us\": 0,")));
  // The same kernels again are there already.
  ASSERT_OK_AND_ASSIGN(Loaded again, Load(2));
  EXPECT_THAT(again.executable->Statistics(), HasSubstr("\"compiled\": 0"));
}

TEST_P(VulkanExecutableTest, Errors) {
  ASSERT_OK_AND_ASSIGN(Loaded loaded, Load(1));
  plugin::BufferBase* blocks[] = {loaded.block.get(), loaded.block.get()};
  EXPECT_THAT(loaded.executable->Run(1, blocks),
              StatusIs(absl::StatusCode::kInvalidArgument, "no program 1"));
  EXPECT_THAT(loaded.executable->Run(0, blocks),
              StatusIs(absl::StatusCode::kInvalidArgument, "1 blocks, not 2"));
  ASSERT_OK_AND_ASSIGN(auto small, engine_.memory->Alloc(64));
  plugin::BufferBase* too_small[] = {small.get()};
  EXPECT_THAT(loaded.executable->Run(0, too_small),
              StatusIs(absl::StatusCode::kInvalidArgument, "too small"));
  EXPECT_THAT(Executable::Load(engine_, "no plan"),
              StatusIs(absl::StatusCode::kInvalidArgument, "not a trama.plan.Plan"));
  plan::Plan plan = PlanOf(1);
  plan.mutable_kernels(0)->set_body("no MLIR");
  plan.mutable_kernels(0)->set_hash("another");
  EXPECT_THAT(Executable::Load(engine_, plan.SerializeAsString()),
              StatusIs(absl::StatusCode::kInvalidArgument, "kernel body"));
}

}  // namespace
}  // namespace trama::vulkan
