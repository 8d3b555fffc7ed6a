// `trama plot`: images of what a training run wrote down.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/run_trama.h"

namespace trama {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::Workplace;

std::string Metrics(int steps, bool validation) {
  std::string lines;
  for (int step = 1; step <= steps; ++step) {
    absl::StrAppend(&lines, "{\"step\": ", step, ", \"loss\": ", 4.0 / step,
                    ", \"tokens\": ", step * 512);
    if (validation && step % 10 == 0) absl::StrAppend(&lines, ", \"val_loss\": ", 5.0 / step);
    lines += "}\n";
  }
  return lines;
}

// Whether an image of many bytes has this; a matcher would print it all.
bool Has(const std::string& svg, const char* what) { return svg.find(what) != std::string::npos; }

constexpr char kValidationColor[] = "rgb(85%,35%,10%)";

TEST(Plot, DrawsBothFormats) {
  const Workplace place;
  place.Write("run.jsonl", Metrics(300, true));
  const Outcome both = place.Trama({"plot", "run.jsonl"});
  ASSERT_EQ(both.status, 0) << both.err;
  EXPECT_EQ(both.out, "run.svg\nrun.png\n");
  const std::string svg = place.Read("run.svg"), png = place.Read("run.png");
  EXPECT_TRUE(Has(svg, "<svg"));
  EXPECT_TRUE(Has(svg, "</svg>"));
  EXPECT_TRUE(Has(svg, kValidationColor));
  // The signature, and in the header 1800 x 1120.
  EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(png.substr(16, 8), std::string("\0\0\x07\x08\0\0\x04\x60", 8));
  // Processes differ in their addresses, not in what they draw.
  for (int again = 0; again < 8; ++again) {
    ASSERT_EQ(place.Trama({"plot", "run.jsonl", "--out=again.svg", "--out=again.png"}).status, 0);
    EXPECT_TRUE(place.Read("again.svg") == svg);
    EXPECT_TRUE(place.Read("again.png") == png);
  }
}

// A file may be called anything, and a title has it.
TEST(Plot, TitlesAreText) {
  const Workplace place;
  const std::string name = "a <b> & \"c\"\n\xFF.jsonl";
  place.Write(name, Metrics(3, false));
  const Outcome outcome = place.Trama({"plot", name, "--out=t.svg", "--out=t.png"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(Has(place.Read("t.svg"), ">a &lt;b&gt; &amp; \"c\" \xEF\xBF\xBD.jsonl</text>"));
  EXPECT_TRUE(place.Has("t.png"));
}

TEST(Plot, DrawsWhatThereIs) {
  const Workplace place;
  place.Write("one.jsonl", Metrics(1, false));  // a single point, no validation
  ASSERT_EQ(place.Trama({"plot", "one.jsonl", "--out=one.svg"}).status, 0);
  EXPECT_FALSE(Has(place.Read("one.svg"), kValidationColor));
  EXPECT_FALSE(place.Has("one.png"));
  place.Write("nan.jsonl", "{\"step\": 1, \"loss\": null}\n{\"step\": 2, \"loss\": 1}\n");
  EXPECT_EQ(place.Trama({"plot", "nan.jsonl"}).status, 0);
}

// A run that was killed may leave its last line torn.
TEST(Plot, LeavesOutATornLastLine) {
  const Workplace place;
  place.Write("run.jsonl", Metrics(3, false) + "{\"step\": 4, \"lo");
  const Outcome torn = place.Trama({"plot", "run.jsonl", "--out=torn.svg"});
  EXPECT_EQ(torn.status, 0) << torn.err;
  EXPECT_EQ(torn.err, "run.jsonl:4: ends within the line, which is left out\n");
  place.Write("run.jsonl", Metrics(3, false));
  ASSERT_EQ(place.Trama({"plot", "run.jsonl", "--out=whole.svg"}).status, 0);
  EXPECT_TRUE(place.Read("torn.svg") == place.Read("whole.svg"));
  place.Write("run.jsonl", "{\"step\": 1, \"lo\n" + Metrics(3, false));
  EXPECT_EQ(place.Trama({"plot", "run.jsonl"}).status, 1);
}

TEST(Plot, SaysWhatIsWrong) {
  const Workplace place;
  place.Write("run.jsonl", Metrics(3, false) + "{\"step\": 4, \"loss\"\n");
  place.Write("text.jsonl", "{\"step\": 1, \"loss\": \"low\"}\n");
  place.Write("back.jsonl", "{\"step\": 2, \"loss\": 1}\n{\"step\": 2, \"loss\": 1}\n");
  place.Write("empty.jsonl", "");
  const auto error = [&](const std::vector<std::string>& arguments, int status) {
    const Outcome outcome = place.Trama(arguments);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(error({"plot", "run.jsonl"}, 1), HasSubstr("error: run.jsonl:4: byte "));
  EXPECT_THAT(error({"plot", "text.jsonl"}, 1), HasSubstr("text.jsonl:1: \"loss\": expected"));
  EXPECT_THAT(error({"plot", "back.jsonl"}, 1), HasSubstr("back.jsonl:2: a step that came"));
  EXPECT_THAT(error({"plot", "empty.jsonl"}, 1), HasSubstr("no loss in it"));
  EXPECT_THAT(error({"plot", "rum.jsonl"}, 1), HasSubstr("did you mean run.jsonl?"));
  EXPECT_THAT(error({"plot", "run.jsonl", "--out=x.jpg"}, 1), HasSubstr("run.jsonl:4"));
  place.Write("run.jsonl", Metrics(3, false));
  EXPECT_THAT(error({"plot", "run.jsonl", "--out=x.jpg"}, 2), HasSubstr("neither in .svg"));
  EXPECT_FALSE(place.Has("run.svg"));
}

}  // namespace
}  // namespace trama
