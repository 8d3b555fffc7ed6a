// Models change their format on the command line and come back the same.
#include "base/status_matchers.h"
#include "tests/e2e/run_trama.h"

namespace trama {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::Workplace;

TEST(Convert, ToLlmcAndBack) {
  Workplace place;
  const auto run = [&](const std::vector<std::string>& arguments) {
    const Outcome outcome = place.Trama(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome;
  };
  run({"init", "distilgpt2", "--set=n_layer=1", "--set=n_embd=16", "--set=n_head=2",
       "--set=n_positions=8", "--set=vocab_size=100", "--out=a"});
  EXPECT_THAT(place.Read("a/config.json"), HasSubstr("\"model_type\": \"gpt2\""));
  run({"export", "a", "--format=llmc", "--out=a.bin"});
  const Outcome imported = run({"import", "a.bin", "--from=llmc", "--out=b"});
  EXPECT_THAT(imported.err, HasSubstr("b: 16 tensors, 5040 parameters"));
  EXPECT_EQ(place.Read("a/model.safetensors"), place.Read("b/model.safetensors"));
  run({"export", "b", "--out=b.safetensors"});
  EXPECT_EQ(place.Read("a/model.safetensors"), place.Read("b.safetensors"));
  run({"export", "b", "--dtype=bf16", "--format=llmc", "--out=a.bin", "--overwrite"});
  run({"import", "a.bin", "--from=llmc", "--out=b", "--overwrite", "--quiet"});
  EXPECT_THAT(place.Read("b/model.safetensors"), HasSubstr("BF16"));
  const Outcome said = run({"generate", "b", "--prompt_ids=1,2", "--ids", "--max_tokens=3"});
  EXPECT_FALSE(said.out.empty());
}

}  // namespace
}  // namespace trama
