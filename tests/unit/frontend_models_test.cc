// Parameters of modules and models: names and shapes as in the checkpoints, fresh values as
// declared, and the programs of every model traced and verified.
#include <cmath>

#include "base/status_matchers.h"
#include "frontend/init.h"
#include "frontend/program.h"

namespace trama {
namespace {
using ::testing::HasSubstr;
using Names = std::vector<std::pair<std::string, Shape>>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

absl::StatusOr<std::unique_ptr<Model>> Make(const std::string& name,
                                            const std::vector<std::string>& settings = {}) {
  Config config;
  for (const std::string& setting : settings) EXPECT_OK(config.SetFromText(setting));
  TRAMA_ASSIGN_OR_RETURN(const ModelEntry* entry, FindModel(name));
  return entry->make(config);
}

Names ParametersOf(const std::string& name, const std::vector<std::string>& settings = {}) {
  auto model = Make(name, settings);
  EXPECT_OK(model);
  Names names;
  for (const nn::Parameter* parameter : (*model)->module().parameters())
    names.emplace_back(parameter->path(), parameter->shape());
  return names;
}

TEST(ModelParameters, AreTheCheckpoints) {
  EXPECT_EQ(ParametersOf("logistic-regression"), (Names{{"weight", {1, 4}}, {"bias", {1}}}));
  EXPECT_EQ(ParametersOf("mlp", {"hidden=16,8", "classes=3"}), (Names{{"fc1.weight", {16, 4}},
                                                                      {"fc1.bias", {16}},
                                                                      {"fc2.weight", {8, 16}},
                                                                      {"fc2.bias", {8}},
                                                                      {"fc3.weight", {3, 8}},
                                                                      {"fc3.bias", {3}}}));
  Config listed;  // as config.json may have it
  listed.Set("hidden", std::vector<int64_t>{16, 8});
  auto mlp = (*FindModel("mlp"))->make(listed);
  ASSERT_OK(mlp);
  EXPECT_EQ((*mlp)->module().parameters().at(2)->shape(), Shape({8, 16}));
  EXPECT_EQ(ParametersOf("attention"), Names{});
  EXPECT_EQ(ParametersOf("multi-head-attention", {"embed_dim=32", "heads=4"}),
            (Names{{"W_q.weight", {32, 32}},
                   {"W_q.bias", {32}},
                   {"W_k.weight", {32, 32}},
                   {"W_k.bias", {32}},
                   {"W_v.weight", {32, 32}},
                   {"W_v.bias", {32}},
                   {"out_proj.weight", {32, 32}},
                   {"out_proj.bias", {32}}}));
  EXPECT_EQ(ParametersOf("char-transformer"), (Names{{"embedding", {14, 8}},
                                                     {"W_Q", {8, 8}},
                                                     {"W_K", {8, 8}},
                                                     {"W_V", {8, 8}},
                                                     {"W1", {8, 32}},
                                                     {"b1", {32}},
                                                     {"W2", {32, 14}},
                                                     {"b2", {14}}}));
  EXPECT_EQ((*Make("char-transformer"))->module().num_parameters(), 1054);
}

TEST(ModelParameters, OfGPT2) {
  Names want = {{"wte.weight", {97, 64}}, {"wpe.weight", {64, 64}}};
  for (const std::string block : {"h.0.", "h.1."})
    for (const auto& [name, shape] : Names{{"ln_1.weight", {64}},
                                           {"ln_1.bias", {64}},
                                           {"attn.c_attn.weight", {64, 192}},
                                           {"attn.c_attn.bias", {192}},
                                           {"attn.c_proj.weight", {64, 64}},
                                           {"attn.c_proj.bias", {64}},
                                           {"ln_2.weight", {64}},
                                           {"ln_2.bias", {64}},
                                           {"mlp.c_fc.weight", {64, 256}},
                                           {"mlp.c_fc.bias", {256}},
                                           {"mlp.c_proj.weight", {256, 64}},
                                           {"mlp.c_proj.bias", {64}}})
      want.emplace_back(block + name, shape);
  want.emplace_back("ln_f.weight", Shape{64});
  want.emplace_back("ln_f.bias", Shape{64});
  const std::vector<std::string> tiny = {"vocab_size=97", "n_positions=64", "n_embd=64",
                                         "n_head=4",      "n_layer=2",      "n_inner=null"};
  EXPECT_EQ(ParametersOf("gpt2", tiny), want);

  std::vector<std::string> classifier = tiny, untied = tiny;
  classifier.push_back("num_labels=2");
  untied.push_back("tie_word_embeddings=false");
  const Names with_score = ParametersOf("gpt2", classifier);
  EXPECT_EQ(with_score[with_score.size() - 2], (Names::value_type{"score.weight", {2, 64}}));
  EXPECT_EQ(with_score.back(), (Names::value_type{"score.bias", {2}}));
  EXPECT_EQ(ParametersOf("gpt2", untied).back(), (Names::value_type{"lm_head.weight", {97, 64}}));
  EXPECT_EQ((*Make("gpt2"))->module().num_parameters(), 124439808);
}

// The counts of Raschka's model, whose queries, keys and values have no bias.
TEST(ModelParameters, OfGPT2WithoutBiasesOfQueriesKeysAndValues) {
  const std::vector<std::string> tied = {"qkv_bias=false"};
  EXPECT_EQ((*Make("gpt2-small", tied))->module().num_parameters(), 124412160);
  const std::vector<std::string> untied = {"qkv_bias=false", "tie_word_embeddings=false"};
  EXPECT_EQ((*Make("gpt2", untied))->module().num_parameters(), 163009536);
  for (const auto& [name, shape] : ParametersOf("gpt2", tied))
    EXPECT_EQ(name.find("c_attn.bias"), std::string::npos) << name;
}

struct Moments {
  double mean = 0, deviation = 0, low = 1e9, high = -1e9;
};

Moments MomentsOf(const HostTensor& tensor) {
  Moments m;
  for (float x : tensor.data<float>()) {
    m.mean += x / static_cast<double>(tensor.num_elements());
    m.low = std::min<double>(m.low, x), m.high = std::max<double>(m.high, x);
  }
  for (float x : tensor.data<float>())
    m.deviation += (x - m.mean) * (x - m.mean) / static_cast<double>(tensor.num_elements());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

struct Layers : nn::Module {
  nn::Linear linear{*this, "linear", 400, 300};
  nn::Embedding embedding{*this, "embedding", 300, 400};
  nn::LayerNorm norm{*this, "norm", 50};
};

TEST(InitialParameters, AreAsPyTorchsLayersStart) {
  const TensorMap fresh = *InitialParameters(Layers(), 7);
  const Moments weight = MomentsOf(fresh.at("linear.weight"));  // U(-0.05, 0.05)
  EXPECT_NEAR(weight.mean, 0, 4 * 0.0289 / std::sqrt(120000));
  EXPECT_NEAR(weight.deviation, 0.05 / std::sqrt(3), 2e-4);
  EXPECT_GE(weight.low, -0.05);
  EXPECT_LE(weight.high, 0.05);
  EXPECT_GT(weight.high, 0.0499);
  const Moments bias = MomentsOf(fresh.at("linear.bias"));
  EXPECT_GT(bias.high, 0.04);
  EXPECT_LE(bias.high, 0.05);
  const Moments table = MomentsOf(fresh.at("embedding.weight"));
  EXPECT_NEAR(table.mean, 0, 4 / std::sqrt(120000));
  EXPECT_NEAR(table.deviation, 1, 0.01);
  EXPECT_GT(table.high, 3.5);
  EXPECT_EQ(MomentsOf(fresh.at("norm.weight")).low, 1);
  EXPECT_EQ(MomentsOf(fresh.at("norm.bias")).high, 0);
}

TEST(InitialParameters, OfGPT2ScaleWhatIsAddedToTheResidualStream) {
  const TensorMap fresh = *InitialParameters((*Make("gpt"))->module(), 0);
  EXPECT_NEAR(MomentsOf(fresh.at("h.2.attn.c_attn.weight")).deviation, 0.02, 4e-4);
  EXPECT_NEAR(MomentsOf(fresh.at("h.2.mlp.c_proj.weight")).deviation, 0.02 / std::sqrt(8), 2e-4);
  EXPECT_NEAR(MomentsOf(fresh.at("wpe.weight")).deviation, 0.02, 6e-4);
  EXPECT_EQ(MomentsOf(fresh.at("h.2.attn.c_attn.bias")).high, 0);
}

TEST(InitialParameters, DependOnTheSeedTheNameAndTheElementAlone) {
  const TensorMap small = *InitialParameters((*Make("gpt", {"n_layer=1"}))->module(), 3);
  const TensorMap deep = *InitialParameters((*Make("gpt", {"n_layer=2"}))->module(), 3);
  const TensorMap other = *InitialParameters((*Make("gpt", {"n_layer=1"}))->module(), 4);
  EXPECT_EQ(small.at("h.0.attn.c_attn.weight").bytes, deep.at("h.0.attn.c_attn.weight").bytes);
  EXPECT_NE(small.at("h.0.attn.c_attn.weight").bytes, deep.at("h.1.attn.c_attn.weight").bytes);
  EXPECT_NE(small.at("h.0.attn.c_attn.weight").bytes, other.at("h.0.attn.c_attn.weight").bytes);
}

TEST(ModelParameters, OfThePublishedSizes) {
  for (const auto& [name, parameters] :
       {std::pair("gpt2", 124439808), std::pair("gpt2-medium", 354823168),
        std::pair("gpt2-large", 774030080), std::pair("gpt2-xl", 1557611200),
        std::pair("distilgpt2", 81912576)})
    EXPECT_EQ((*Make(name))->module().num_parameters(), parameters) << name;
}

TEST(InitialParameters, ThatDoNotFitInMemoryAreAnError) {
  EXPECT_THAT(InitialParameters((*Make("gpt2", {"n_embd=16777216", "n_head=1"}))->module(), 0),
              StatusIs(absl::StatusCode::kResourceExhausted, "the model's parameters take"));
}

TEST(Models, TraceEveryProgram) {
  for (const auto& [name, entry] : Models()) {
    Config config;
    if (entry.defaults.Has("n_layer")) config.Set("n_layer", int64_t{2});
    auto made = entry.make(config);
    ASSERT_OK(made);
    const Model& model = **made;
    const std::vector<TensorSpec> inputs = model.Inputs(2, model.MaxLength() ? 5 : 6);
    std::vector<Program> programs = {{.name = "forward",
                                      .inputs = inputs,
                                      .options = {.hidden_states = true, .attentions = true}}};
    if (inputs.back().name == "labels")
      for (auto [program, kind] :
           {std::pair("loss", ProgramKind::kLoss), std::pair("gradients", ProgramKind::kGradients),
            std::pair("train_step", ProgramKind::kTrainStep),
            std::pair("accumulate", ProgramKind::kAccumulate),
            std::pair("apply", ProgramKind::kApply)})
        programs.push_back({.name = program, .kind = kind, .inputs = inputs, .training = true});
    EXPECT_THAT(Trace(model, programs), IsOk()) << name;
    EXPECT_THAT(Trace(model, programs, DType::kF64), IsOk()) << name;
  }
}

TEST(Models, AttentionOfOneExampleNeedsNoBatch) {
  auto model = *Make("attention", {"heads=2"});
  const auto trace = [&](const Shape& query, const Shape& key) {
    auto module = Trace(*model, {Program{.name = "forward",
                                         .inputs = {{"query", DType::kF32, query},
                                                    {"key", DType::kF32, key},
                                                    {"value", DType::kF32, key},
                                                    {"key_mask", DType::kI32, {7}}}}});
    return module.ok() ? absl::StatusOr<std::string>(module->ToString()) : module.status();
  };
  ASSERT_OK_AND_ASSIGN(const std::string text, trace({5, 8}, {7, 8}));
  EXPECT_THAT(text, HasSubstr("(tensor<5x8xf32> {trama.name = \"output\"}, tensor<2x5x7xf32>"));
  for (const auto& [query, key] :
       {std::pair(Shape{5, 8}, Shape{1, 7, 8}), std::pair(Shape{1, 1, 5, 8}, Shape{1, 1, 7, 8})})
    EXPECT_THAT(trace(query, key), StatusIs(kInvalid, "all are [batch, length, width]"));
}

TEST(Models, GradientsWithoutALossUseGradOutput) {
  auto model = *Make("attention", {"heads=4"});
  std::vector<TensorSpec> inputs = model->Inputs(2, 6);
  inputs.push_back({"grad_output", DType::kF32, {2, 6, 64}});
  const Program program{.name = "gradients", .kind = ProgramKind::kGradients, .inputs = inputs};
  auto module = Trace(*model, {program});
  ASSERT_OK(module);
  EXPECT_THAT(module->ToString(), HasSubstr("trama.drop_result"));
  EXPECT_THAT(module->ToString(), HasSubstr("trama.input_gradients"));
}

std::string TraceGPT(const Program& program, const std::vector<std::string>& settings = {}) {
  auto model = Make("gpt", settings);
  EXPECT_OK(model);
  auto module = Trace(**model, {program});
  EXPECT_OK(module);
  return module.ok() ? module->ToString() : "";
}

TEST(Models, GPT2MarksItsTimeAxisAndPositions) {
  // The width, 64, is also the length: positions follow the axis, not the number.
  const std::string text = TraceGPT({.name = "decode",
                                     .kind = ProgramKind::kDecode,
                                     .inputs = {{"input_ids", DType::kI32, {2, 64}}},
                                     .cache_capacity = 64},
                                    {"n_embd=64", "n_layer=1"});
  EXPECT_THAT(text, HasSubstr("trama.sequence = 1 : i64"));
  EXPECT_THAT(text, HasSubstr("trama.decode = {capacity = 64 : i64}"));
  EXPECT_THAT(text, HasSubstr("trama.iota dim = 0 sequence : tensor<64xi32>"));
  EXPECT_THAT(text, HasSubstr("trama.iota dim = 0 sequence : tensor<64x64xi32>"));
  EXPECT_THAT(text, HasSubstr("trama.iota dim = 1 sequence : tensor<64x64xi32>"));
}

TEST(Models, GPT2DropsOutOnlyWhereItTrains) {
  const std::vector<std::string> settings = {"attn_pdrop=0.1", "resid_pdrop=0.1", "embd_pdrop=0.1",
                                             "n_layer=1"};
  Program program{.name = "loss",
                  .kind = ProgramKind::kLoss,
                  .inputs = {{"input_ids", DType::kI32, {2, 8}}, {"labels", DType::kI32, {2, 8}}}};
  EXPECT_THAT(TraceGPT(program, settings), ::testing::Not(HasSubstr("trama.dropout")));
  program.training = true;
  const std::string text = TraceGPT(program, settings);
  EXPECT_THAT(text, HasSubstr(R"(tensor<4xi32> {trama.name = "rng", trama.role = "scalar"})"));
  for (const char* id : {"op_id = 0", "op_id = 1", "op_id = 2", "op_id = 3"})
    EXPECT_THAT(text, HasSubstr(id));
}

TEST(Models, GPT2RefusesWhatIsTooLong) {
  auto model = *Make("gpt");
  const Program program{.name = "forward", .inputs = {{"input_ids", DType::kI32, {2, 65}}}};
  EXPECT_THAT(Trace(*model, {program}),
              StatusIs(kInvalid, "input_ids is 2x65, longer than n_positions: 64 (gpt2.cc:"));
}

TEST(Models, ConfigErrorsNameTheKeys) {
  EXPECT_THAT(Make("gpt", {"n_head=3"}),
              StatusIs(kInvalid, "n_embd: 128 is not a multiple of n_head: 3"));
  EXPECT_THAT(Make("gpt2", {"n_layer=many"}), StatusIs(kInvalid, "n_layer is not an integer"));
  EXPECT_THAT(Make("gpt2", {"activation_function=rellu"}), StatusIs(kInvalid, "'rellu'"));
  EXPECT_THAT(Make("gpt2", {"attn_pdrop=1.0"}), StatusIs(kInvalid, "attn_pdrop"));
  EXPECT_THAT(Make("mlp", {"hidden=0"}), StatusIs(kInvalid, "hidden: '0'"));
  EXPECT_THAT(Make("multi-head-attention", {"heads=3", "embed_dim=16"}),
              StatusIs(kInvalid, "embed_dim: 16 is not a multiple of heads: 3"));
  EXPECT_THAT(Make("char-transformer", {"d_model=0"}), StatusIs(kInvalid, "d_model: 0"));
}

}  // namespace
}  // namespace trama
