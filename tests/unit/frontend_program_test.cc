// The programs that a model becomes: functions, roles, names and attributes.
#include "frontend/program.h"

#include "base/status_matchers.h"

namespace trama {
namespace {
using ::testing::HasSubstr;

std::unique_ptr<Model> MakeModel(const std::string& name, const Config& config = {}) {
  auto entry = FindModel(name);
  EXPECT_OK(entry);
  auto model = (*entry)->make(config);
  EXPECT_OK(model);
  return *std::move(model);
}

std::string TraceText(const Model& model, Program program, DType float_type = DType::kF32) {
  auto module = Trace(model, {program}, float_type);
  EXPECT_OK(module);
  return module.ok() ? module->ToString() : "";
}

TEST(ProgramTest, ForwardNamesInputsParametersAndOutputs) {
  auto model = MakeModel("logistic-regression");
  const std::string text =
      TraceText(*model, {.name = "forward", .inputs = {{"x", DType::kF32, {150, 4}}}});
  EXPECT_THAT(text, HasSubstr("func.func @forward("));
  EXPECT_THAT(text, HasSubstr(R"(tensor<150x4xf32> {trama.name = "x", trama.role = "input"})"));
  EXPECT_THAT(text,
              HasSubstr(R"(tensor<1x4xf32> {trama.name = "weight", trama.role = "parameter"})"));
  EXPECT_THAT(text, HasSubstr(R"(-> (tensor<150x1xf32> {trama.name = "logits"}))"));
}

TEST(ProgramTest, TrainStepHasEveryParameterAndItsOptimizer) {
  auto model = MakeModel("mlp");
  const std::string text =
      TraceText(*model, {.name = "train_step.b8",
                         .kind = ProgramKind::kTrainStep,
                         .inputs = model->Inputs(8, 0),
                         .optimizer = {.kind = OptimizerKind::kAdam, .clip_norm = 0.5},
                         .trainable = {"fc2.weight"}});
  EXPECT_THAT(text, HasSubstr("func.func @train_step.b8("));
  for (const char* name : {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"})
    EXPECT_THAT(text, HasSubstr(std::string("trama.name = \"") + name));
  EXPECT_THAT(text, HasSubstr("trama.differentiate = 0 : i64"));
  EXPECT_THAT(text, HasSubstr(R"(clip_norm = 5.000000e-01 : f64)"));
  EXPECT_THAT(text, HasSubstr(R"(kind = "adam")"));
  EXPECT_THAT(text, HasSubstr(R"(trama.trainable = ["fc2.weight"])"));
  EXPECT_THAT(text, HasSubstr("trama.weighted_mean"));
  EXPECT_THAT(text, HasSubstr(R"(-> (tensor<f32> {trama.name = "loss"}))"));
}

TEST(ProgramTest, Float64StandsForFloat32) {
  auto model = MakeModel("mlp");
  const std::string text =
      TraceText(*model, {.name = "loss", .kind = ProgramKind::kLoss, .inputs = model->Inputs(8, 0)},
                DType::kF64);
  EXPECT_THAT(text, HasSubstr("tensor<8x4xf64>"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("f32")));
}

TEST(ProgramTest, LossWithoutLabelsIsAnError) {
  auto model = MakeModel("mlp");
  const Program program{
      .name = "loss", .kind = ProgramKind::kLoss, .inputs = {{"x", DType::kF32, {8, 4}}}};
  EXPECT_THAT(Trace(*model, {program}),
              StatusIs(absl::StatusCode::kInvalidArgument, "`labels` is not among the inputs"));
}

// y = x w, of an input and a parameter of the names that are given.
class NamesModel : public Model {
 public:
  explicit NamesModel(std::string parameter) : weight_(module_, std::move(parameter), {3}) {}
  const nn::Module& module() const override { return module_; }
  Tensors Forward(const Tensors& inputs, const ForwardOptions&) const override {
    return {{"y", Required(inputs, "x") * weight_}};
  }
  std::vector<TensorSpec> Inputs(int64_t, int64_t) const override {
    return {{"x", DType::kF32, {3}}};
  }
  std::vector<std::string> Outputs() const override { return {"y"}; }

 private:
  nn::Module module_;
  nn::Parameter weight_;
};

TEST(ProgramTest, AParameterWithTheNameOfAnInputIsAnError) {
  const Program forward{.name = "forward", .inputs = {{"x", DType::kF32, {3}}}};
  EXPECT_OK(Trace(NamesModel("w"), {forward}));
  EXPECT_THAT(Trace(NamesModel("x"), {forward}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "parameter: x is also the name of another input or parameter"));
}

TEST(ProgramTest, UnknownTrainableIsAnError) {
  auto model = MakeModel("mlp");
  const Program program{.name = "t",
                        .kind = ProgramKind::kTrainStep,
                        .inputs = model->Inputs(8, 0),
                        .trainable = {"fc9.weight"}};
  EXPECT_THAT(Trace(*model, {program}), StatusIs(absl::StatusCode::kNotFound, "fc9.weight"));
}

TEST(ProgramTest, MissingInputIsAnErrorWithTheModelsLine) {
  auto model = MakeModel("mlp");
  EXPECT_THAT(Trace(*model, {Program{.name = "forward"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "input: 'x' is missing (classifier.h:"));
}

TEST(ModelTest, UnknownNameSuggestsTheNearest) {
  EXPECT_THAT(FindModel("logistic-regresion"),
              StatusIs(absl::StatusCode::kNotFound, "did you mean logistic-regression?"));
}

TEST(ModelTest, ConfigErrorsNameTheKey) {
  Config config;
  config.Set("features", int64_t{0});
  EXPECT_THAT((*FindModel("mlp"))->make(config),
              StatusIs(absl::StatusCode::kInvalidArgument, "features: 0 is not in [1,"));
}

}  // namespace
}  // namespace trama
