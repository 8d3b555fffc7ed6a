// generation_config.json: what `generate` does where no flag says else.
#include "tests/e2e/bad_input.h"

namespace trama {
namespace {

using testing::Arguments;
using testing::Outcome;
using testing::With;

class GenerationConfig : public testing::BadInput {
 protected:
  void SetUp() override { MakeModel("m"); }
  const Arguments generate_{"generate",       "m",     "--prompt=x",
                            "--max_tokens=8", "--ids", "--ignore_eos"};

  std::string Ids(const std::string& config, std::initializer_list<std::string> flags = {}) {
    place_.Write("m/generation_config.json", config);
    const Outcome outcome = place_.Trama(With(generate_, flags));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }
};

TEST_F(GenerationConfig, GivesDefaultsThatFlagsReplace) {
  const std::string greedy = Ids("{}", {"--greedy"}), drawn = Ids("{}");
  ASSERT_NE(greedy, drawn);
  EXPECT_EQ(Ids("{\"do_sample\": false}"), greedy);
  EXPECT_EQ(Ids("{\"do_sample\": false}", {"--temperature=1"}), drawn);
  EXPECT_EQ(Ids("{\"do_sample\": false}", {"--greedy=false"}), drawn);
  EXPECT_EQ(Ids("{\"do_sample\": true, \"top_k\": null}"), drawn);
  EXPECT_EQ(Ids("{\"temperature\": 0}"), greedy);
  EXPECT_EQ(Ids("{\"top_k\": 1}"), greedy);
  EXPECT_EQ(Ids("{\"top_k\": 1}", {"--top_k=0"}), drawn);
  EXPECT_EQ(Ids("{\"top_p\": 0.0}"), greedy);
  EXPECT_EQ(Ids("{\"top_p\": 0.0}", {"--top_p=1"}), drawn);
  const std::string other = Ids("{}", {"--greedy", "--repetition_penalty=5"});
  EXPECT_EQ(Ids("{\"do_sample\": false, \"repetition_penalty\": 5}"), other);
}

TEST_F(GenerationConfig, WrongValues) {
  const auto fails = [&](const std::string& config, const std::string& message) {
    place_.Write("m/generation_config.json", config);
    Expect(generate_, 1, "m/generation_config.json: " + message);
  };
  fails("{\"temperature\": \"warm\"}", "\"temperature\": expected a number");
  fails("{\"top_k\": 1.5}", "\"top_k\": expected an integer");
  fails("{\"top_p\": 2}", "top_p is 2, not in [0, 1]");
  fails("{\"repetition_penalty\": []}", "\"repetition_penalty\": expected a number");
  fails("{\"do_sample\": 1}", "\"do_sample\": expected");
}

}  // namespace
}  // namespace trama
