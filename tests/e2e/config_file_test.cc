// --config=FILE is a text-format protocol buffer whose fields are the flags.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/bad_input.h"

namespace trama {
namespace {

using ::testing::HasSubstr;
using testing::kTable;
using testing::Outcome;

class ConfigFile : public testing::BadInput {
 protected:
  void SetUp() override { place_.Write("v#1.csv", kTable); }
  testing::Arguments Train(std::initializer_list<std::string> more) const {
    return testing::With({"train", "mlp", "--target=kind", "--config=c.textproto", "--quiet"},
                         more);
  }
  // The config.json of the model that is trained with that file.
  std::string ModelOf(const std::string& text, std::initializer_list<std::string> more = {}) {
    place_.Write("c.textproto", text);
    testing::Arguments train = Train({"--out=o", "--overwrite"});
    train.insert(train.end(), more);
    const Outcome trained = place_.Trama(train);
    EXPECT_EQ(trained.status, 0) << text << "\n" << trained.err;
    return trained.status == 0 ? place_.Read("o/config.json") : "";
  }
  void Fails(const std::string& text, const std::string& message) {
    place_.Write("c.textproto", text);
    Expect(Train({"--out=none"}), 1, "c.textproto:" + message);
  }
};

TEST_F(ConfigFile, IsATextproto) {
  for (const char* text : {
           "data: \"v#1.csv\" steps: 2",
           "data: 'v#1.csv'  # the data\nsteps: 2",
           "data: \"v\\0431.csv\"; steps: 2,",
           "data: 'v#1' '.csv'\nsteps: 0x2\nshuffle: f\nlr: 1",
           "data: \"v#1.csv\" steps: 2 freeze: \"fc1\\\\..*\"",
       })
    ModelOf(text);
}

TEST_F(ConfigFile, ConfigKeysAreMerged) {
  const std::string file = "data: \"v#1.csv\" steps: 1 set: [\"hidden=5\", \"activation=tanh\"]";
  EXPECT_THAT(ModelOf(file), HasSubstr("tanh"));
  const std::string merged = ModelOf(file, {"--set=hidden=7"});
  EXPECT_THAT(merged, HasSubstr("tanh"));
  EXPECT_THAT(merged, HasSubstr("\"hidden\": 7"));
}

TEST_F(ConfigFile, Errors) {
  Fails("steps: 1\nfoo: 2\n", "2: unknown field foo");
  Fails("steps: 1\n\nstep_: 2\n", "3: unknown field step_; did you mean steps?");
  Fails("steps: 1\nconfig: 'c.textproto'", "2: unknown field config");
  Fails("steps: \"x\"", "1: Expected integer");
  Fails("steps: 1\nsteps: 2", "2: Non-repeated field \"steps\" is specified multiple times.");
  Fails("lr: 0.1\ngrad_accumulation: 0", "2: --grad_accumulation: 0 is not at least 1");
  Fails("data: \"v", "1: Unexpected end of string.");
  Fails("shuffle: maybe", "1: Invalid value for boolean field \"shuffle\"");
}

}  // namespace
}  // namespace trama
