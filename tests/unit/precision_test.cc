// --precision=bf16 as sessions see it: what state is kept in, what comes out, and what it learns.
#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/compiler.h"
#include "runtime/generator.h"

namespace trama {
namespace {

LoadedModel SmallGpt(int64_t vocabulary = 61) {
  Config config;
  for (const auto& [key, value] : {std::pair("n_layer", 2), {"n_head", 2}, {"n_embd", 32}})
    config.Set(key, int64_t{value});
  config.Set("vocab_size", vocabulary);
  config.Set("n_positions", int64_t{24});
  config.Set("initializer_range", 0.2);
  return NewModel("gpt", config, 5).value_or(LoadedModel());
}

SessionOptions With(DType precision, const std::string& backend = "cpu") {
  SessionOptions options;
  options.backend = backend;
  options.precision = precision;
  return options;
}

// Ids that count up from another start in each row, and what comes after each of them.
TensorMap Counting(int64_t batch, int64_t length, int64_t vocabulary) {
  HostTensor ids(DType::kI32, {batch, length}), labels(DType::kI32, {batch, length});
  for (int64_t r = 0; r < batch; ++r)
    for (int64_t t = 0; t < length; ++t) {
      const int64_t start = 7 * r + t;
      ids.set(r * length + t, static_cast<double>(start % vocabulary));
      labels.set(r * length + t, static_cast<double>((start + 1) % vocabulary));
    }
  return {{"input_ids", ids}, {"labels", labels}};
}

Program ProgramOf(const LoadedModel& model, ProgramKind kind) {
  Program program = trama::ProgramOf(*model.model, kind, 2, 8);
  std::erase_if(program.inputs, [](const auto& spec) { return spec.name == "attention_mask"; });
  return program;
}

absl::StatusOr<std::unique_ptr<Session>> SessionOf(const LoadedModel& model, ProgramKind kind,
                                                   const SessionOptions& options) {
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                         Session::Create(*model.model, {ProgramOf(model, kind)}, options));
  TRAMA_RETURN_IF_ERROR(session->LoadState(model.parameters));
  return session;
}

uint64_t StateBytes(const Session& session) {
  uint64_t bytes = 0;
  for (const plan::Block& block : session.plan().blocks())
    if (block.kind() == plan::Block::STATE) bytes += block.bytes();
  return bytes;
}

// max |got - want| / max |want|.
double Distance(const HostTensor& got, const HostTensor& want) {
  double error = 0, largest = 0;
  for (int64_t i = 0; i < want.num_elements(); ++i) {
    error = std::max(error, std::abs(got.at(i) - want.at(i)));
    largest = std::max(largest, std::abs(want.at(i)));
  }
  return got.shape == want.shape ? error / largest : INFINITY;
}

TEST(Precision, KeepsWhatIsMultipliedInHalfTheMemory) {
  const LoadedModel model = SmallGpt();
  for (const ProgramKind kind :
       {ProgramKind::kForward, ProgramKind::kLoss, ProgramKind::kDecode, ProgramKind::kGradients}) {
    ASSERT_OK_AND_ASSIGN(const auto narrow, SessionOf(model, kind, With(DType::kBF16)));
    ASSERT_OK_AND_ASSIGN(const auto wide, SessionOf(model, kind, With(DType::kF32)));
    for (const auto& [name, slot] : narrow->state()) {
      const bool multiplied = slot.role == "parameter" && slot.shape.size() == 2 &&
                              name != "wpe.weight";  // matrices, the head's table among them
      EXPECT_EQ(slot.dtype, multiplied ? DType::kBF16 : DType::kF32) << name;
    }
    for (const auto& [name, slot] : wide->state()) EXPECT_EQ(slot.dtype, DType::kF32) << name;
    for (const Session::Slot& slot : narrow->outputs(0)) EXPECT_EQ(slot.dtype, DType::kF32);
    EXPECT_LT(StateBytes(*narrow), 0.75 * static_cast<double>(StateBytes(*wide)));
  }
}

TEST(Precision, TrainsParametersOfFullPrecision) {
  const LoadedModel model = SmallGpt();
  ASSERT_OK_AND_ASSIGN(const auto session,
                       SessionOf(model, ProgramKind::kTrainStep, With(DType::kBF16)));
  for (const auto& [name, slot] : session->state()) EXPECT_EQ(slot.dtype, DType::kF32) << name;
  ASSERT_OK_AND_ASSIGN(const TensorMap read, session->ReadParameters());
  for (const auto& [name, tensor] : read)
    EXPECT_EQ(tensor.bytes, model.parameters.at(name).bytes) << name;
}

// One parameter frozen: it is saved as it was given.
TEST(Precision, FreezesParametersOfFullPrecision) {
  const LoadedModel model = SmallGpt();
  Program step = ProgramOf(model, ProgramKind::kTrainStep);
  step.trainable = {"wte.weight"};
  ASSERT_OK_AND_ASSIGN(const auto session,
                       Session::Create(*model.model, {step}, With(DType::kBF16)));
  ASSERT_OK(session->LoadState(model.parameters));
  ASSERT_OK(session->Call(step.name, Counting(2, 8, 61), {.lr = 0.1, .step = 1}).status());
  ASSERT_OK_AND_ASSIGN(const TensorMap read, session->ReadParameters());
  for (const auto& [name, tensor] : read)
    EXPECT_EQ(tensor.bytes == model.parameters.at(name).bytes, name != "wte.weight") << name;
}

TEST(Precision, RoundsStateToTheNearestEven) {
  const LoadedModel model = SmallGpt(9001);  // larger than the pieces that are written
  ASSERT_OK_AND_ASSIGN(const auto session,
                       SessionOf(model, ProgramKind::kForward, With(DType::kBF16)));
  const Session::Slot& slot = session->state().at("wte.weight");
  ASSERT_EQ(slot.dtype, DType::kBF16);
  HostTensor read;
  ASSERT_OK(session->Read(slot, &read));
  const HostTensor& given = model.parameters.at("wte.weight");
  EXPECT_EQ(read.bytes, given.Cast(DType::kBF16).bytes);
  for (const DType from : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) {
    HostTensor tensor(from, slot.shape);
    // Half way between two numbers of bf16, just beyond, and both ends of what there is.
    const double values[] = {1 + 1.0 / 256, 1 + 3.0 / 256, 1 + 1.0 / 256 + 1.0 / 1024,
                             -0.0,          6e4,           -INFINITY};
    for (int64_t i = 0; i < tensor.num_elements(); ++i) tensor.set(i, values[i % 6]);
    ASSERT_OK(session->Write(slot, tensor));
    ASSERT_OK(session->Read(slot, &read));
    const double want[] = {1, 1 + 4.0 / 256, 1 + 2.0 / 256, -0.0, 59904, -INFINITY};
    for (const int64_t at : {int64_t{0}, read.num_elements() - 6 - read.num_elements() % 6})
      for (int64_t i = 0; i < 6; ++i)
        EXPECT_EQ(read.at(at + i), want[i]) << Name(from) << " element " << at + i;
  }
}

class PrecisionOn : public testing::TestWithParam<const char*> {};

TEST_P(PrecisionOn, LogitsAreWithinTwoPercent) {
  const LoadedModel model = SmallGpt();
  TensorMap inputs = Counting(2, 8, 61);
  inputs.erase("labels");
  TensorMap outputs[2];
  for (const DType precision : {DType::kF32, DType::kBF16}) {
    ASSERT_OK_AND_ASSIGN(const auto session,
                         SessionOf(model, ProgramKind::kForward, With(precision, GetParam())));
    ASSERT_OK_AND_ASSIGN(outputs[precision == DType::kBF16], session->Call("forward", inputs));
  }
  const double distance = Distance(outputs[1]["logits"], outputs[0]["logits"]);
  EXPECT_LT(distance, 2e-2);
  EXPECT_GT(distance, 1e-5);  // else nothing was rounded
}

TEST_P(PrecisionOn, GradientsAreNear) {
  const LoadedModel model = SmallGpt();
  TensorMap outputs[2];
  for (const DType precision : {DType::kF32, DType::kBF16}) {
    ASSERT_OK_AND_ASSIGN(const auto session,
                         SessionOf(model, ProgramKind::kGradients, With(precision, GetParam())));
    ASSERT_OK_AND_ASSIGN(outputs[precision == DType::kBF16],
                         session->Call("gradients", Counting(2, 8, 61)));
  }
  for (const auto& [name, want] : outputs[0])
    EXPECT_LT(Distance(outputs[1].at(name), want), 3e-2) << name;
}

// The losses of 40 steps go down as those of f32 do.
TEST_P(PrecisionOn, TrainsAsF32Does) {
  const LoadedModel model = SmallGpt();
  double first = 0, last[2] = {0, 0};
  const bool slow = absl::StrContains(GetParam(), "reference");
  const int steps = slow ? 10 : 40;
  for (const DType precision : {DType::kF32, DType::kBF16}) {
    ASSERT_OK_AND_ASSIGN(const auto session,
                         SessionOf(model, ProgramKind::kTrainStep, With(precision, GetParam())));
    for (int step = 1; step <= steps; ++step) {
      ASSERT_OK_AND_ASSIGN(TensorMap outputs,
                           session->Call("train_step", Counting(2, 8, 61),
                                         {.lr = 3e-3, .step = step, .beta1 = 0.9, .beta2 = 0.999}));
      if (step == 1) first = outputs["loss"].at(0);
      last[precision == DType::kBF16] = outputs["loss"].at(0);
    }
  }
  EXPECT_LT(last[0], 0.7 * first);
  EXPECT_NEAR(last[1], last[0], 0.03 * first);
}

TEST_P(PrecisionOn, TheCacheChangesNothing) {
  const LoadedModel model = SmallGpt();
  GenerateOptions options;
  options.max_tokens = 16;
  options.sampling.greedy = true;
  std::vector<int32_t> ids[2];
  for (const bool cache : {false, true}) {
    ASSERT_OK_AND_ASSIGN(
        const auto generator,
        Generator::Create(model, model.parameters, With(DType::kBF16, GetParam()), 1, cache));
    ASSERT_OK_AND_ASSIGN(const auto samples, generator->Generate({{5, 6, 7}}, options));
    ids[cache] = samples[0].ids;
  }
  EXPECT_EQ(ids[0].size(), 16u);
  EXPECT_EQ(ids[0], ids[1]);
}

std::vector<const char*> Backends() {
  std::vector<const char*> backends = {"reference", "cpu", "check:reference,cpu"};
  if (Device::Open("vulkan").ok()) backends.push_back("vulkan");
  return backends;
}
INSTANTIATE_TEST_SUITE_P(
    Backends, PrecisionOn, testing::ValuesIn(Backends()), [](const auto& info) {
      return "N" + std::to_string(info.index) + "_" +
             std::string(info.param).substr(0, std::string(info.param).find(':'));
    });

}  // namespace
}  // namespace trama
