// Where barriers stand, and where none are needed.
#include <random>

#include "backends/vulkan/barriers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trama::vulkan {
namespace {
using ::testing::ElementsAre;

constexpr uint64_t kBlock = 1, kOther = 2;

Access Read(uint64_t begin, uint64_t end, uint64_t memory = kBlock) {
  return {memory, begin, end, true, false};
}
Access Write(uint64_t begin, uint64_t end, uint64_t memory = kBlock) {
  return {memory, begin, end, false, true};
}
std::vector<bool> Plan(const std::vector<std::vector<Access>>& dispatches) {
  return PlanBarriers(dispatches);
}

TEST(VulkanBarriersTest, ReadAfterWrite) {
  EXPECT_THAT(Plan({{Write(0, 64)}, {Read(0, 64)}}), ElementsAre(false, true));
  EXPECT_THAT(Plan({{Write(0, 64)}, {Read(63, 65)}}), ElementsAre(false, true));
  EXPECT_THAT(Plan({{Write(0, 64)}, {Read(64, 128)}}), ElementsAre(false, false));
  EXPECT_THAT(Plan({{Write(64, 128)}, {Read(0, 64)}}), ElementsAre(false, false));
  EXPECT_THAT(Plan({{Write(0, 64)}, {Read(0, 64, kOther)}}), ElementsAre(false, false));
}

TEST(VulkanBarriersTest, WriteAfterRead) {
  EXPECT_THAT(Plan({{Read(0, 64)}, {Write(32, 96)}}), ElementsAre(false, true));
  EXPECT_THAT(Plan({{Read(0, 64)}, {Write(64, 96)}}), ElementsAre(false, false));
}

TEST(VulkanBarriersTest, WriteAfterWrite) {
  EXPECT_THAT(Plan({{Write(0, 64)}, {Write(0, 1)}}), ElementsAre(false, true));
  EXPECT_THAT(Plan({{Write(0, 64)}, {Write(0, 64, kOther)}}), ElementsAre(false, false));
}

TEST(VulkanBarriersTest, ReadersShare) {
  EXPECT_THAT(Plan({{Write(0, 64)}, {Read(0, 64), Write(64, 128)}, {Read(0, 64), Write(128, 256)}}),
              ElementsAre(false, true, false));
}

TEST(VulkanBarriersTest, InPlace) {
  const Access both = {kBlock, 0, 64, true, true};
  EXPECT_THAT(Plan({{both}, {both}, {Read(64, 128)}, {Read(0, 1)}}),
              ElementsAre(false, true, false, true));
}

TEST(VulkanBarriersTest, OneBarrierServesAllBefore) {
  // The second barrier would be the first's work again.
  EXPECT_THAT(Plan({{Write(0, 64)}, {Write(64, 128)}, {Read(0, 64)}, {Read(64, 128)}}),
              ElementsAre(false, false, true, false));
  // What came after the barrier still counts.
  EXPECT_THAT(
      Plan({{Write(0, 64)}, {Read(0, 64), Write(64, 128)}, {Read(64, 128)}, {Write(0, 64)}}),
      ElementsAre(false, true, true, false));
}

TEST(VulkanBarriersTest, WorkspacesAreMemoryToo) {
  const uint64_t workspace = 9;
  EXPECT_THAT(Plan({{Write(0, 256, workspace)},
                    {Read(0, 256, workspace), Write(0, 64)},
                    {Write(0, 128, workspace)}}),
              ElementsAre(false, true, true));
}

TEST(VulkanBarriersTest, NothingAtAll) {
  EXPECT_THAT(Plan({}), ElementsAre());
  EXPECT_THAT(Plan({{}, {}}), ElementsAre(false, false));
  EXPECT_THAT(Plan({{Write(8, 8)}, {Write(0, 64)}}), ElementsAre(false, false));
}

// Every pair of dispatches in conflict has a barrier between them, and every barrier has such a
// pair of which it is the only one.
TEST(VulkanBarriersTest, RandomSequences) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<std::vector<Access>> dispatches(12);
    for (auto& accesses : dispatches)
      for (int a = 0; a < 3; ++a) {
        const uint64_t begin = random() % 16, end = begin + random() % 4;
        const int use = static_cast<int>(random() % 3);
        accesses.push_back({random() % 2, begin, end, use != 0, use != 1});
      }
    const std::vector<bool> barriers = Plan(dispatches);
    const auto conflict = [&](size_t i, size_t j) {
      for (const Access& x : dispatches[i])
        for (const Access& y : dispatches[j])
          for (uint64_t at = 0; at < 20; ++at)
            if (x.memory == y.memory && x.begin <= at && at < x.end && y.begin <= at &&
                at < y.end && (x.writes || y.writes) && (x.reads || x.writes) &&
                (y.reads || y.writes))
              return true;
      return false;
    };
    std::vector<bool> needed(dispatches.size());
    for (size_t j = 0; j < dispatches.size(); ++j)
      for (size_t i = 0; i < j; ++i) {
        int between = 0;
        size_t only = 0;
        for (size_t b = i + 1; b <= j; ++b)
          if (barriers[b]) ++between, only = b;
        if (!conflict(i, j)) continue;
        EXPECT_GT(between, 0) << i << " and " << j;
        if (between == 1) needed[only] = true;
      }
    EXPECT_EQ(needed, barriers);
  }
}

}  // namespace
}  // namespace trama::vulkan
