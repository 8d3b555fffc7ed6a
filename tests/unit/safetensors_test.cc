#include "runtime/formats/safetensors.h"

#include <random>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using absl::StatusCode::kInvalidArgument;
using absl::StatusCode::kNotFound;

std::string FileOf(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), 8);
  return bytes + header + std::string(data_bytes, '\x01');
}

TensorMap SomeTensors() {
  TensorMap tensors;
  tensors["h.0.weight"] = HostTensor::F32({2, 3}, {1, 2, 3, 4, 5, -6});
  tensors["ids"] = HostTensor::I32({4}, {0, -1, 2, 1 << 30});
  tensors["scalar"] = HostTensor::F32({}, {0.5f});
  tensors["none"] = HostTensor(DType::kF64, {0, 5});
  for (const DType dtype : {DType::kF64, DType::kF16, DType::kBF16, DType::kI64, DType::kI16,
                            DType::kI8, DType::kU8, DType::kU16, DType::kBool}) {
    HostTensor tensor(dtype, {3});
    for (int i = 0; i < 3; ++i) tensor.set(i, i % 2);
    tensors["of_" + std::string(Name(dtype))] = tensor;
  }
  return tensors;
}

void ExpectEqual(const TensorMap& got, const TensorMap& want) {
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, tensor] : want) {
    const auto found = got.find(name);
    ASSERT_NE(found, got.end()) << name;
    EXPECT_EQ(found->second.dtype, tensor.dtype) << name;
    EXPECT_EQ(found->second.shape, tensor.shape) << name;
    EXPECT_EQ(found->second.bytes, tensor.bytes) << name;
  }
}

TEST(SafetensorsTest, WritesAndReadsEveryType) {
  const TempDir dir;
  const TensorMap tensors = SomeTensors();
  ASSERT_OK(WriteSafetensors(dir / "a.safetensors", tensors, {{"format", "pt"}}));
  ASSERT_OK_AND_ASSIGN(const TensorMap read, ReadSafetensors(dir / "a.safetensors"));
  ExpectEqual(read, tensors);
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(dir / "a.safetensors"));
  EXPECT_EQ(file.metadata(), (SafetensorsMetadata{{"format", "pt"}}));
  EXPECT_EQ(file.entries()[0].begin % 8, 0u);
  EXPECT_EQ(*ListDirectory(dir.path()), std::vector<std::string>{"a.safetensors"});
}

TEST(SafetensorsTest, KeepsTheOrderGiven) {
  const TempDir dir;
  const HostTensor z = HostTensor::F32({1}, {1}), a = HostTensor::F32({1}, {2});
  ASSERT_OK(
      WriteSafetensors(dir / "f", std::vector<TensorSource>{SourceOf("z", z), SourceOf("a", a)}));
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(dir / "f"));
  EXPECT_EQ(file.entries()[0].name, "z");
  EXPECT_EQ(file.entries()[1].name, "a");
  EXPECT_EQ(file.Raw(*file.Find("a")).size(), 4u);
  EXPECT_THAT(
      WriteSafetensors(dir / "g", std::vector<TensorSource>{SourceOf("z", z), SourceOf("z", a)}),
      StatusIs(kInvalidArgument, "tensor z is there twice"));
  EXPECT_FALSE(FileExists(dir / "g"));
}

TEST(SafetensorsTest, SuggestsTheNearestTensor) {
  const TempDir dir;
  ASSERT_OK(WriteSafetensors(dir / "f", SomeTensors()));
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(dir / "f"));
  EXPECT_THAT(file.Read("h.0.wieght"), StatusIs(kNotFound, "did you mean h.0.weight?"));
}

TEST(SafetensorsTest, FindsEveryLie) {
  const std::string ok = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const auto parse = [](const std::string& bytes) {
    return SafetensorsFile::Parse(bytes, "m").status();
  };
  ASSERT_OK(parse(FileOf(ok, 8)));
  EXPECT_THAT(parse("abc"), StatusIs(kInvalidArgument, "m: byte 3: the file ends before"));
  EXPECT_THAT(parse(FileOf(ok, 8).substr(0, 20)),
              StatusIs(kInvalidArgument, "m: byte 0: a header"));
  EXPECT_THAT(parse(std::string(8, '\xff') + "{}"),
              StatusIs(kInvalidArgument, "a header of 18446744073709551615 bytes in a file of 10"));
  EXPECT_THAT(parse(FileOf("{\"a\":", 0)),
              StatusIs(kInvalidArgument, "m: byte 8: the header: byte 5"));
  EXPECT_THAT(parse(FileOf("[]", 0)), StatusIs(kInvalidArgument, "the header is an array"));
  EXPECT_THAT(parse(FileOf(ok, 7)),
              StatusIs(kInvalidArgument, "m: byte 9: tensor a: data_offsets [0, 8] go beyond"));
  EXPECT_THAT(parse(FileOf(ok, 9)), StatusIs(kInvalidArgument, "1 bytes belong to no tensor"));
  const auto with = [&](const char* entry, size_t bytes) {
    return parse(FileOf(std::string("{\"a\":") + entry + "}", bytes));
  };
  EXPECT_THAT(with(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})", 8),
              StatusIs(kInvalidArgument, "shape 3 of F32 needs 12 bytes, data_offsets give 8"));
  EXPECT_THAT(with(R"({"dtype":"F9","shape":[2],"data_offsets":[0,8]})", 8),
              StatusIs(kInvalidArgument, "dtype F9 is not supported"));
  EXPECT_THAT(with(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})", 8),
              StatusIs(kInvalidArgument, "shape -2 is not possible"));
  EXPECT_THAT(with(R"({"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,8]})", 8),
              StatusIs(kInvalidArgument, "is not possible"));
  EXPECT_THAT(with(R"({"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]})", 0),
              StatusIs(kInvalidArgument, "is not possible"));
  EXPECT_THAT(with(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})", 8),
              StatusIs(kInvalidArgument, "run backwards"));
  EXPECT_THAT(with(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})", 8),
              StatusIs(kInvalidArgument, "data_offsets has 1 numbers"));
  EXPECT_THAT(with(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})", 8),
              StatusIs(kInvalidArgument, "\"shape\": expected an array of integers"));
  EXPECT_THAT(with(R"({"dtype":"F32","data_offsets":[0,8]})", 8),
              StatusIs(kInvalidArgument, "missing \"shape\""));
  EXPECT_THAT(with("7", 0), StatusIs(kInvalidArgument, "its entry is an integer"));
  const auto two = [&](const char* a, const char* b, size_t bytes) {
    return parse(FileOf(std::string("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":") +
                            a + "},\"" + (a == b ? "a" : "b") +
                            "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" + b + "}}",
                        bytes));
  };
  EXPECT_OK(two("[4,8]", "[0,4]", 8));
  EXPECT_THAT(two("[0,4]", "[2,6]", 6), StatusIs(kInvalidArgument, "tensor b overlaps"));
  EXPECT_THAT(two("[0,4]", "[6,10]", 10),
              StatusIs(kInvalidArgument, "2 bytes belong to no tensor"));
  const char* const same = "[0,4]";
  EXPECT_THAT(two(same, same, 4), StatusIs(kInvalidArgument, "tensor a is there twice"));
}

TEST(SafetensorsTest, ReadsShards) {
  const TempDir dir;
  TensorMap one, two;
  one["a"] = HostTensor::F32({1}, {1});
  two["b"] = HostTensor::F32({2}, {2, 3});
  ASSERT_OK(WriteSafetensors(dir / "model-1.safetensors", one));
  ASSERT_OK(WriteSafetensors(dir / "model-2.safetensors", two));
  const std::string index =
      dir.Write("model.safetensors.index.json",
                R"({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})");
  ASSERT_OK_AND_ASSIGN(const TensorMap all, ReadSafetensors(dir.path()));
  one.merge(two);
  ExpectEqual(all, one);
  dir.Write("model.safetensors.index.json", R"({"weight_map": {"c": "model-1.safetensors"}})");
  EXPECT_THAT(ReadSafetensors(index), StatusIs(kInvalidArgument, "no tensor c"));
  dir.Write("model.safetensors.index.json", R"({"weight_map": {"c": "../x"}})");
  EXPECT_THAT(ReadSafetensors(index), StatusIs(kInvalidArgument, "c names no file"));
  dir.Write("model.safetensors.index.json", R"({"weight_map": {"c": "x"}})");
  EXPECT_THAT(ReadSafetensors(index), StatusIs(kNotFound, "cannot read"));
}

TEST(SafetensorsTest, SurvivesMutations) {
  const TempDir dir;
  ASSERT_OK(WriteSafetensors(dir / "f", SomeTensors(), {{"k", "v"}}));
  ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(dir / "f"));
  std::mt19937 random(2);
  for (int trial = 0; trial < 20'000; ++trial) {
    std::string bytes = good;
    for (int edits = 1 + random() % 3; edits > 0 && !bytes.empty(); --edits) {
      const size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, 1 + random() % 40);
          break;
        case 2:
          bytes.insert(at, 1 + random() % 9, static_cast<char>('0' + random() % 10));
          break;
        case 3:
          bytes.resize(at);
          break;
      }
    }
    const auto file = SafetensorsFile::Parse(bytes, "m");
    if (!file.ok()) {
      EXPECT_EQ(file.status().message().find("m: byte "), 0u) << file.status();
      EXPECT_EQ(file.status().message().find('\n'), std::string::npos);
      continue;
    }
    for (const auto& entry : file->entries())
      EXPECT_EQ(file->Read(entry).bytes.size(), entry.end - entry.begin);
  }
}

}  // namespace
}  // namespace trama
