// examples/my_backend: a plugin that sees nothing but backends/api, beside all the others.
#include "base/status_matchers.h"
#include "frontend/model.h"
#include "frontend/program.h"
#include "runtime/registry.h"
#include "runtime/session.h"
#include "tests/paths.h"

namespace trama {
namespace {

const std::string kPlugins = TRAMA_BINARY_DIR "/tests/plugins";

HostTensor Features(int64_t rows, int64_t columns) {
  HostTensor x(DType::kF32, {rows, columns});
  for (int64_t i = 0; i < x.num_elements(); ++i) x.set(i, std::sin(1.3 * static_cast<double>(i)));
  return x;
}

// The losses of `steps` updates of logistic regression, then the weights.
absl::StatusOr<std::vector<double>> Train(const std::string& backend, OptimizerKind optimizer,
                                          int steps) {
  TRAMA_ASSIGN_OR_RETURN(const ModelEntry* entry, FindModel("logistic-regression"));
  Config config;
  config.Set("features", int64_t{3});
  TRAMA_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, entry->make(config));
  Program program;
  program.name = "train_step";
  program.kind = ProgramKind::kTrainStep;
  program.inputs = model->Inputs(/*batch=*/10, /*length=*/0);
  program.optimizer.kind = optimizer;
  program.optimizer.clip_norm = 1;
  SessionOptions options;
  options.backend = backend;
  options.device.plugin_path = kPlugins;
  TRAMA_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                         Session::Create(*model, {program}, options));
  const HostTensor x = Features(10, 3);
  TensorMap inputs;
  for (const TensorSpec& spec : program.inputs) {
    HostTensor value(spec.dtype, spec.shape);
    for (int64_t i = 0; i < value.num_elements(); ++i)
      value.set(i, spec.name == "labels" ? x.at(3 * i) + x.at(3 * i + 1) > 0 : x.at(i));
    inputs[spec.name] = std::move(value);
  }
  std::vector<double> numbers;
  for (int step = 1; step <= steps; ++step) {
    TRAMA_ASSIGN_OR_RETURN(const TensorMap outputs, session->Call("train_step", inputs,
                                                                  {.lr = 0.5,
                                                                   .step = step,
                                                                   .seed = 0,
                                                                   .first_example = 0,
                                                                   .beta1 = 0.9,
                                                                   .beta2 = 0.999}));
    numbers.push_back(outputs.at("loss").at(0));
  }
  TRAMA_ASSIGN_OR_RETURN(const TensorMap parameters, session->ReadParameters());
  for (const auto& [name, value] : parameters)
    for (int64_t i = 0; i < value.num_elements(); ++i) numbers.push_back(value.at(i));
  return numbers;
}

TEST(MyBackendTest, TrainsLogisticRegressionAsTheReferenceDoes) {
  for (OptimizerKind optimizer : {OptimizerKind::kSgd, OptimizerKind::kAdamW}) {
    ASSERT_OK_AND_ASSIGN(const auto want, Train("reference", optimizer, 20));
    ASSERT_OK_AND_ASSIGN(const auto got, Train("my_backend", optimizer, 20));
    EXPECT_THAT(got, testing::Pointwise(testing::DoubleNear(1e-5), want));
    EXPECT_NEAR(got.front(), std::log(2.0), 1e-6);  // from zeros
    EXPECT_LT(got[19], 0.5 * got[0]);
  }
}

TEST(MyBackendTest, AgreesWithTheReferenceKernelByKernel) {
  EXPECT_OK(Train("check:reference,my_backend", OptimizerKind::kMomentum, 3));
}

TEST(MyBackendTest, SaysWhatItHasNot) {
  DeviceOptions options;
  options.plugin_path = kPlugins;
  ASSERT_OK_AND_ASSIGN(Device device, Device::Open("my_backend", options));
  EXPECT_FALSE(device.target().compiles_bodies);
  plan::Plan plan;
  plan.add_kernels()->set_op("softmax");
  EXPECT_THAT(device.Load(plan),
              StatusIs(absl::StatusCode::kUnimplemented, "no kernel for softmax"));
}

// Every plugin that the build makes, at once in this process.
TEST(MyBackendTest, AllPluginsLoadTogether) {
  const std::set<std::string> broken = {"null_api",    "other_major", "no_functions",
                                        "short_table", "no_symbol",   "text"};
  DeviceOptions options;
  options.plugin_path = kPlugins;
  std::vector<Device> devices;
  std::vector<Buffer> buffers;
  for (const Registry::Found& found : Registry(kPlugins).List()) {
    if (broken.contains(found.name)) continue;
    const std::string spec = found.name == "check" ? "check:reference,my_backend" : found.name;
    auto device = Device::Open(spec, options);
    if (found.name == "vulkan" && !device.ok()) continue;  // a machine without such a device
    ASSERT_OK(device.status());
    ASSERT_OK_AND_ASSIGN(Buffer buffer, device->Alloc(64));
    buffers.push_back(std::move(buffer));
    devices.push_back(*std::move(device));
  }
  EXPECT_GE(devices.size(), 13);  // reference, check, mine and ten wrong ones
  for (size_t i = 0; i < buffers.size(); ++i) {
    const int64_t value = static_cast<int64_t>(i);
    ASSERT_OK(buffers[i].Write(8, &value, sizeof(value)));
  }
  for (size_t i = 0; i < buffers.size(); ++i) {
    int64_t value = -1;
    ASSERT_OK(buffers[i].Read(8, &value, sizeof(value)));
    EXPECT_EQ(value, static_cast<int64_t>(i));
  }
}

}  // namespace
}  // namespace trama
