// Buffers of a Vulkan device, mapped and through staging.
#include <numeric>

#include "tests/unit/vulkan_test_util.h"

namespace trama::vulkan {
namespace {

class VulkanMemoryTest : public ::testing::TestWithParam<std::pair<Abi, bool>> {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(test_, TestDevice::Open(GetParam().first, GetParam().second));
  }
  void TearDown() override { EXPECT_OK(test_->device->CheckMessages()); }
  Memory& memory() { return *test_->memory; }
  std::unique_ptr<TestDevice> test_;
};
INSTANTIATE_TEST_SUITE_P(
    Kinds, VulkanMemoryTest,
    ::testing::Values(std::pair(Abi::kAddress, false), std::pair(Abi::kAddress, true),
                      std::pair(Abi::kDescriptors, false), std::pair(Abi::kDescriptors, true)),
    [](const auto& info) {
      return std::string(Name(info.param.first)) + (info.param.second ? "_staging" : "_mapped");
    });

TEST_P(VulkanMemoryTest, ReadsWhatWasWritten) {
  // The last takes several pieces of staging.
  for (size_t bytes : {size_t{1}, size_t{3}, size_t{4096}, size_t{40000001}}) {
    ASSERT_OK_AND_ASSIGN(auto buffer, memory().Alloc(bytes));
    EXPECT_EQ(buffer->size(), bytes);
    std::vector<char> data(bytes), back(bytes, 'x');
    ASSERT_OK(buffer->Read(0, back.data(), bytes));
    EXPECT_EQ(back, data) << "not zero-filled";
    std::iota(data.begin(), data.end(), '\0');
    ASSERT_OK(buffer->Write(0, data.data(), bytes));
    ASSERT_OK(buffer->Read(0, back.data(), bytes));
    EXPECT_EQ(back, data);
    // At odd places.
    const size_t at = bytes / 3, count = bytes - at - bytes / 5;
    std::fill_n(data.begin() + at, count, 'y');
    ASSERT_OK(buffer->Write(at, data.data() + at, count));
    ASSERT_OK(buffer->Read(at, back.data(), count));
    EXPECT_TRUE(std::equal(back.begin(), back.begin() + count, data.begin() + at));
    ASSERT_OK(buffer->Read(0, back.data(), bytes));
    EXPECT_EQ(back, data);
  }
}

TEST_P(VulkanMemoryTest, MapsWhatTheHostCanAddress) {
  ASSERT_OK_AND_ASSIGN(auto buffer, memory().Alloc(100));
  const int value = 1234;
  ASSERT_OK(buffer->Write(8, &value, sizeof(value)));
  const bool staging = GetParam().second;
  char* mapped = static_cast<char*>(buffer->Map());
  if (staging) EXPECT_EQ(mapped, nullptr);
  if (!mapped) return;
  EXPECT_EQ(std::memcmp(mapped + 8, &value, sizeof(value)), 0);
}

TEST_P(VulkanMemoryTest, NothingIsSomething) {
  ASSERT_OK_AND_ASSIGN(auto buffer, memory().Alloc(0));
  EXPECT_EQ(buffer->size(), 0u);
  EXPECT_OK(buffer->Write(0, nullptr, 0));
  EXPECT_OK(buffer->Read(0, nullptr, 0));
}

TEST_P(VulkanMemoryTest, CountsAndLimits) {
  const uint64_t before = memory().allocated_bytes();
  {
    ASSERT_OK_AND_ASSIGN(auto a, memory().Alloc(1 << 20));
    ASSERT_OK_AND_ASSIGN(auto b, memory().Alloc(1 << 20));
    EXPECT_NE(a->id(), b->id());
    EXPECT_EQ(a->address() != 0, GetParam().first == Abi::kAddress);
    EXPECT_GE(memory().allocated_bytes(), before + (2 << 20));
  }
  EXPECT_EQ(memory().allocated_bytes(), before);
  EXPECT_GE(memory().alignment(), Memory::kAlignment);
  EXPECT_LE(memory().max_block_bytes(), uint64_t{512} << 20);
  EXPECT_GE(memory().max_block_bytes(), uint64_t{50257} * 768 * 4);  // GPT-2's embedding
  EXPECT_THAT(memory().Alloc(test_->device->properties().max_allocation_bytes + 1),
              StatusIs(absl::StatusCode::kResourceExhausted, "in one piece"));
  EXPECT_THAT(memory().Alloc(SIZE_MAX),
              StatusIs(absl::StatusCode::kResourceExhausted, "no memory"));
}

}  // namespace
}  // namespace trama::vulkan
