#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/data/batch_iterator.h"
#include "runtime/data/data.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using absl::StatusCode::kInvalidArgument;
using absl::StatusCode::kNotFound;

std::vector<int32_t> Ints(const HostTensor& tensor) {
  const auto span = tensor.data<int32_t>();
  return {span.begin(), span.end()};
}

TEST(TextDataTest, CharTransformerSeesEveryPair) {
  const TempDir dir;
  DataOptions options{.data = dir.Write("a.txt", "ola mundo, como vai você?"), .seq_len = 5};
  options.labels = WindowLabels::kNextToken;
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  EXPECT_EQ(loaded.tokenizer->vocab_size(), 14);
  EXPECT_EQ(loaded.validation, nullptr);
  ASSERT_EQ(loaded.train->size(), 20);
  std::vector<int64_t> all(20);
  for (int i = 0; i < 20; ++i) all[i] = i;
  ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.train->Batch(all));
  const HostTensor &inputs = batch.at("input_ids"), &labels = batch.at("labels");
  EXPECT_EQ(inputs.shape, (Shape{20, 5}));
  EXPECT_EQ(labels.shape, (Shape{20}));
  EXPECT_EQ(loaded.tokenizer->Decode(inputs.data<int32_t>().subspan(0, 5)), "ola m");
  EXPECT_EQ(loaded.tokenizer->Decode(labels.data<int32_t>().subspan(0, 1)), "u");
  EXPECT_EQ(loaded.tokenizer->Decode(labels.data<int32_t>().subspan(19, 1)), "?");
}

TEST(TextDataTest, RandomWindowsDependOnTheExampleAlone) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 500; ++i) text += static_cast<char>('a' + i % 26);
  DataOptions options{
      .data = dir.Write("a.txt", text), .seed = 1, .tokenizer_spec = "bytes", .seq_len = 16};
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  EXPECT_TRUE(loaded.train->endless());
  ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.train->Batch({0, 1, 1'000'000'007}));
  const std::vector<int32_t> ids = Ints(batch.at("input_ids")), labels = Ints(batch.at("labels"));
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ((ids[i] - 'a' + 1) % 26, labels[i] - 'a');  // not shifted: the next id
    if (i % 16 != 15) {
      EXPECT_EQ(ids[i + 1], labels[i]);
    }
  }
  ASSERT_OK_AND_ASSIGN(const TensorMap again, loaded.train->Batch({1}));
  EXPECT_EQ(Ints(again.at("input_ids")), std::vector<int32_t>(ids.begin() + 16, ids.begin() + 32));
}

TEST(TextDataTest, WindowsInOrderBeginAgainAtTheEnd) {
  const TempDir dir;
  DataOptions options{
      .data = dir.Write("a.txt", "abcdefghijk"), .tokenizer_spec = "bytes", .seq_len = 4};
  options.shuffle = false;
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  ASSERT_OK_AND_ASSIGN(auto batches, BatchIterator::Create(*loaded.train, {.batch_size = 3}));
  std::string inputs, labels;
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const Batch batch, batches.Next());
    for (const int32_t id : Ints(batch.tensors.at("input_ids"))) inputs += static_cast<char>(id);
    for (const int32_t id : Ints(batch.tensors.at("labels"))) labels += static_cast<char>(id);
  }
  EXPECT_EQ(inputs, "abcdefghabcdefghabcdefgh");
  EXPECT_EQ(labels, "bcdefghibcdefghibcdefghi");
}

// Every start is drawn about as often as the others, the first and the last included.
TEST(TextDataTest, RandomWindowsCoverTheText) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 14; ++i) text += static_cast<char>(i);
  ASSERT_OK_AND_ASSIGN(
      const LoadedData loaded,
      LoadData({.data = dir.Write("a.txt", text), .tokenizer_spec = "bytes", .seq_len = 4}));
  std::vector<int> counts(14);
  for (int64_t n = 0; n < 10'000; ++n) {
    ++counts[Ints(loaded.train->Batch({n})->at("input_ids"))[0]];
  }
  for (int start = 0; start < 14; ++start) {
    if (start < 10)
      EXPECT_NEAR(counts[start], 1000, 150) << start;
    else
      EXPECT_EQ(counts[start], 0);
  }
}

TEST(TextDataTest, ValidationCoversTheTextOnce) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>(i);
  DataOptions options{.data = dir.Write("a.txt", text),
                      .val_fraction = 0.1,
                      .tokenizer_spec = "bytes",
                      .seq_len = 4};
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  ASSERT_EQ(loaded.validation->size(), 3);  // 90..99: 9 targets
  ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.validation->Batch({0, 1, 2}));
  EXPECT_EQ(Ints(batch.at("input_ids")),
            (std::vector<int32_t>{90, 91, 92, 93, 94, 95, 96, 97, 98, 0, 0, 0}));
  EXPECT_EQ(Ints(batch.at("labels")),
            (std::vector<int32_t>{91, 92, 93, 94, 95, 96, 97, 98, 99, -100, -100, -100}));
  options.val_fraction = 0;
  options.training = false;
  ASSERT_OK_AND_ASSIGN(const LoadedData evaluated, LoadData(options));
  EXPECT_EQ(evaluated.train, nullptr);
  EXPECT_EQ(evaluated.validation->size(), 25);
}

// Overlapping windows: each target once, with as much before it as the stride leaves.
TEST(TextDataTest, EvaluatesInStrides) {
  const TempDir dir;
  for (const int length : {2, 4, 5, 6, 7, 8, 11, 12, 13}) {
    std::string text;
    for (int i = 0; i < length; ++i) text += static_cast<char>(i);
    for (const int64_t stride : {1, 2, 3, 4}) {
      ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData({.data = dir.Write("a.txt", text),
                                                              .training = false,
                                                              .tokenizer_spec = "bytes",
                                                              .seq_len = 4,
                                                              .stride = stride}));
      EXPECT_EQ(loaded.target_bytes, length - 1);
      std::vector<int32_t> targets;
      for (int64_t n = 0; n < loaded.validation->size(); ++n) {
        ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.validation->Batch({n}));
        const std::vector<int32_t> ids = Ints(batch.at("input_ids")),
                                   labels = Ints(batch.at("labels"));
        EXPECT_EQ(ids[0], n * stride);
        for (int64_t t = 0; t < 4; ++t) {
          if (labels[t] == -100) continue;
          EXPECT_EQ(labels[t], n * stride + t + 1);
          EXPECT_TRUE(n == 0 || t >= 4 - stride);
          targets.push_back(labels[t]);
        }
      }
      std::vector<int32_t> all(static_cast<size_t>(length - 1));
      for (int i = 1; i < length; ++i) all[static_cast<size_t>(i - 1)] = i;
      EXPECT_EQ(targets, all) << length << " tokens, stride " << stride;
    }
  }
  const absl::StatusOr<LoadedData> gaps = LoadData({.data = dir / "a.txt",
                                                    .training = false,
                                                    .tokenizer_spec = "bytes",
                                                    .seq_len = 4,
                                                    .stride = 5});
  EXPECT_THAT(gaps.status().message(), testing::HasSubstr("beyond the window of 4"));
}

TEST(TextDataTest, CountsTheBytesOfCharacters) {
  const TempDir dir;
  DataOptions options{.data = dir.Write("a.txt", "ação"), .training = false, .seq_len = 2};
  ASSERT_OK_AND_ASSIGN(LoadedData loaded, LoadData(options));
  EXPECT_EQ(loaded.target_bytes, 5);  // all but the first letter
  options.labels = WindowLabels::kNextToken;
  ASSERT_OK_AND_ASSIGN(loaded, LoadData(options));
  EXPECT_EQ(loaded.target_bytes, 3);  // what follows the first window
}

TEST(TextDataTest, StridesAndLimits) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 30; ++i) text += static_cast<char>(i);
  DataOptions options{
      .data = dir.Write("a.txt", text), .tokenizer_spec = "bytes", .seq_len = 4, .stride = 4};
  ASSERT_OK_AND_ASSIGN(LoadedData loaded, LoadData(options));
  EXPECT_EQ(loaded.train->size(), 7);  // starts 0, 4, ... 24
  ASSERT_OK_AND_ASSIGN(TensorMap batch, loaded.train->Batch({1}));
  EXPECT_EQ(Ints(batch.at("input_ids")), (std::vector<int32_t>{4, 5, 6, 7}));
  EXPECT_EQ(Ints(batch.at("labels")), (std::vector<int32_t>{5, 6, 7, 8}));
  options.limit = 3;
  ASSERT_OK_AND_ASSIGN(loaded, LoadData(options));
  EXPECT_EQ(loaded.train->size(), 3);
  options.stride = 0;
  ASSERT_OK_AND_ASSIGN(loaded, LoadData(options));
  EXPECT_EQ(loaded.train->size(), 3);
  options.limit = INT64_MAX;
  EXPECT_OK(LoadData(options));
}

TEST(TextDataTest, ReadsFoldersAndJsonLines) {
  const TempDir dir;
  ASSERT_OK(MakeDirectories(dir / "texts"));
  dir.Write("texts/b.txt", "second");
  dir.Write("texts/a.txt", "first");
  dir.Write("texts/c.md", "not read");
  DataOptions options{.data = dir / "texts", .seq_len = 12};
  options.labels = WindowLabels::kNextToken;
  const auto whole = [&](const LoadedData& loaded) {
    const TensorMap batch = *loaded.train->Batch({0});
    return loaded.tokenizer->Decode(batch.at("input_ids").data<int32_t>()) +
           loaded.tokenizer->Decode(batch.at("labels").data<int32_t>());
  };
  options.seq_len = 11;
  ASSERT_OK_AND_ASSIGN(LoadedData loaded, LoadData(options));
  EXPECT_EQ(whole(loaded), "first\nsecond");
  options.data =
      dir.Write("d.jsonl", "{\"text\": \"um\\n\"}\n\n{\"text\": \"dois\"}\r\n{\"text\": \"x\"}");
  options.limit = 2;
  options.seq_len = 6;
  ASSERT_OK_AND_ASSIGN(loaded, LoadData(options));
  EXPECT_EQ(whole(loaded), "um\ndois");
  EXPECT_EQ(loaded.train->size(), 1);
}

TEST(TextDataTest, ReadsUint16Ids) {
  const TempDir dir;
  const std::string bytes("\x01\x00\x02\x00\xff\xff\x03\x00", 8);
  DataOptions options{.data = dir.Write("a.bin", bytes), .seq_len = 3};
  ASSERT_OK_AND_ASSIGN(const LoadedData loaded, LoadData(options));
  ASSERT_OK_AND_ASSIGN(const TensorMap batch, loaded.train->Batch({0}));
  EXPECT_EQ(Ints(batch.at("input_ids")), (std::vector<int32_t>{1, 2, 65535}));
  EXPECT_EQ(Ints(batch.at("labels")), (std::vector<int32_t>{2, 65535, 3}));
  options.vocab_size = 100;
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "a.bin: byte 4: id 65535 is outside"));
  options.vocab_size = 0;
  options.ids.input_ids = 2;
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "a.bin: byte 2: id 2 is outside"));
  options.data = dir.Write("odd.bin", "abc");
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "odd.bin: byte 2: half a uint16"));
  options.data = dir.Write("none.bin", "");
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "none.bin: no ids"));
}

TEST(TextDataTest, NamesWhatIsWrong) {
  const TempDir dir;
  dir.Write("good.txt", "some text");
  ASSERT_OK(MakeDirectories(dir / "empty_folder"));
  const auto load = [&](const std::string& file, int64_t seq_len = 4) {
    return LoadData({.data = dir / file, .seq_len = seq_len});
  };
  EXPECT_THAT(load("god.txt"), StatusIs(kNotFound, "god.txt; did you mean good.txt?"));
  EXPECT_THAT(load("empty_folder"), StatusIs(kInvalidArgument, "no .txt file in this directory"));
  dir.Write("empty.txt", "");
  EXPECT_THAT(load("empty.txt"),
              StatusIs(kInvalidArgument, "empty.txt: no text, the data is empty"));
  EXPECT_THAT(
      load("good.txt", 9),
      StatusIs(kInvalidArgument, "good.txt: 9 tokens are too few for a window, which takes 10"));
  EXPECT_THAT(load("good.txt", 0), StatusIs(kInvalidArgument, "seq_len is 0"));
  dir.Write("latin1.txt", "voc\xea and more");
  EXPECT_THAT(load("latin1.txt"), StatusIs(kInvalidArgument, "latin1.txt: byte 3: invalid UTF-8"));
  dir.Write("a.jsonl", "{\"text\": \"ok\"}\n{\"txt\": 1}\n");
  EXPECT_THAT(load("a.jsonl"), StatusIs(kInvalidArgument, "a.jsonl:2: missing \"text\""));
  dir.Write("b.jsonl", "{\"text\": \"ok\"}\n{\"text\n");
  EXPECT_THAT(load("b.jsonl"), StatusIs(kInvalidArgument, "b.jsonl:2: byte 6: the text ends"));
  dir.Write("a.dat", "x");
  EXPECT_THAT(load("a.dat"), StatusIs(kInvalidArgument, "unknown kind of data"));
  DataOptions options{.data = dir / "good.txt", .seq_len = 4, .stride = 1};
  options.val_data = dir.Write("val.txt", "some tezt");
  EXPECT_THAT(LoadData(options),
              StatusIs(kInvalidArgument, "val.txt: byte 7: the character 'z' (U+007A) is not in"));
  options.val_data.clear();
  options.val_fraction = 0.11;
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "the validation part's 1 tokens"));
  options.val_fraction = 1;
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "val_fraction is 1"));
  options.val_fraction = 0;
  options.vocab_size = 3;
  EXPECT_THAT(LoadData(options), StatusIs(kInvalidArgument, "the model's vocabulary only 3"));
}

}  // namespace
}  // namespace trama
