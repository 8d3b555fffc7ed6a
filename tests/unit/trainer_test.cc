// Training programs and the trainer around them, on `reference`.
#include "runtime/trainer.h"

#include <cmath>

#include "base/status_macros.h"
#include "base/status_matchers.h"
#include "frontend/init.h"
#include "gtest/gtest.h"
#include "models/classifier.h"
#include "runtime/checkpoint.h"
#include "runtime/data/rows_dataset.h"
#include "runtime/formats/safetensors.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

SessionOptions OnReference() {
  SessionOptions options;
  options.backend = "reference";
  return options;
}

struct TwoFeatures {
  int64_t features = 2;
};

// Names of parameters that programs have for results, state and scalars too.
struct NamedAsState : nn::ModuleOf<TwoFeatures> {
  using ModuleOf::ModuleOf;
  nn::Parameter loss{*this, "loss", {1, cfg.features}, nn::Init::FanIn(cfg.features)};
  nn::Parameter weight{*this, "weight", {1}, nn::Init::Constant(0.5)};
  nn::Parameter lr{*this, "lr", {1}}, finite{*this, "finite", {1}};
  Tensor operator()(Tensor x) const { return linear(x, loss, lr) * weight + finite; }
};

struct ColonInName : nn::ModuleOf<TwoFeatures> {
  using ModuleOf::ModuleOf;
  nn::Parameter moment{*this, "optimizer:m", {1, cfg.features}};
  Tensor operator()(Tensor x) const { return linear(x, moment, Tensor()); }
};

// Examples [begin, begin + count) of four.
TensorMap Examples(int64_t begin, int64_t count) {
  HostTensor x(DType::kF32, {count, 2}), labels(DType::kI32, {count});
  for (int64_t i = 0; i < count; ++i) {
    const int64_t example = begin + i;
    x.set(2 * i, 0.5 * static_cast<double>(example));
    x.set(2 * i + 1, example % 2 ? 1.0 : -0.25);
    labels.set(i, static_cast<double>(example % 2));
  }
  return {{"x", x}, {"labels", labels}};
}

TEST(TrainingPrograms, TakeParametersOfAnyName) {
  const models::Classifier<NamedAsState> model(TwoFeatures{});
  ASSERT_OK_AND_ASSIGN(const TensorMap start, InitialParameters(model.module(), /*seed=*/1));
  for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kAdam}) {
    const auto program = [&](const char* name, ProgramKind of, int64_t batch) {
      return Program{
          .name = name, .kind = of, .inputs = model.Inputs(batch, 0), .optimizer = {.kind = kind}};
    };
    ASSERT_OK_AND_ASSIGN(const auto session,
                         Session::Create(model,
                                         {program("step", ProgramKind::kTrainStep, 4),
                                          program("accumulate", ProgramKind::kAccumulate, 2),
                                          program("apply", ProgramKind::kApply, 2),
                                          program("loss", ProgramKind::kLoss, 4)},
                                         OnReference()));
    const Scalars scalars{.lr = 0.1, .step = 1, .beta1 = 0.9, .beta2 = 0.999};
    ASSERT_OK(session->LoadState(start));
    ASSERT_OK_AND_ASSIGN(const TensorMap loss, session->Call("loss", Examples(0, 4)));
    ASSERT_TRUE(loss.contains("loss"));
    ASSERT_OK_AND_ASSIGN(const TensorMap whole, session->Call("step", Examples(0, 4), scalars));
    ASSERT_OK_AND_ASSIGN(const TensorMap after, session->ReadParameters());
    EXPECT_EQ(whole.at("loss").at(0), loss.at("loss").at(0));
    EXPECT_NE(after.at("loss").at(0), start.at("loss").at(0));
    EXPECT_EQ(after.size(), 4u);

    ASSERT_OK(session->LoadState(start));
    ASSERT_OK(session->ClearState("optimizer:"));
    for (const int64_t begin : {0, 2})
      ASSERT_OK(session->Call("accumulate", Examples(begin, 2), scalars).status());
    ASSERT_OK_AND_ASSIGN(const TensorMap parts, session->Call("apply", {}, scalars));
    EXPECT_NEAR(parts.at("loss").at(0), whole.at("loss").at(0), 1e-6);
    ASSERT_OK_AND_ASSIGN(const TensorMap state, session->ReadParameters());
    for (const auto& [name, tensor] : after)
      for (int64_t i = 0; i < tensor.num_elements(); ++i)
        EXPECT_NEAR(state.at(name).at(i), tensor.at(i), 1e-6) << name;
  }
}

TEST(TrainingPrograms, RefuseTheNamesOfState) {
  const models::Classifier<ColonInName> model(TwoFeatures{});
  EXPECT_THAT(
      Session::Create(model, {{.name = "forward", .inputs = model.Inputs(4, 0)}}, OnReference()),
      StatusIs(absl::StatusCode::kInvalidArgument, "optimizer:m has a colon"));
}

// `steps` of 5 updates of a run on a small table that goes on from what is in `out`.
absl::StatusOr<TrainResult> TrainOnTable(const TempDir& dir, int64_t steps,
                                         const std::string& out) {
  DataOptions read{.data = dir.Write("t.csv", "a,b,kind\n1,2,x\n2,0,y\n3,1,x\n4,3,y\n5,1,x\n")};
  read.target = "kind";
  read.positive = "x";
  read.classes = 1;
  TRAMA_ASSIGN_OR_RETURN(LoadedData data, LoadData(read));
  Config config;
  config.Set("features", int64_t{2});
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, NewModel("mlp", config, /*seed=*/1));
  TrainOptions options;
  options.steps = steps;
  options.batch.batch_size = 2;
  options.batch.grad_accumulation = 2;
  options.schedule.lr = 0.1;
  options.out = dir / out;
  options.resume = options.quiet = true;
  TRAMA_ASSIGN_OR_RETURN(auto trainer, Trainer::Create(model, data, options, OnReference()));
  return trainer->Run();
}

TEST(TrainerTest, KeepsTheLossOfARunThatHasEnded) {
  const TempDir dir;
  ASSERT_OK_AND_ASSIGN(const TrainResult ended, TrainOnTable(dir, 5, "m"));
  EXPECT_GT(ended.loss, 0);
  for (const int64_t steps : {5, 3}) {
    ASSERT_OK_AND_ASSIGN(const TrainResult again, TrainOnTable(dir, steps, "m"));
    EXPECT_EQ(again.step, 5);
    EXPECT_EQ(again.loss, ended.loss);
  }
  // As of an older checkpoint: the loss is not known.
  ASSERT_OK_AND_ASSIGN(Checkpoint checkpoint, LoadCheckpoint(dir / "m"));
  Json state = Json::MakeObject();
  for (const auto& [key, value] : checkpoint.trainer_state.object())
    if (key != "loss") state.Set(key, value);
  checkpoint.trainer_state = std::move(state);
  ASSERT_OK(SaveCheckpoint(dir / "m", checkpoint));
  ASSERT_OK_AND_ASSIGN(const TrainResult unknown, TrainOnTable(dir, 5, "m"));
  EXPECT_TRUE(std::isnan(unknown.loss));
}

// Labels of either type, some of them not counted, in batches that count more and fewer.
TEST(EvaluatorTest, CountsLabelsOfBothTypes) {
  Config config;
  config.Set("features", int64_t{2});
  config.Set("classes", int64_t{3});
  ASSERT_OK_AND_ASSIGN(const LoadedModel model, NewModel("mlp", config, /*seed=*/1));
  const std::vector<double> labels = {0, -100, 2, 1, -100, -100, 2};
  std::vector<Evaluation> evaluations;
  for (const DType dtype : {DType::kI32, DType::kI64}) {
    HostTensor x(DType::kF32, {7, 2}), y(dtype, {7});
    for (int64_t i = 0; i < 7; ++i) {
      x.set(2 * i, static_cast<double>(i));
      x.set(2 * i + 1, 1);
      y.set(i, labels[static_cast<size_t>(i)]);
    }
    const RowsDataset data(TensorMap{{"x", x}, {"labels", y}});
    std::vector<Program> programs;
    const Evaluator evaluator(data, /*batch_size=*/2, &programs);
    ASSERT_OK_AND_ASSIGN(const auto session,
                         Session::Create(*model.model, programs, OnReference()));
    ASSERT_OK(session->LoadState(model.parameters));
    ASSERT_OK_AND_ASSIGN(evaluations.emplace_back(), evaluator.Run(*session));
  }
  EXPECT_EQ(evaluations[0].targets, 4);
  EXPECT_EQ(evaluations[1].targets, 4);
  EXPECT_EQ(evaluations[0].loss, evaluations[1].loss);
}

TEST(TrainerTest, GoesOnFromACheckpointOfVersion1) {
  const TempDir dir;
  ASSERT_OK(TrainOnTable(dir, 5, "whole").status());
  ASSERT_OK(TrainOnTable(dir, 3, "cut").status());
  ASSERT_OK_AND_ASSIGN(Checkpoint checkpoint, LoadCheckpoint(dir / "cut"));
  checkpoint.trainer_state.Set("version", 1);
  TensorMap old;
  for (auto& [name, tensor] : checkpoint.optimizer) {
    std::string then = name;
    ASSERT_NE(then.find(':'), std::string::npos);
    then[then.find(':')] = '.';
    if (const size_t grad = then.find("accumulated.grad."); grad == 0) then.erase(12, 5);
    old.emplace(then, std::move(tensor));
  }
  ASSERT_TRUE(old.contains("optimizer.m.fc1.weight") && old.contains("accumulated.fc1.weight"));
  checkpoint.optimizer = std::move(old);
  ASSERT_OK(SaveCheckpoint(dir / "cut", checkpoint));
  ASSERT_OK(TrainOnTable(dir, 5, "cut").status());
  for (const char* file : {"model.safetensors", "trama_checkpoint/optimizer.safetensors"})
    EXPECT_EQ(*ReadFile(JoinPath(dir / "cut", file)), *ReadFile(JoinPath(dir / "whole", file)))
        << file;
  checkpoint.trainer_state.Set("version", 99);
  ASSERT_OK(SaveCheckpoint(dir / "cut", checkpoint));
  EXPECT_THAT(TrainOnTable(dir, 5, "cut"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "version 99"));
}

}  // namespace
}  // namespace trama
