// Flags that would do nothing, and values that are none: each is wrong usage, with the nearest
// right one where there is one.
#include "base/status_matchers.h"
#include "runtime/formats/safetensors.h"
#include "tests/e2e/bad_input.h"

namespace trama {
namespace {

using testing::Arguments;
using testing::BadInputTable;
using ::testing::HasSubstr;
using testing::kTable;
using testing::kTrainTable;
using testing::kTrainText;
using ::testing::Not;
using testing::Outcome;
using testing::With;

TEST_F(BadInputTable, FlagsWithoutAMeaning) {
  const Arguments train{"train",       "m",       "--data=t.txt", "--steps=1",
                        "--seq_len=4", "--out=o", "--quiet"};
  ASSERT_OK(WriteSafetensors(place_ / "x.safetensors", {{"x", HostTensor::F32({1, 2}, {1, 2})}}));
  ASSERT_OK(
      WriteSafetensors(place_ / "i.safetensors", {{"input_ids", HostTensor::I32({1, 2}, {1, 2})},
                                                  {"labels", HostTensor::I32({1, 2}, {1, 2})}}));
  const Arguments table{"run", "t", "--inputs=x.safetensors", "--outputs=o.safetensors"};
  const Arguments loss{"run", "m", "--function=loss", "--inputs=i.safetensors",
                       "--outputs=o.safetensors"};
  const Arguments eval{"eval", "m", "--data=t.txt"}, predict{"predict", "t", "--input=t.csv"};
  ExpectEach({
      {"another config", {}, With(train, {"--set=n_layer=2"}), "--set=n_layer=...", 2},
      {"another config", {}, With(table, {"--set=hidden=2"}), "--set=hidden=...", 2},
      {"a part of nothing", {}, With(eval, {"--val_fraction=0.5"}), "unknown flag", 2},
      {"other data", {}, With(eval, {"--val_data=t.txt"}), "unknown flag", 2},
      {"a part of nothing", {}, With(predict, {"--val_fraction=0.5"}), "unknown flag", 2},
      {"other data", {}, With(predict, {"--data=t.csv"}), "unknown flag", 2},
      {"no text", {}, With(predict, {"--stride=3"}), "unknown flag", 2},
      {"no text", {}, With(predict, {"--tokenizer=bytes"}), "unknown flag", 2},
      {"no dropout",
       {},
       With(kTrainTable, {"--data=t.csv", "--dropout=0.1"}),
       "--dropout: a mlp has none",
       2},
      {"no states", {}, With(table, {"--hidden_states"}), "forward of a mlp has none", 2},
      {"no attention", {}, With(table, {"--attentions"}), "forward of a mlp has none", 2},
      {"no states", {}, With(loss, {"--hidden_states"}), "loss of a gpt2 has none", 2},
  });
  // What says nothing else is no change.
  const Outcome same = place_.Trama(With(train, {"--set=n_layer=1", "--set=resid_pdrop=0"}));
  EXPECT_EQ(same.status, 0) << same.err;
  ASSERT_EQ(place_.Trama(With(kTrainText, {"--data=t.txt", "--out=r"})).status, 0);
  Expect(With(kTrainText, {"--data=t.txt", "--out=r", "--resume", "--set=n_layer=2"}), 2,
         "--set=n_layer=...: changes the config of a new model only, and r has another");
}

TEST_F(BadInputTable, WrongUsage) {
  const Arguments text = With(kTrainText, {"--data=t.txt"});
  const Arguments table = With(kTrainTable, {"--data=t.csv"});
  ExpectEach({
      {"no value", {}, With(text, {"--set=n_head"}), "is not key=value", 2},
      {"no key", {}, With(text, {"--set=n_layers=2"}), "'n_layers'; did you mean n_layer?", 2},
      {"no key", {}, {"explain", "gpt", "--set=zzzzzz=2"}, "'zzzzzz'; it has ", 2},
      {"no value", {}, With(table, {"--set=activation=rellu"}), "did you mean relu?", 2},
      {"no backends", {}, {"explain", "mlp", "--backend=check:reference"}, "not two backends", 2},
      {"no backends", {}, {"explain", "mlp", "--backend=check:cpu,cpi"}, "did you mean cpu?", 2},
      {"two validations", {}, With(text, {"--val_data=t.txt", "--val_fraction=0.5"}), "exclude", 2},
      {"too much", {}, With(text, {"--dropout=1.5"}), "--dropout: not in [0, 1)", 2},
      {"too much", {}, With(text, {"--label_smoothing=2"}), "--label_smoothing: not in [0, 1]", 2},
      {"no tokenizer", {}, With(text, {"--tokenizer=char"}), "did you mean chars?", 2},
      {"no tokenizer", {}, {"init", "gpt", "--tokenizer=byte", "--out=o"}, "mean bytes?", 2},
      {"no tokenizer", {}, {"tokenize", "--tokenizer=byte", "--text=x"}, "mean bytes?", 2},
      {"no optimizer", {}, With(text, {"--optimizer=adamm"}), "did you mean adam?", 2},
      {"no function", {}, {"run", "t", "--function=gradient"}, "did you mean gradients?", 2},
      {"no stage",
       {},
       {"explain", "mlp", "--stage=fuse-attention"},
       "did you mean trama-fuse-attention?",
       2},
      {"no ids", {}, {"generate", "m", "--prompt_ids=1,,2"}, "'' is not an integer", 2},
      {"no address", {}, {"eval", "m", "--data=t.txt", "--judge=localhost:1"}, "is no address", 2},
      {"no folder",
       {},
       {"generate", "m", "--prompt=x", "--probabilities=none/p"},
       "cannot write: none/p"},
  });
  // Nothing is suggested that is not near, or is what was given.
  for (const Arguments& arguments :
       {Arguments{"explain", "nothere"}, Arguments{"generate", "t.txt", "--prompt=x"}}) {
    const Outcome outcome = place_.Trama(arguments);
    EXPECT_NE(outcome.status, 0);
    EXPECT_THAT(outcome.err, Not(HasSubstr("did you mean")));
  }
}

TEST_F(BadInputTable, OneClassOrEmptyCells) {
  const auto train = [](const char* table) {
    return With(kTrainTable, {std::string("--data=") + table});
  };
  ExpectEach({
      {"an empty feature",
       {{"d.csv", "a,b,kind\n1,,x\n2,1,y\n"}},
       train("d.csv"),
       "d.csv:2:3: b is"},
      {"an empty label",
       {{"d.csv", "a,kind\n1,\n2,y\n"}},
       train("d.csv"),
       "d.csv:2:3: kind is empty"},
      {"one class", {{"d.csv", "a,kind\n1,y\n2,y\n"}}, train("d.csv"), "kind is y in every row"},
  });
}

TEST_F(BadInputTable, ExplainShowsWhatIsDecoded) {
  const Outcome outcome =
      place_.Trama({"explain", "m", "--program=prefill,decode", "--stage=plan"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("program prefill: "));
  EXPECT_THAT(outcome.out, HasSubstr("program decode: "));
  Expect({"explain", "t", "--program=prefill"}, 2, "a mlp has no prefill");
}

// A model without a loss has the gradients of its first output.
TEST_F(BadInputTable, ExplainShowsGradientsWithoutALoss) {
  for (const char* model : {"attention", "multi-head-attention"}) {
    const Outcome outcome =
        place_.Trama({"explain", model, "--program=gradients", "--stage=traced", "--seq_len=3"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("grad_output"));
  }
}

TEST_F(BadInputTable, ExplainShowsCode) {
  const Outcome outcome = place_.Trama({"explain", "t", "--stage=code", "--backend=cpu"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("phase_0:"));
  Expect({"explain", "t", "--stage=code", "--backend=reference"}, 1,
         "--stage=code: this backend does not show its code; cpu shows assembly, vulkan SPIR-V");
}

TEST_F(BadInputTable, IdsBetweenSpacesOrCommas) {
  std::string first;
  for (const char* ids : {"1,2", "1, 2", "1 2"}) {
    const Outcome outcome = place_.Trama({"generate", "m", std::string("--prompt_ids=") + ids,
                                          "--max_tokens=3", "--ids", "--greedy"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    if (first.empty()) first = outcome.out;
    EXPECT_EQ(outcome.out, first);
  }
}

}  // namespace
}  // namespace trama
