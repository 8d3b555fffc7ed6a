#include "runtime/formats/json.h"

#include <cmath>
#include <limits>
#include <random>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/formats/config_json.h"
#include "runtime/formats/json_places.h"

namespace trama {
namespace {

using absl::StatusCode::kInvalidArgument;
using absl::StatusCode::kNotFound;

TEST(JsonTest, KeepsKindsOrderAndText) {
  const std::string text =
      R"({"b": 1, "a": [true, null, 2.5, "ç\n\u0001"], "empty": {}, "e": [], "x": 1.0, "y": -7})";
  ASSERT_OK_AND_ASSIGN(Json json, Json::Parse(text));
  EXPECT_EQ(json.Dump(), text);
  EXPECT_EQ(json.object()[0].first, "b");
  EXPECT_EQ(json.Find("a")->array().size(), 4u);
  EXPECT_EQ(*json.Find("a")->array()[3].if_string(), "ç\n\x01");
  EXPECT_TRUE(json.Find("x")->if_double());
  EXPECT_EQ(json.Find("nothing"), nullptr);
}

TEST(JsonTest, KnowsTheLinesOfAnArraysElements) {
  using Lines = std::vector<int64_t>;
  const std::string text =
      "{\"x\": {\"b\": [0]}, \"s\": \"]}\\\"\",\n\"a\": [1, {\"b\": 2}], \"c\": "
      "{\"b\":\n"
      "[-1.5e3, \"a\\\\\",\n [[1\n], {\"k\": []}], null\n,true]}}";
  ASSERT_OK(Json::Parse(text).status());
  EXPECT_EQ(ElementLines(text, {"c", "b"}), (Lines{3, 3, 4, 5, 6}));
  EXPECT_EQ(ElementLines(text, {"a"}), (Lines{2, 2}));
  EXPECT_EQ(ElementLines(text, {"c"}), Lines());
  EXPECT_EQ(ElementLines(text, {"d"}), Lines());
  EXPECT_EQ(ElementLines("[\n]", {}), Lines());
  EXPECT_EQ(ElementLines("\n[\n1,2\n]", {}), (Lines{3, 3}));
  EXPECT_EQ(PlaceOf("f", {7}, 0), "f:7");
  EXPECT_EQ(PlaceOf("f", {7}, 1), "f");
}

TEST(JsonTest, IndentsOneMemberALine) {
  const Json json = Json::MakeObject({{"a", Json::ArrayOf(std::vector<int>{1, 2})}, {"b", "c"}});
  EXPECT_EQ(json.Dump(2), "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": \"c\"\n}");
}

TEST(JsonTest, NumbersReadBackTheSame) {
  for (const double value : {0.1, 1e300, 5e-324, -2.5, 1.0, 123456789012345680.0, 1.0 / 3}) {
    ASSERT_OK_AND_ASSIGN(Json json, Json::Parse(Json(value).Dump()));
    ASSERT_TRUE(json.if_double()) << Json(value).Dump();
    EXPECT_EQ(*json.if_double(), value);
  }
  EXPECT_EQ(Json(0.1).Dump(), "0.1");
  EXPECT_EQ(Json(std::numeric_limits<int64_t>::min()).Dump(), "-9223372036854775808");
  EXPECT_EQ(Json(std::nan("")).Dump(), "null");
  EXPECT_EQ(Json(-std::numeric_limits<double>::infinity()).Dump(), "null");
  ASSERT_OK_AND_ASSIGN(Json large, Json::Parse("18446744073709551615"));
  EXPECT_EQ(*large.if_double(), 18446744073709551616.0);
  // Hugging Face's tokenizer_config.json says so that there is no limit.
  ASSERT_OK_AND_ASSIGN(
      large, Json::Parse(R"({"model_max_length": 1000000000000000019884624838656, "a": [-)"
                         R"(36893488147419103232, 18446744073709551616 , 7]})"));
  EXPECT_EQ(*large.Get<double>("model_max_length"), 1e30);
  EXPECT_THAT(*large.Get<std::vector<double>>("a"),
              ::testing::ElementsAre(-36893488147419103232.0, 18446744073709551616.0, 7));
  EXPECT_THAT(large.Get<int64_t>("model_max_length"),
              StatusIs(kInvalidArgument, "expected an integer, not a number"));
}

TEST(JsonTest, PassesOverAByteOrderMark) {
  const std::string text = "\xEF\xBB\xBF[1,\n2]";
  ASSERT_OK_AND_ASSIGN(const Json json, Json::Parse(text));
  EXPECT_EQ(*json.As<std::vector<int64_t>>(), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(ElementLines(text, {}), (std::vector<int64_t>{1, 2}));
  EXPECT_THAT(Json::Parse("\xEF\xBB\xBF[1 2]"), StatusIs(kInvalidArgument, "byte 6: expected"));
}

TEST(JsonTest, NamesTheByteOfAnError) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "byte 0: nothing there"},
      {"[1, 2", "byte 5: the text ends too early"},
      {"[1 2]", "byte 3: expected a comma"},
      {"{\"a\" 1}", "byte 5: expected a colon"},
      {"{a: 1}", "byte 1: expected a member's name"},
      {"[1,]", "byte 3: expected a value"},
      {"[01]", "byte 1: a number with a leading zero"},
      {"[1e999]", "byte 1: a number out of range"},
      {"[184467440737095516160, 2", "byte 25: the text ends too early"},
      {"[184467440737095516160, 1e999]", "byte 24: a number out of range"},
      {"\"a\xff\"", "byte 2: invalid UTF-8"},
      {"\"\\x\"", "byte 2: bad escape"},
      {"\"a\nb\"", "byte 2: control character"},
      {"\"open", "byte 5: the text ends too early"},
      {"[nul]", "byte 1: expected a value"},
      {"{} {}", "byte 3: text after the end"},
  };
  for (const auto& [text, message] : cases)
    EXPECT_THAT(Json::Parse(text), StatusIs(kInvalidArgument, message)) << text;
}

TEST(JsonTest, LimitsDepth) {
  const std::string deep = std::string(200, '[') + std::string(200, ']');
  EXPECT_THAT(Json::Parse(deep), StatusIs(kInvalidArgument, "byte 128: nested too deeply"));
  EXPECT_OK(Json::Parse(deep, 200));
  EXPECT_OK(Json::Parse("[[1]]", 2));
  EXPECT_THAT(Json::Parse("[[[1]]]", 2), StatusIs(kInvalidArgument, "byte 2: nested too deeply"));
  EXPECT_FALSE(Json::Parse(std::string(1'000'000, '[')).ok());
}

TEST(JsonTest, ReadsTypedMembers) {
  ASSERT_OK_AND_ASSIGN(const Json json,
                       Json::Parse(R"({"n": 3, "x": 0.5, "s": "t", "l": ["a"], "z": null})"));
  EXPECT_EQ(*json.Get<int64_t>("n"), 3);
  EXPECT_EQ(*json.Get<double>("n"), 3.0);
  EXPECT_EQ(*json.Get<std::vector<std::string>>("l"), std::vector<std::string>{"a"});
  EXPECT_EQ(*json.GetOr<int64_t>("absent", 7), 7);
  EXPECT_EQ(*json.GetOr<std::string>("z", "fallback"), "fallback");
  EXPECT_THAT(json.Get<int64_t>("absent"), StatusIs(kNotFound, "missing \"absent\""));
  EXPECT_THAT(json.Get<int64_t>("s"),
              StatusIs(kInvalidArgument, "\"s\": expected an integer, not a string"));
  EXPECT_THAT(json.GetOr<int64_t>("x", 0),
              StatusIs(kInvalidArgument, "\"x\": expected an integer, not a number"));
}

TEST(JsonTest, ConvertsToAConfigAndBack) {
  const std::string text =
      R"({"bos": null, "dropout": 0.1, "layers": 4, "names": ["x", "y"], "tied": true, "type": "gpt2", "widths": [16, 8]})";
  ASSERT_OK_AND_ASSIGN(const Json json, Json::Parse(text));
  const Config config = ConfigFromJson(json);
  EXPECT_EQ(*config.Int("layers", 0), 4);
  EXPECT_EQ(ConfigToJson(config).Dump(), text);
}

// Whatever happens to a text: no crash, and what is accepted writes and reads back the same.
TEST(JsonTest, SurvivesMutations) {
  const std::string seed =
      R"({"h.0.w": {"dtype": "F32", "shape": [2, 3], "x": -1.5e3}, "ç": ["\u00e9\\", true, null]})";
  std::mt19937 random(1);
  int accepted = 0;
  for (int trial = 0; trial < 20'000; ++trial) {
    std::string text = seed;
    for (int edits = 1 + random() % 3; edits > 0; --edits) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 5);
          break;
        case 2:
          text.insert(at, 1, "{}[]\",:0e-\\u"[random() % 12]);
          break;
        case 3:
          text[at] ^= static_cast<char>(1 << (random() % 8));
          break;
      }
      if (text.empty()) text = " ";
    }
    const absl::StatusOr<Json> json = Json::Parse(text);
    if (!json.ok()) {
      EXPECT_EQ(json.status().message().find("byte "), 0u) << json.status();
      EXPECT_EQ(json.status().message().find("not supported"), std::string::npos) << text;
      continue;
    }
    ++accepted;
    ASSERT_OK_AND_ASSIGN(const Json again, Json::Parse(json->Dump()));
    EXPECT_EQ(again, *json) << text;
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace trama
