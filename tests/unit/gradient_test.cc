// Gradients against finite differences in float64, and what training steps do with them.
#include <cmath>
#include <random>

#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/passes.h"
#include "tests/unit/program_runner.h"

namespace trama {
namespace {

using reference::Evaluate;

class ModuleTest : public ::testing::Test {
 protected:
  ModuleTest() { LoadDialects(context_); }

  absl::StatusOr<mlir::OwningOpRef<mlir::ModuleOp>> Run(const std::string& text) {
    std::string error;
    mlir::ScopedDiagnosticHandler handler(&context_, [&](mlir::Diagnostic& diagnostic) {
      error += diagnostic.str();
      return mlir::success();
    });
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context_);
    mlir::PassManager pm(&context_);
    pm.addPass(createAutodiff());
    pm.addPass(createTrainStep());
    if (!module || failed(pm.run(*module))) return absl::InvalidArgumentError(error);
    return module;
  }

  // Values in (-1, 1), or `range` integers.
  HostTensor Random(mlir::Type type, int range) {
    auto tensor = mlir::cast<mlir::RankedTensorType>(type);
    const bool integer = tensor.getElementType().isInteger(32);
    HostTensor result(integer                                ? DType::kI32
                      : tensor.getElementType().isInteger(1) ? DType::kBool
                                                             : DType::kF64,
                      Shape(tensor.getShape().begin(), tensor.getShape().end()));
    for (int64_t i = 0; i < result.num_elements(); ++i)
      result.set(i,
                 integer ? static_cast<double>(random_() % range) : random_() / 2147483648.0 - 1);
    return result;
  }
  std::vector<HostTensor> RandomInputs(mlir::func::FuncOp func, int range = 3) {
    std::vector<HostTensor> inputs;
    for (mlir::Type type : func.getArgumentTypes()) inputs.push_back(Random(type, range));
    return inputs;
  }

  static mlir::func::FuncOp Find(mlir::ModuleOp module, const char* name) {
    return module.lookupSymbol<mlir::func::FuncOp>(name);
  }
  absl::StatusOr<TensorMap> Step(mlir::func::FuncOp func, TensorMap values) {
    return RunByName(func, std::move(values), options_);
  }

  mlir::MLIRContext context_;
  std::mt19937 random_{7};
  reference::EvaluateOptions options_{.float64 = true};
};

class GradientTest : public ModuleTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(GradientTest, EqualsFiniteDifferences) {
  const std::string text = GetParam();
  auto plain = mlir::parseSourceString<mlir::ModuleOp>(text, &context_);
  ASSERT_TRUE(plain);
  mlir::func::FuncOp loss = Find(*plain, "f");
  ASSERT_OK_AND_ASSIGN(auto module, Run(text));
  mlir::func::FuncOp gradients = Find(*module, "f");
  std::vector<HostTensor> inputs = RandomInputs(loss);
  ASSERT_OK_AND_ASSIGN(std::vector<HostTensor> results, Evaluate(gradients, inputs, options_));
  ASSERT_GT(results.size(), 1);
  for (unsigned r = 1; r < results.size(); ++r) {
    const std::string name = gradients.getResultAttrOfType<mlir::StringAttr>(r, kNameAttr).str();
    unsigned p = 0;
    while ("grad." + NameOfArgument(loss, p) != name) ++p;
    for (int64_t i = 0; i < inputs[p].num_elements(); ++i) {
      const double x = inputs[p].at(i), h = 1e-5;
      auto at = [&](double value) {
        inputs[p].set(i, value);
        return (*Evaluate(loss, inputs, options_))[0].at(0);
      };
      const double slope = (at(x + h) - at(x - h)) / (2 * h);
      inputs[p].set(i, x);
      EXPECT_NEAR(results[r].at(i), slope, 1e-7 + 1e-6 * std::abs(slope))
          << name << "[" << i << "]";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Programs, GradientTest,
    ::testing::Values(
        // x is used three times; w twice, once through a broadcast; u not at all.
        R"(func.func @f(
    %x: tensor<4x3xf32> {trama.name = "x", trama.role = "input"},
    %w: tensor<3xf32> {trama.name = "w", trama.role = "parameter"},
    %u: tensor<2xf32> {trama.name = "u", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"})
    attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %a = trama.mul %x, %w : tensor<4x3xf32>, tensor<3xf32>
  %b = trama.tanh %a : tensor<4x3xf32>
  %c = trama.mul %b, %x : tensor<4x3xf32>, tensor<4x3xf32>
  %d = trama.add %c, %x : tensor<4x3xf32>, tensor<4x3xf32>
  %e = trama.mul %d, %d : tensor<4x3xf32>, tensor<4x3xf32>
  %s = trama.sum %e dims = [0, 1] : tensor<4x3xf32>
  %q = trama.sum %w dims = [0] : tensor<3xf32>
  %y = trama.mul %s, %q : tensor<f32>, tensor<f32>
  return %y : tensor<f32>
})",
        // An activated linear has no derivative of its own and is decomposed.
        R"(func.func @f(
    %x: tensor<5x3xf32> {trama.name = "x", trama.role = "input"},
    %labels: tensor<5xi32> {trama.name = "labels", trama.role = "input"},
    %w1: tensor<4x3xf32> {trama.name = "fc1.weight", trama.role = "parameter"},
    %b1: tensor<4xf32> {trama.name = "fc1.bias", trama.role = "parameter"},
    %w2: tensor<4x3xf32> {trama.name = "fc2.weight", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64} {
  %h = trama.linear %x, %w1 transposed, %b1 {activation = #trama<activation gelu>}
    : tensor<5x3xf32>, tensor<4x3xf32>, tensor<4xf32>
  %z = trama.linear %h, %w2 : tensor<5x4xf32>, tensor<4x3xf32>
  %l, %lse = trama.cross_entropy %z, %labels {label_smoothing = 0.1 : f64}
    : tensor<5x3xf32>, tensor<5xi32>
  %w = trama.constant dense<[1.0, 0.0, 2.0, 1.0, 1.0]> : tensor<5xf32>
  %y = trama.weighted_mean %l, %w : tensor<5xf32>, tensor<5xf32>
  return %y : tensor<f32>
})",
        // A bias that is trained: attention is decomposed. Normalisation and gather on the way.
        R"(func.func @f(
    %x: tensor<1x2x3x4xf32> {trama.name = "x", trama.role = "input"},
    %bias: tensor<2x3x3xf32> {trama.name = "bias", trama.role = "parameter"},
    %g: tensor<4xf32> {trama.name = "ln.weight", trama.role = "parameter"},
    %b: tensor<4xf32> {trama.name = "ln.bias", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"})
    attributes {trama.differentiate = 0 : i64, trama.input_gradients} {
  %n = trama.layer_norm %x, %g, %b eps = 1.0e-5
    : tensor<1x2x3x4xf32>, tensor<4xf32>, tensor<4xf32>
  %a, %lse = trama.attention %n, %x, %n bias %bias : tensor<2x3x3xf32> scale = 0.5 causal
    : tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>
  %p = trama.softmax %a dim = 2 : tensor<1x2x3x4xf32>
  %m = trama.mul %p, %a : tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>
  %y = trama.sum %m dims = [0, 1, 2, 3] : tensor<1x2x3x4xf32>
  return %y : tensor<f32>
})",
        // The same with attention's own gradient, and a frozen parameter.
        R"(func.func @f(
    %x: tensor<1x2x3x4xf32> {trama.name = "x", trama.role = "parameter"},
    %k: tensor<1x2x5x4xf32> {trama.name = "k", trama.role = "parameter"},
    %frozen: tensor<4xf32> {trama.name = "frozen", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"})
    attributes {trama.differentiate = 0 : i64, trama.trainable = ["x", "k"]} {
  %a, %lse = trama.attention %x, %k, %k scale = 0.7 causal
    : tensor<1x2x3x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>
  %m = trama.mul %a, %frozen : tensor<1x2x3x4xf32>, tensor<4xf32>
  %s = trama.sigmoid %m : tensor<1x2x3x4xf32>
  %y = trama.sum %s dims = [0, 1, 2, 3] : tensor<1x2x3x4xf32>
  return %y : tensor<f32>
})"));

TEST_F(ModuleTest, AnOpWithoutDerivativeIsNamedWithItsLine) {
  auto result = Run(R"(func.func @f(
    %g: tensor<3x2xf32> {trama.name = "g", trama.role = "parameter"},
    %ids: tensor<3xi32> {trama.name = "ids", trama.role = "input"})
    -> (tensor<f32> {trama.name = "loss"}) attributes {trama.differentiate = 0 : i64} {
  %t = trama.embedding_grad %g, %ids rows = 4 : tensor<3x2xf32>, tensor<3xi32>
  %y = trama.sum %t dims = [0, 1] : tensor<4x2xf32>
  return %y : tensor<f32>
})");
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument,
                               "gradient: embedding_grad has no derivative and no decomposition"));
}

// Four examples with a weight penalty, as one batch and as two halves.
std::string Penalized(const char* name, int n, const std::string& attributes) {
  std::string text = R"(func.func @NAME(
    %x: tensor<Nx3xf32> {trama.name = "x", trama.role = "input"},
    %labels: tensor<Nxi32> {trama.name = "labels", trama.role = "input"},
    %w: tensor<2x3xf32> {trama.name = "fc.weight", trama.role = "parameter"},
    %b: tensor<2xf32> {trama.name = "fc.bias", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"}) attributes {ATTRIBUTES} {
  %z = trama.linear %x, %w transposed, %b : tensor<Nx3xf32>, tensor<2x3xf32>, tensor<2xf32>
  %l, %lse = trama.cross_entropy %z, %labels : tensor<Nx2xf32>, tensor<Nxi32>
  %i = trama.constant dense<-100> : tensor<i32>
  %k = trama.compare ne %labels, %i : tensor<Nxi32>, tensor<i32>
  %c = trama.cast %k : tensor<Nxi1> -> tensor<Nxf32>
  %mean = trama.weighted_mean %l, %c : tensor<Nxf32>, tensor<Nxf32>
  %two = trama.constant dense<2.0> : tensor<f32>
  %scaled = trama.mul %mean, %two : tensor<f32>, tensor<f32>
  %sq = trama.mul %w, %w : tensor<2x3xf32>, tensor<2x3xf32>
  %sum = trama.sum %sq dims = [0, 1] : tensor<2x3xf32>
  %tenth = trama.constant dense<0.1> : tensor<f32>
  %penalty = trama.mul %sum, %tenth : tensor<f32>, tensor<f32>
  %loss = trama.add %scaled, %penalty : tensor<f32>, tensor<f32>
  return %loss : tensor<f32>
})";
  auto replace = [&](const std::string& from, const std::string& to) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
  };
  replace("NAME", name);
  replace("<Nx", "<" + std::to_string(n) + "x");
  replace("ATTRIBUTES", attributes);
  return text;
}

std::string OptimizerText(const std::string& kind, double clip, double decay) {
  return "trama.optimizer = {kind = \"" + kind + "\", beta1 = 0.9, beta2 = 0.999, eps = 1.0e-8, " +
         "momentum = 0.9, weight_decay = " + std::to_string(decay) +
         ", clip_norm = " + std::to_string(clip) + "}";
}

TensorMap Start() {
  TensorMap values;
  auto f64 = [](Shape shape, std::vector<double> v) {
    return HostTensor::Of<double>(DType::kF64, shape, v);
  };
  values["fc.weight"] = f64({2, 3}, {0.3, -0.2, 0.5, 0.1, 0.7, -0.4});
  values["fc.bias"] = f64({2}, {0.05, -0.1});
  values["x"] = f64({4, 3}, {1, 2, -1, 0.5, -0.3, 2, 1.5, 0.2, -0.7, 0.9, -1.1, 0.4});
  values["labels"] = HostTensor::I32({4}, {0, 1, -100, 1});
  values["lr"] = f64({}, {0.1});
  values["correction1"] = f64({}, {1 - 0.9});
  values["correction2"] = f64({}, {1 - 0.999});
  return values;
}

TEST_F(ModuleTest, MicroBatchesEqualTheLargeBatch) {
  for (const char* kind : {"sgd", "momentum", "adam", "adamw"}) {
    const std::string optimizer = OptimizerText(kind, 0.5, 0.01);
    ASSERT_OK_AND_ASSIGN(
        auto module,
        Run(Penalized("step", 4, "trama.differentiate = 0 : i64, " + optimizer) +
            Penalized("accumulate", 2, "trama.differentiate = 0 : i64, trama.accumulate") +
            Penalized("apply", 2, "trama.apply, " + optimizer)));
    ASSERT_OK_AND_ASSIGN(TensorMap whole, Step(Find(*module, "step"), Start()));
    TensorMap parts = Start();
    for (int half : {0, 1}) {
      HostTensor x(DType::kF64, {2, 3}), labels(DType::kI32, {2});
      for (int i = 0; i < 6; ++i) x.set(i, Start()["x"].at(6 * half + i));
      for (int i = 0; i < 2; ++i) labels.set(i, Start()["labels"].at(2 * half + i));
      parts["x"] = x;
      parts["labels"] = labels;
      ASSERT_OK_AND_ASSIGN(parts, Step(Find(*module, "accumulate"), parts));
    }
    mlir::func::FuncOp apply = Find(*module, "apply");
    for (unsigned i = 0; i < apply.getNumArguments(); ++i)
      EXPECT_NE(NameOfArgument(apply, i), "x") << "the data is not the optimizer's";
    EXPECT_EQ(parts["accumulated:weight"].at(0), 3);
    ASSERT_OK_AND_ASSIGN(parts, Step(apply, parts));
    EXPECT_EQ(parts["accumulated:weight"].at(0), 0);
    EXPECT_EQ(parts["accumulated:grad.fc.bias"].at(0), 0);
    for (const char* name : {"loss", "grad_norm", "fc.weight", "fc.bias"})
      for (int64_t i = 0; i < whole[name].num_elements(); ++i)
        EXPECT_NEAR(parts[name].at(i), whole[name].at(i), 1e-14) << kind << " " << name;
    EXPECT_EQ(whole["finite"].at(0), 1);
    EXPECT_NE(whole["fc.weight"].at(0), Start()["fc.weight"].at(0));
  }
}

TEST_F(ModuleTest, AdamWFollowsTorchAndClips) {
  ASSERT_OK_AND_ASSIGN(
      auto module,
      Run(Penalized("step", 4,
                    "trama.differentiate = 0 : i64, " + OptimizerText("adamw", 0.5, 0.25)) +
          Penalized("gradients", 4, "trama.differentiate = 0 : i64")));
  ASSERT_OK_AND_ASSIGN(TensorMap before, Step(Find(*module, "gradients"), Start()));
  ASSERT_OK_AND_ASSIGN(TensorMap after, Step(Find(*module, "step"), Start()));
  double square = 0;
  for (const char* name : {"fc.weight", "fc.bias"})
    for (int64_t i = 0; i < before[name].num_elements(); ++i)
      square += std::pow(before[std::string("grad.") + name].at(i), 2);
  EXPECT_NEAR(after["grad_norm"].at(0), std::sqrt(square), 1e-12);
  ASSERT_GT(std::sqrt(square), 0.5) << "clipping must be tried";
  const double scale = 0.5 / (std::sqrt(square) + 1e-6), lr = 0.1;
  for (const std::string name : {"fc.weight", "fc.bias"}) {
    // Decay is for matrices alone.
    const double decay = name == "fc.weight" ? 0.25 : 0;
    for (int64_t i = 0; i < before[name].num_elements(); ++i) {
      const double g = scale * before["grad." + name].at(i), m = 0.1 * g, v = 0.001 * g * g;
      const double want = before[name].at(i) * (1 - lr * decay) -
                          lr / 0.1 * m / (std::sqrt(v) / std::sqrt(0.001) + 1e-8);
      EXPECT_NEAR(after[name].at(i), want, 1e-12) << name << i;
      EXPECT_NEAR(after["optimizer:m." + name].at(i), m, 1e-14);
      EXPECT_NEAR(after["optimizer:v." + name].at(i), v, 1e-14);
    }
  }
}

TEST_F(ModuleTest, ALossThatIsNotFiniteChangesNothing) {
  ASSERT_OK_AND_ASSIGN(
      auto module,
      Run(Penalized("step", 4, "trama.differentiate = 0 : i64, " + OptimizerText("sgd", 0, 0.25))));
  for (double bad : {std::nan(""), double{INFINITY}}) {
    TensorMap start = Start();
    start["x"].set(0, bad);
    ASSERT_OK_AND_ASSIGN(TensorMap after, Step(Find(*module, "step"), start));
    EXPECT_EQ(after["finite"].at(0), 0);
    EXPECT_EQ(after["fc.weight"].at(0), Start()["fc.weight"].at(0));
  }
}

TEST_F(ModuleTest, FrozenParametersGetNoState) {
  ASSERT_OK_AND_ASSIGN(
      auto module,
      Run(Penalized("step", 4,
                    "trama.differentiate = 0 : i64, trama.trainable = [\"fc.bias\"], " +
                        OptimizerText("adam", 0, 0))));
  mlir::func::FuncOp step = Find(*module, "step");
  for (unsigned i = 0; i < step.getNumArguments(); ++i)
    EXPECT_EQ(NameOfArgument(step, i).find("fc.weight") != std::string::npos,
              NameOfArgument(step, i) == "fc.weight");
  // The gradient of the bias needs neither x nor the penalty.
  step.walk([](MatmulOp matmul) { ADD_FAILURE() << "a product for a frozen weight"; });
}

TEST_F(ModuleTest, ALossThatDoesNotAddUpIsRefused) {
  auto result = Run(R"(func.func @f(
    %x: tensor<4xf32> {trama.name = "x", trama.role = "input"},
    %w: tensor<4xf32> {trama.name = "w", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"})
    attributes {trama.differentiate = 0 : i64, trama.accumulate} {
  %y = trama.mul %x, %w : tensor<4xf32>, tensor<4xf32>
  %s = trama.reduce_max %y dims = [0] : tensor<4xf32>
  return %s : tensor<f32>
})");
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument,
                               "a term of the loss, reduce_max, is neither a mean"));
}

}  // namespace
}  // namespace trama
