#include "runtime/formats/tensorflow_checkpoint.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/temp_dir.h"
#include "tests/tensorflow_checkpoint_writer.h"

namespace trama {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;
using Entries = std::map<std::string, std::string>;

// Enough names with shared prefixes for several blocks and restart points.
TensorMap SomeTensors() {
  TensorMap tensors;
  for (int i = 0; i < 40; ++i)
    for (const char* part : {"w", "b"})
      tensors[absl::StrCat("model/h", i, "/attn/c_attn/", part)] =
          HostTensor::F32({1, i % 3, 2}, std::vector<float>(i % 3 * 2, static_cast<float>(i)));
  tensors["model/scalar"] = HostTensor::F32({}, {0.5f});
  return tensors;
}

absl::StatusOr<TensorflowCheckpoint> Parse(const Table& table, const std::string& data) {
  return TensorflowCheckpoint::Parse(table.bytes, {data}, "m");
}
absl::Status StatusOf(const Entries& entries, const std::string& data = std::string(8, 'x')) {
  return Parse(WriteTable(entries), data).status();
}
// A checkpoint of one entry.
absl::Status StatusOf(const BundleEntry& entry) {
  return StatusOf(Entries{{"", EncodeBundleHeader(1)}, {"a", entry.Encode()}});
}

TEST(TensorflowCheckpointTest, ReadsWhatTensorflowWrites) {
  const TempDir dir;
  const TensorMap tensors = SomeTensors();
  const Bundle bundle = MakeBundle(tensors);
  for (const size_t block_bytes : {1, 256, 1 << 20}) {
    dir.Write("model.ckpt.index", WriteTable(bundle.entries, block_bytes).bytes);
    dir.Write("model.ckpt.data-00000-of-00001", bundle.data);
    ASSERT_OK_AND_ASSIGN(const auto checkpoint, TensorflowCheckpoint::Open(dir / "model.ckpt"));
    ASSERT_EQ(checkpoint.entries().size(), tensors.size());
    for (const auto& [name, tensor] : tensors) {
      const TensorflowCheckpoint::Entry* entry = checkpoint.Find(name);
      ASSERT_NE(entry, nullptr) << name;
      ASSERT_OK_AND_ASSIGN(const HostTensor read, checkpoint.Read(*entry));
      EXPECT_EQ(read.dtype, DType::kF32);
      EXPECT_EQ(read.shape, tensor.shape) << name;
      EXPECT_EQ(read.bytes, tensor.bytes) << name;
    }
    EXPECT_EQ(checkpoint.Find("model/h0"), nullptr);
  }
}

TEST(TensorflowCheckpointTest, ReadsShards) {
  const TempDir dir;
  Bundle one = MakeBundle({{"a", HostTensor::F32({1}, {1})}});
  BundleEntry b{14, {2}, 1, 3, 4, 0x12345678, false};
  one.entries["b"] = b.Encode();
  one.entries[""] = EncodeBundleHeader(2);
  dir.Write("m.index", WriteTable(one.entries).bytes);
  dir.Write("m.data-00000-of-00002", one.data);
  EXPECT_THAT(TensorflowCheckpoint::Open(dir / "m"),
              StatusIs(absl::StatusCode::kNotFound, "m.data-00001-of-00002"));
  dir.Write("m.data-00001-of-00002", "1234567");
  ASSERT_OK_AND_ASSIGN(const auto checkpoint, TensorflowCheckpoint::Open(dir / "m"));
  ASSERT_OK_AND_ASSIGN(const HostTensor a, checkpoint.Read(*checkpoint.Find("a")));
  EXPECT_EQ(a.at(0), 1);
  EXPECT_EQ(checkpoint.Find("b")->dtype, DType::kBF16);
  EXPECT_THAT(checkpoint.Read(*checkpoint.Find("b")),
              StatusIs(kInvalid, "m.data-00001-of-00002: byte 3: wrong checksum of tensor b"));
}

TEST(TensorflowCheckpointTest, FindsEveryLieOfTheTable) {
  const Bundle bundle = MakeBundle({{"a", HostTensor::F32({2}, {1, 2})}});
  const Table table = WriteTable(bundle.entries);
  ASSERT_OK(Parse(table, bundle.data));
  const auto with = [&](size_t at, char value, bool seal) {
    Table changed = table;
    changed.bytes[at] = value;
    if (seal) changed.Seal();
    return Parse(changed, bundle.data).status();
  };
  EXPECT_THAT(TensorflowCheckpoint::Parse("abc", {""}, "m"),
              StatusIs(kInvalid, "m.index: byte 3: the file ends before a footer"));
  const size_t footer = table.bytes.size() - 48;
  EXPECT_THAT(with(table.bytes.size() - 1, 0, false), StatusIs(kInvalid, "not the magic number"));
  EXPECT_THAT(with(footer, '\x7f', false), StatusIs(kInvalid, "a block of "));
  EXPECT_THAT(with(10, 'x', false), StatusIs(kInvalid, "wrong checksum of the block at byte 0"));
  const size_t type = table.blocks[0].second;
  EXPECT_THAT(with(type, 7, true), StatusIs(kInvalid, "a block of unknown type 7"));
  EXPECT_THAT(Parse(WriteTable(bundle.entries, 256, 1), bundle.data),
              StatusIs(kUnimplemented, "compressed with Snappy"));
  EXPECT_THAT(with(type - 4, 100, true), StatusIs(kInvalid, "100 restart points in a block of"));
  EXPECT_THAT(with(0, 9, true), StatusIs(kInvalid, "byte 0: a key shares 9 bytes with one of 0"));
  EXPECT_THAT(with(1, 127, true), StatusIs(kInvalid, "byte 0: an entry goes beyond its block"));
  EXPECT_THAT(StatusOf(Entries{}), StatusIs(kInvalid, "the header is missing"));
  EXPECT_THAT(StatusOf(Entries{{"a", ""}}), StatusIs(kInvalid, "the header is missing"));
  EXPECT_THAT(StatusOf(Entries{{"", EncodeBundleHeader(1)}, {std::string(5000, 'a'), ""}}),
              StatusIs(kInvalid, "a key of 5000 bytes"));
  // Every truncation is seen.
  for (size_t size = 0; size < table.bytes.size(); ++size)
    EXPECT_FALSE(TensorflowCheckpoint::Parse(table.bytes.substr(0, size), {bundle.data}, "m").ok());
}

TEST(TensorflowCheckpointTest, FindsEveryLieOfTheEntries) {
  EXPECT_OK(StatusOf(BundleEntry{1, {2}, 0, 0, 8}));
  EXPECT_THAT(StatusOf(BundleEntry{1, {3}, 0, 0, 8}),
              StatusIs(kInvalid, "tensor a: shape 3 of f32 needs 12 bytes, not 8"));
  EXPECT_THAT(StatusOf(BundleEntry{7, {2}, 0, 0, 8}),
              StatusIs(kInvalid, "tensor a: dtype 7 is not supported"));
  EXPECT_THAT(StatusOf(BundleEntry{1, {-2}, 0, 0, 8}), StatusIs(kInvalid, "is not possible"));
  EXPECT_THAT(StatusOf(BundleEntry{1, {1ll << 40, 1ll << 40}, 0, 0, 8}),
              StatusIs(kInvalid, "is not possible"));
  EXPECT_THAT(StatusOf(BundleEntry{2, {1ll << 61}, 0, 0, 0}), StatusIs(kInvalid, "not possible"));
  EXPECT_THAT(StatusOf(BundleEntry{1, {2}, 1, 0, 8}), StatusIs(kInvalid, "data file 1 of 1"));
  EXPECT_THAT(StatusOf(BundleEntry{1, {2}, 0, -1, 8}), StatusIs(kInvalid, "offset -1"));
  EXPECT_THAT(StatusOf(BundleEntry{1, {2}, 0, INT64_MAX, 8}), StatusIs(kInvalid, "offset 9"));
  EXPECT_THAT(StatusOf(BundleEntry{1, {2}, 0, 4, 8}),
              StatusIs(kInvalid, "bytes 4 to 12 of m.data-00000-of-00001, which has 8"));
  EXPECT_THAT(StatusOf(BundleEntry{1, {2}, 0, 0, 8, 0, true}), StatusIs(kInvalid, "slices"));
  EXPECT_THAT(StatusOf(Entries{{"", EncodeBundleHeader(1)}, {"a", "\x0f"}}),
              StatusIs(kInvalid, "tensor a: its entry is damaged"));
  EXPECT_THAT(StatusOf(Entries{{"", "\x0f"}}), StatusIs(kInvalid, "the header is damaged"));
  EXPECT_THAT(StatusOf(Entries{{"", EncodeBundleHeader(0)}}), StatusIs(kInvalid, "0 data files"));
  EXPECT_THAT(StatusOf(Entries{{"", EncodeBundleHeader(3)}}), StatusIs(kInvalid, "3 data files"));
  EXPECT_THAT(StatusOf(Entries{{"", EncodeBundleHeader(1, 1)}}),
              StatusIs(kUnimplemented, "not little-endian"));
  EXPECT_THAT(StatusOf(Entries{{"", EncodeBundleHeader(1, 0, 9)}}),
              StatusIs(kUnimplemented, "a reader of version 9"));
}

// Random damage, half of it with right checksums, is an error or harmless.
TEST(TensorflowCheckpointTest, SurvivesMutations) {
  const Bundle bundle = MakeBundle(SomeTensors());
  const Table table = WriteTable(bundle.entries, 600);
  std::mt19937 random(1);
  int refused = 0;
  constexpr int kRuns = 20000;
  for (int run = 0; run < kRuns; ++run) {
    Table changed = table;
    std::string data = bundle.data;
    for (uint32_t i = 0; i < 1 + random() % 3; ++i) {
      const size_t at = random() % changed.bytes.size();
      switch (random() % 4) {
        case 0:
          changed.bytes[at] = static_cast<char>(random());
          break;
        case 1:
          changed.bytes[at] = static_cast<char>(changed.bytes[at] ^ (1 << random() % 8));
          break;
        case 2:
          changed.bytes[at] = random() % 2 ? '\xff' : '\0';
          break;
        default:
          data[random() % data.size()] ^= '\x10';
      }
    }
    if (run % 2) changed.Seal();
    const absl::StatusOr<TensorflowCheckpoint> read = Parse(changed, data);
    bool whole = read.ok();
    if (whole)
      for (const TensorflowCheckpoint::Entry& entry : read->entries())
        whole = read->Read(entry).ok() && whole;
    refused += !whole;
  }
  EXPECT_GT(refused, kRuns * 9 / 10);
}

}  // namespace
}  // namespace trama
