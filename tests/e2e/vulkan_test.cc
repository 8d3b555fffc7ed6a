// The command line on a Vulkan device, under the validation layer.
#include <cstdlib>

#include "absl/strings/str_split.h"
#include "base/status_matchers.h"
#include "runtime/formats/json.h"
#include "tests/e2e/run_trama.h"

namespace trama {
namespace {
using ::testing::HasSubstr;
using testing::Outcome;
using testing::Workplace;

class Vulkan : public ::testing::Test {
 protected:
  void SetUp() override { setenv("TRAMA_VULKAN_VALIDATION", "1", 1); }
  void TearDown() override { unsetenv("TRAMA_VULKAN_VALIDATION"); }
};

std::vector<double> Losses(const Workplace& place, const std::string& file) {
  std::vector<double> losses;
  const std::string text = place.Read(file);
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    absl::StatusOr<Json> json = Json::Parse({line.data(), line.size()});
    EXPECT_OK(json);
    losses.push_back(json->Get<double>("loss").value_or(-1));
  }
  return losses;
}

TEST_F(Vulkan, TrainsAndGeneratesAsTheProcessorDoes) {
  Workplace place;
  std::string text;
  for (int i = 0; i < 60; ++i) text += "the cat sat on the mat, and the dog saw it. ";
  place.Write("t.txt", text);
  for (const char* backend : {"cpu", "vulkan"}) {
    const std::string name = backend;
    const Outcome trained =
        place.Trama({"train", "gpt", "--data=t.txt", "--steps=20", "--batch_size=4", "--seq_len=24",
                     "--lr=0.003", "--dropout=0.1", "--clip_norm=1", "--seed=5", "--quiet",
                     "--out=" + name, "--backend=" + name, "--metrics=" + name + ".jsonl",
                     "--set=n_layer=2", "--set=n_embd=48"});
    ASSERT_EQ(trained.status, 0) << trained.err;
  }
  const std::vector<double> cpu = Losses(place, "cpu.jsonl"),
                            vulkan = Losses(place, "vulkan.jsonl");
  ASSERT_EQ(cpu.size(), 20u);
  ASSERT_EQ(vulkan.size(), 20u);
  for (size_t i = 0; i < cpu.size(); ++i) EXPECT_NEAR(vulkan[i], cpu[i], 1e-3) << "step " << i;
  EXPECT_LT(vulkan.back(), vulkan.front());

  std::string first;
  for (const char* backend : {"cpu", "vulkan"}) {
    const Outcome said = place.Trama({"generate", "vulkan", "--prompt=the cat", "--greedy",
                                      "--max_tokens=20", std::string("--backend=") + backend});
    ASSERT_EQ(said.status, 0) << said.err;
    if (first.empty()) first = said.out;
    EXPECT_EQ(said.out, first);
  }
}

TEST_F(Vulkan, IsListedAndMeasured) {
  Workplace place;
  const Outcome devices = place.Trama({"devices"});
  EXPECT_EQ(devices.status, 0);
  for (const char* part : {"vulkan", "driver", "max_workgroup_invocations=", "subgroup"})
    EXPECT_THAT(devices.out, HasSubstr(part));
  const Outcome bench = place.Trama({"bench", "gpt", "--backend=vulkan", "--profile",
                                     "--program=decode", "--seconds=0.1", "--set=n_layer=1"});
  EXPECT_EQ(bench.status, 0) << bench.err;
  for (const char* part : {"us in kernels", "GFLOP/s", "attention"})
    EXPECT_THAT(bench.err, HasSubstr(part));
}

TEST_F(Vulkan, SaysWhatIsMissing) {
  Workplace place;
  place.Write("t.txt", "some text, and some more of it");
  const std::vector<std::string> train = {"train",   "gpt",         "--data=t.txt",    "--steps=1",
                                          "--out=m", "--seq_len=4", "--backend=vulkan"};
  std::vector<std::string> other = train;
  other.push_back("--device=50");
  Outcome outcome = place.Trama(other);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("no Vulkan device 50; there are 0: "));
  const char* before = getenv("VK_ICD_FILENAMES");
  const std::string saved = before ? before : "";
  setenv("VK_ICD_FILENAMES", "/no/such/driver.json", 1);
  outcome = place.Trama(train);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("mesa-vulkan-drivers"));
  EXPECT_THAT(place.Trama({"devices"}).out, HasSubstr("cpu"));
  before ? setenv("VK_ICD_FILENAMES", saved.c_str(), 1) : unsetenv("VK_ICD_FILENAMES");
}

}  // namespace
}  // namespace trama
