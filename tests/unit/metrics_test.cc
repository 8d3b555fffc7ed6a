#include "runtime/metrics.h"

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

Json Step(int64_t step) {
  Json json;
  return json.Set("step", step).Set("loss", 0.5);
}

TEST(MetricsWriterTest, WritesALineAStepAndResumes) {
  const TempDir dir;
  const std::string path = dir / "m.jsonl";
  {
    ASSERT_OK_AND_ASSIGN(auto writer, MetricsWriter::Open(path));
    for (int step = 1; step <= 4; ++step) ASSERT_OK(writer.Write(Step(step)));
  }
  EXPECT_EQ(ReadFile(path)->find("{\"step\": 1, \"loss\": 0.5}\n{\"step\": 2"), 0u);
  dir.Write("m.jsonl", *ReadFile(path) + "{\"step\": 5, \"lo");  // a crash
  {
    ASSERT_OK_AND_ASSIGN(auto writer, MetricsWriter::Open(path, 2));
    ASSERT_OK(writer.Write(Step(3)));
  }
  EXPECT_EQ(*ReadFile(path), Step(1).Dump() + "\n" + Step(2).Dump() + "\n" + Step(3).Dump() + "\n");
  dir.Write("m.jsonl", Step(1).Dump() + "\n{\"step\": 2");
  { ASSERT_OK(MetricsWriter::Open(path, 9)); }
  EXPECT_EQ(*ReadFile(path), Step(1).Dump() + "\n");
  { ASSERT_OK(MetricsWriter::Open(path)); }
  EXPECT_EQ(*ReadFile(path), "");
  EXPECT_THAT(MetricsWriter::Open(dir / "no/m.jsonl"),
              StatusIs(absl::StatusCode::kNotFound, "cannot write"));
}

TEST(MetricsWriterTest, SaysWhenTheDiskIsFull) {
  ASSERT_OK_AND_ASSIGN(auto writer, MetricsWriter::Open("/dev/full"));
  EXPECT_THAT(writer.Write(Step(1)).ToString(), testing::HasSubstr("No space left"));
}

struct Screen {
  double time = 0;
  std::string text;
  Progress::Options Options(bool terminal) {
    Progress::Options options;
    options.terminal = terminal;
    options.now = [this] { return time; };
    options.write = [this](std::string_view bytes) { text += bytes; };
    return options;
  }
};

TEST(ProgressTest, WritesALineEveryFewSecondsOffATerminal) {
  Screen screen;
  {
    Progress progress(100, screen.Options(false));
    for (int step = 1; step <= 12; ++step) {
      screen.time += 1;
      progress.Update(step, "loss 2.5");
    }
    progress.Note("saved");
  }
  EXPECT_EQ(screen.text,
            "step 5/100  loss 2.5  1:35 left\n"
            "step 10/100  loss 2.5  1:30 left\n"
            "saved\n"
            "step 12/100  loss 2.5  1:28 left\n");
}

TEST(ProgressTest, DrawsABarOnATerminal) {
  Screen screen;
  Progress::Options options = screen.Options(true);
  options.columns = 60;
  Progress progress(10, options);
  progress.Update(5, "loss 1");
  EXPECT_EQ(screen.text, "\r[============            ] step 5/10  loss 1  0:00 left\x1b[K");
  screen.text.clear();
  progress.Update(6, "");
  EXPECT_EQ(screen.text, "");  // too soon to draw again
  progress.Note("hi");
  EXPECT_EQ(screen.text.find("\r\x1b[Khi\n\r["), 0u);
  screen.text.clear();
  screen.time = 3700;
  progress.Update(10, std::string(100, 'x'));
  progress.Finish();
  EXPECT_EQ(screen.text.substr(0, 30), "\r[========================] st");
  EXPECT_EQ(screen.text.size(), 1 + 59 + 3 + 1u);
  progress.Finish();
  EXPECT_EQ(screen.text.size(), 1 + 59 + 3 + 1u);
}

TEST(ProgressTest, IsSilentWhenAsked) {
  Screen screen;
  Progress::Options options = screen.Options(true);
  options.quiet = true;
  Progress progress(10, options);
  progress.Update(10, "x");
  progress.Note("x");
  progress.Finish();
  EXPECT_EQ(screen.text, "");
}

}  // namespace
}  // namespace trama
