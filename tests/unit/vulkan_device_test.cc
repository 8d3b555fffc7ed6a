// Opening Vulkan devices, and what happens where there is none or it fails.
#include <filesystem>

#include "tests/unit/vulkan_test_kernels.h"
#include "tests/unit/vulkan_test_util.h"

namespace trama::vulkan {
namespace {
using ::testing::Each;
using ::testing::Field;
using ::testing::Not;

DeviceOptions Validated() {
  DeviceOptions options;
  options.validation = true;
  return options;
}

TEST(VulkanDeviceTest, SaysWhatItIs) {
  ASSERT_OK_AND_ASSIGN(auto device, Device::Open(Validated()));
  EXPECT_THAT(device->all(), Each(Field(&DeviceProperties::name, Not(""))));
  const DeviceProperties& properties = device->properties();
  EXPECT_THAT(properties.driver, Not(""));
  EXPECT_GE(properties.api_version, VK_API_VERSION_1_2);
  EXPECT_GE(properties.memory_bytes, uint64_t{1} << 28);
  EXPECT_GE(properties.max_allocation_bytes, uint64_t{1} << 28);
  const Target& target = device->target();
  EXPECT_GE(target.max_invocations, 128u);
  EXPECT_GE(target.max_workgroups, 65535u);
  EXPECT_GE(target.shared_bytes, 16384u);
  EXPECT_GE(target.max_buffer_range, uint64_t{1} << 27);
  EXPECT_EQ(target.max_buffer_range % 256, 0u);
  EXPECT_GE(target.subgroup_size, 1u);
  EXPECT_EQ(target.is_cpu, properties.type == "cpu");
  EXPECT_EQ(target.device_address, properties.has_device_address && !target.is_cpu);
}

TEST(VulkanDeviceTest, WrongIndexNamesTheDevices) {
  DeviceOptions options;
  options.index = 77;
  ASSERT_OK_AND_ASSIGN(auto device, Device::Open({}));
  EXPECT_THAT(Device::Open(options),
              StatusIs(absl::StatusCode::kOutOfRange, "no Vulkan device 77"));
  EXPECT_THAT(Device::Open(options),
              StatusIs(absl::StatusCode::kOutOfRange, "0: " + device->properties().name));
  options.index = -1;
  EXPECT_THAT(Device::Open(options),
              StatusIs(absl::StatusCode::kOutOfRange, "no Vulkan device -1"));
}

TEST(VulkanDeviceTest, WithoutALoaderItSaysWhatToInstall) {
  DeviceOptions options;
  options.loader = "libno_such_loader.so.1";
  EXPECT_THAT(Device::Open(options),
              StatusIs(absl::StatusCode::kFailedPrecondition, "install libvulkan1"));
  options.loader = "libm.so.6";  // a library, but no loader
  EXPECT_THAT(Device::Open(options),
              StatusIs(absl::StatusCode::kFailedPrecondition, "no Vulkan loader"));
}

TEST(VulkanDeviceTest, WithoutADriverItSaysWhatToInstall) {
  const char* before = getenv("VK_ICD_FILENAMES");
  const std::string saved = before ? before : "";
  setenv("VK_ICD_FILENAMES", "/no/such/driver.json", 1);
  EXPECT_THAT(Device::Open({}),
              StatusIs(absl::StatusCode::kFailedPrecondition, "mesa-vulkan-drivers"));
  if (before)
    setenv("VK_ICD_FILENAMES", saved.c_str(), 1);
  else
    unsetenv("VK_ICD_FILENAMES");
  EXPECT_OK(Device::Open({}));
}

TEST(VulkanDeviceTest, OpensAndClosesWithoutALeak) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto files = [] {
    const std::filesystem::directory_iterator open("/proc/self/fd");
    return std::distance(begin(open), end(open));
  };
  const int64_t messages = Device::messages_ever();
  decltype(threads()) first_threads = 0, first_files = 0;
  for (int i = 0; i < 100; ++i) {
    // Every tenth with the layer, which knows of every object.
    DeviceOptions options;
    options.validation = i % 10 == 0;
    ASSERT_OK_AND_ASSIGN(auto device, Device::Open(options));
    Memory memory(*device, /*staging=*/i % 2 == 1);
    ASSERT_OK_AND_ASSIGN(auto buffer, memory.Alloc(1000));
    const int value = i;
    ASSERT_OK(buffer->Write(4, &value, sizeof(value)));
    int read = -1;
    ASSERT_OK(buffer->Read(4, &read, sizeof(read)));
    EXPECT_EQ(read, value);
    ASSERT_OK(device->CheckMessages());
    if (i == 10) first_threads = threads(), first_files = files();
    if (i == 90) {
      EXPECT_EQ(threads(), first_threads);
      EXPECT_EQ(files(), first_files);
    }
  }
  EXPECT_EQ(Device::messages_ever(), messages);
}

TEST(VulkanDeviceTest, MessagesOfTheLayerAreErrors) {
  ASSERT_OK_AND_ASSIGN(auto device, Device::Open(Validated()));
  const int64_t before = Device::messages_ever();
  VkBufferCreateInfo empty = {};
  empty.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  empty.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;  // of no bytes: VUID-VkBufferCreateInfo-size
  VkBuffer buffer = VK_NULL_HANDLE;
  device->vk.CreateBuffer(device->handle(), &empty, nullptr, &buffer);
  EXPECT_THAT(device->CheckMessages(),
              StatusIs(absl::StatusCode::kInternal, "VUID-VkBufferCreateInfo-size"));
  if (buffer) device->vk.DestroyBuffer(device->handle(), buffer, nullptr);
  EXPECT_GT(Device::messages_ever(), before);
  CloseDevices::expected_messages += Device::messages_ever() - before;
}

// A recording of test_add on a device of its own, whose functions the test may replace.
struct Running {
  std::unique_ptr<TestDevice> test;
  std::unique_ptr<Buffer> block;
  std::unique_ptr<Recording> recording;

  static absl::StatusOr<std::unique_ptr<Running>> Make(double timeout_seconds = 0) {
    auto running = std::make_unique<Running>();
    DeviceOptions options = Validated();
    options.timeout_seconds = timeout_seconds;
    TRAMA_ASSIGN_OR_RETURN(running->test, TestDevice::Open(options));
    TestDevice& test = *running->test;
    const std::string body = AddBody(64);
    LoadStatistics statistics;
    TRAMA_ASSIGN_OR_RETURN(auto kernels,
                           test.shaders->Load({{"test_add", &body, ""}}, &statistics));
    TRAMA_ASSIGN_OR_RETURN(running->block, test.memory->Alloc(768));
    std::vector<Step> steps;
    TRAMA_RETURN_IF_ERROR(
        AppendSteps(*kernels[0], {{0, 0, 256}, {0, 256, 256}, {0, 512, 256}}, 2, 0, 0, steps));
    Buffer* blocks[] = {running->block.get()};
    TRAMA_ASSIGN_OR_RETURN(running->recording,
                           Recording::Make(*test.memory, steps, blocks, nullptr, false));
    return running;
  }
};

TEST(VulkanDeviceTest, ALostDeviceIsAnErrorFromThenOn) {
  ASSERT_OK_AND_ASSIGN(auto running, Running::Make());
  Device& device = *running->test->device;
  ASSERT_OK(running->recording->Submit());
  ASSERT_OK(device.Wait());
  device.vk.QueueSubmit = [](VkQueue, uint32_t, const VkSubmitInfo*, VkFence) {
    return VK_ERROR_DEVICE_LOST;
  };
  EXPECT_THAT(running->recording->Submit(),
              StatusIs(absl::StatusCode::kUnavailable, "device was lost"));
  float value = 0;
  EXPECT_THAT(running->recording->Submit(),
              StatusIs(absl::StatusCode::kUnavailable, "device was lost"));
  // What had ended before can still be read where the host sees the memory.
  EXPECT_OK(running->block->Read(0, &value, sizeof(value)));
}

TEST(VulkanDeviceTest, LostWhileItRuns) {
  ASSERT_OK_AND_ASSIGN(auto running, Running::Make());
  Device& device = *running->test->device;
  static PFN_vkWaitSemaphores wait = nullptr;
  wait = device.vk.WaitSemaphores;
  device.vk.WaitSemaphores = [](VkDevice handle, const VkSemaphoreWaitInfo* info, uint64_t ns) {
    wait(handle, info, ns);  // it is not lost in truth, and its objects will be destroyed
    return VK_ERROR_DEVICE_LOST;
  };
  ASSERT_OK(running->recording->Submit());
  float value = 0;
  EXPECT_THAT(running->block->Read(0, &value, sizeof(value)),
              StatusIs(absl::StatusCode::kUnavailable, "device was lost"));
  EXPECT_THAT(device.Wait(), StatusIs(absl::StatusCode::kUnavailable, "device was lost"));
  EXPECT_EQ(running->block->Map(), nullptr);
}

TEST(VulkanDeviceTest, ADeviceThatHangsIsGivenUp) {
  ASSERT_OK_AND_ASSIGN(auto running, Running::Make(/*timeout_seconds=*/0.01));
  Device& device = *running->test->device;
  // Submissions that never run.
  device.vk.QueueSubmit = [](VkQueue, uint32_t, const VkSubmitInfo*, VkFence) {
    return VK_SUCCESS;
  };
  ASSERT_OK(running->recording->Submit());
  EXPECT_THAT(device.Wait(), StatusIs(absl::StatusCode::kDeadlineExceeded, "no progress"));
  EXPECT_THAT(running->recording->Submit(),
              StatusIs(absl::StatusCode::kDeadlineExceeded, "no progress"));
}

TEST(VulkanDeviceTest, MemoryThatEndsIsAnError) {
  ASSERT_OK_AND_ASSIGN(auto running, Running::Make());
  TestDevice& test = *running->test;
  test.device->vk.AllocateMemory = [](VkDevice, const VkMemoryAllocateInfo*,
                                      const VkAllocationCallbacks*,
                                      VkDeviceMemory*) { return VK_ERROR_OUT_OF_DEVICE_MEMORY; };
  EXPECT_THAT(test.memory->Alloc(1 << 20),
              StatusIs(absl::StatusCode::kResourceExhausted, "a smaller batch"));
  EXPECT_THAT(test.memory->Alloc(SIZE_MAX - 7), StatusIs(absl::StatusCode::kResourceExhausted, ""));
  EXPECT_EQ(test.memory->allocated_bytes() % 256, 0u);
}

}  // namespace
}  // namespace trama::vulkan
