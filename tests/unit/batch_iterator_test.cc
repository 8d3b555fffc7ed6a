#include "runtime/data/batch_iterator.h"

#include <algorithm>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/data/rows_dataset.h"
#include "runtime/data/window_dataset.h"

namespace trama {
namespace {

RowsDataset Numbers(int64_t count) {
  TensorMap tensors;
  tensors["n"] = HostTensor(DType::kI32, {count});
  for (int64_t i = 0; i < count; ++i) tensors["n"].set(i, static_cast<double>(i));
  return RowsDataset(std::move(tensors));
}

std::vector<int32_t> NumbersOf(const Batch& batch) {
  const auto span = batch.tensors.at("n").data<int32_t>();
  return {span.begin(), span.end()};
}

TEST(BatchIteratorTest, KeepsOrderAndEndsEpochsSmaller) {
  const RowsDataset data = Numbers(5);
  ASSERT_OK_AND_ASSIGN(auto it, BatchIterator::Create(data, {.batch_size = 2, .shuffle = false}));
  EXPECT_EQ(it.batches_per_epoch(), 3);
  EXPECT_EQ(it.updates_per_epoch(), 3);
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (const std::vector<int32_t>& want :
         {std::vector<int32_t>{0, 1}, std::vector<int32_t>{2, 3}, std::vector<int32_t>{4}}) {
      ASSERT_OK_AND_ASSIGN(const Batch batch, it.Next());
      EXPECT_EQ(NumbersOf(batch), want);
      EXPECT_EQ(batch.size, static_cast<int64_t>(want.size()));
      EXPECT_EQ(batch.epoch, epoch);
      EXPECT_TRUE(batch.ends_update);
      EXPECT_EQ(batch.ends_epoch, want.size() == 1);
    }
  }
}

TEST(BatchIteratorTest, ShufflesEachEpochAnew) {
  const RowsDataset data = Numbers(50);
  const auto epoch = [&](uint64_t seed, int number) {
    auto it = BatchIterator::Create(data, {.batch_size = 25, .seed = seed});
    std::vector<int32_t> order;
    while (it->epoch() < number) EXPECT_OK(it->Next());
    while (it->epoch() == number) {
      const std::vector<int32_t> batch = NumbersOf(*it->Next());
      order.insert(order.end(), batch.begin(), batch.end());
    }
    return order;
  };
  EXPECT_EQ(epoch(1, 0), epoch(1, 0));
  EXPECT_NE(epoch(1, 0), epoch(1, 1));
  EXPECT_NE(epoch(1, 0), epoch(2, 0));
  std::vector<int32_t> sorted = epoch(1, 3);
  std::sort(sorted.begin(), sorted.end());
  ASSERT_EQ(sorted.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(sorted[i], i);
  ASSERT_OK_AND_ASSIGN(auto whole, BatchIterator::Create(data, {}));
  EXPECT_EQ(NumbersOf(*whole.Next()), sorted);
}

// k batches of n see what one of k n sees, and updates end together.
TEST(BatchIteratorTest, AccumulationEqualsLargeBatches) {
  const RowsDataset data = Numbers(14);
  ASSERT_OK_AND_ASSIGN(auto large, BatchIterator::Create(data, {.batch_size = 12}));
  ASSERT_OK_AND_ASSIGN(auto small,
                       BatchIterator::Create(data, {.batch_size = 4, .grad_accumulation = 3}));
  EXPECT_EQ(large.updates_per_epoch(), 2);
  EXPECT_EQ(small.updates_per_epoch(), 2);
  for (int update = 0; update < 6; ++update) {
    const std::vector<int32_t> want = NumbersOf(*large.Next());
    std::vector<int32_t> got;
    for (bool more = true; more;) {
      ASSERT_OK_AND_ASSIGN(const Batch batch, small.Next());
      EXPECT_EQ(batch.first, static_cast<int64_t>(got.size()));
      const std::vector<int32_t> numbers = NumbersOf(batch);
      got.insert(got.end(), numbers.begin(), numbers.end());
      more = !batch.ends_update;
    }
    EXPECT_EQ(got, want) << update;
  }
}

TEST(BatchIteratorTest, ResumesAnywhere) {
  const RowsDataset rows = Numbers(14);
  std::vector<int32_t> ids(100);
  for (int i = 0; i < 100; ++i) ids[i] = i;
  const WindowDataset windows = WindowDataset::Random(Tokens(ids), 7, 3);
  for (const Dataset* data :
       {static_cast<const Dataset*>(&rows), static_cast<const Dataset*>(&windows)}) {
    const BatchOptions options{.batch_size = 4, .grad_accumulation = 3, .seed = 5};
    ASSERT_OK_AND_ASSIGN(auto it, BatchIterator::Create(*data, options));
    for (int i = 0; i < 20; ++i) {
      ASSERT_OK_AND_ASSIGN(const Json saved, Json::Parse(it.Position().Dump()));
      ASSERT_OK_AND_ASSIGN(auto resumed, BatchIterator::Create(*data, options));
      ASSERT_OK(resumed.Restore(saved));
      ASSERT_OK_AND_ASSIGN(const Batch want, it.Next());
      ASSERT_OK_AND_ASSIGN(const Batch got, resumed.Next());
      for (const auto& [name, tensor] : want.tensors)
        EXPECT_EQ(got.tensors.at(name).bytes, tensor.bytes) << name << " " << i;
      EXPECT_EQ(got.ends_update, want.ends_update);
      EXPECT_EQ(got.epoch, want.epoch);
      EXPECT_EQ(got.first, want.first);
    }
  }
}

TEST(BatchIteratorTest, ReturnsToAnEarlierPlace) {
  const RowsDataset data = Numbers(14);
  ASSERT_OK_AND_ASSIGN(
      auto it, BatchIterator::Create(data, {.batch_size = 4, .grad_accumulation = 3, .seed = 5}));
  for (int i = 0; i < 20; ++i) {
    const BatchIterator::Place start = it.place();
    std::vector<Batch> want;
    for (int next = 0; next < 5; ++next) {  // into the next epoch
      ASSERT_OK_AND_ASSIGN(want.emplace_back(), it.Next());
    }
    it.ReturnTo(start);
    for (const Batch& batch : want) {
      ASSERT_OK_AND_ASSIGN(const Batch got, it.Next());
      EXPECT_EQ(NumbersOf(got), NumbersOf(batch));
      EXPECT_EQ(got.ends_update, batch.ends_update);
    }
  }
}

TEST(BatchIteratorTest, AnEndlessDatasetGivesFullBatches) {
  const WindowDataset data = WindowDataset::Random(Tokens(std::vector<int32_t>(50, 1)), 7, 0);
  EXPECT_EQ(data.size(), 7);
  ASSERT_OK_AND_ASSIGN(auto it,
                       BatchIterator::Create(data, {.batch_size = 3, .grad_accumulation = 2}));
  int ends = 0;
  for (int i = 0; i < 14; ++i) {
    ASSERT_OK_AND_ASSIGN(const Batch batch, it.Next());
    EXPECT_EQ(batch.size, 3);
    EXPECT_EQ(batch.ends_update, i % 2 == 1);
    ends += batch.ends_epoch;
  }
  EXPECT_EQ(ends, 6);  // 42 examples
}

TEST(BatchIteratorTest, NamesWhatDiffersOnResume) {
  const RowsDataset data = Numbers(14), other = Numbers(15);
  ASSERT_OK_AND_ASSIGN(auto it, BatchIterator::Create(data, {.batch_size = 4}));
  const Json position = it.Position();
  const auto restore = [&](const Dataset& dataset, BatchOptions options) {
    return BatchIterator::Create(dataset, options)->Restore(position);
  };
  EXPECT_OK(restore(data, {.batch_size = 4}));
  using absl::StatusCode::kFailedPrecondition;
  EXPECT_THAT(restore(other, {.batch_size = 4}),
              StatusIs(kFailedPrecondition, "had data_size 14, this one has 15"));
  EXPECT_THAT(restore(data, {.batch_size = 5}), StatusIs(kFailedPrecondition, "batch_size 4"));
  EXPECT_THAT(restore(data, {.batch_size = 4, .seed = 1}), StatusIs(kFailedPrecondition, "seed 0"));
  EXPECT_THAT(restore(data, {.batch_size = 4, .shuffle = false}),
              StatusIs(kFailedPrecondition, "shuffle true"));
  Json broken = position;
  broken.Set("index", 99);
  EXPECT_FALSE(it.Restore(broken).ok());
  EXPECT_FALSE(it.Restore(Json()).ok());
  EXPECT_FALSE(BatchIterator::Create(data, {.batch_size = -1}).ok());
  EXPECT_FALSE(BatchIterator::Create(data, {.grad_accumulation = 0}).ok());
}

}  // namespace
}  // namespace trama
