// Outlining leaves a program's meaning alone: every program here is evaluated before and after, as
// small and as large, for devices that compile bodies and for those that do not.
#include <random>

#include "backends/reference/interpreter.h"
#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "passes/passes.h"
#include "passes/pipelines.h"

namespace trama {
namespace {

constexpr char kAdamW[] =
    "trama.differentiate = 0 : i64, trama.optimizer = {kind = \"adamw\", beta1 = 0.9, beta2 = "
    "0.99, "
    "eps = 1.0e-8, weight_decay = 0.1, clip_norm = 1.0, momentum = 0.9}";

// A transformer's block and a loss on top.
std::string Block() {
  return std::string(R"(
func.func @f(
    %x: tensor<2x8x16xf32> {trama.name = "x", trama.role = "input"},
    %labels: tensor<16xi32> {trama.name = "labels", trama.role = "input"},
    %rng: tensor<4xi32> {trama.name = "rng", trama.role = "scalar"},
    %g: tensor<16xf32> {trama.name = "ln.weight", trama.role = "parameter"},
    %b: tensor<16xf32> {trama.name = "ln.bias", trama.role = "parameter"},
    %wqkv: tensor<16x48xf32> {trama.name = "c_attn.weight", trama.role = "parameter"},
    %bqkv: tensor<48xf32> {trama.name = "c_attn.bias", trama.role = "parameter"},
    %wp: tensor<16x16xf32> {trama.name = "c_proj.weight", trama.role = "parameter"},
    %bp: tensor<16xf32> {trama.name = "c_proj.bias", trama.role = "parameter"},
    %w1: tensor<16x12xf32> {trama.name = "fc.weight", trama.role = "parameter"},
    %b1: tensor<12xf32> {trama.name = "fc.bias", trama.role = "parameter"},
    %w2: tensor<12x16xf32> {trama.name = "fc2.weight", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"}) attributes {)") +
         kAdamW + R"(} {
  %n = trama.layer_norm %x, %g, %b eps = 1.0e-5
    : tensor<2x8x16xf32>, tensor<16xf32>, tensor<16xf32>
  %qkv = trama.linear %n, %wqkv, %bqkv : tensor<2x8x16xf32>, tensor<16x48xf32>, tensor<48xf32>
  %q0 = trama.slice %qkv starts = [0, 0, 0] strides = [1, 1, 1]
    : tensor<2x8x48xf32> -> tensor<2x8x16xf32>
  %k0 = trama.slice %qkv starts = [0, 0, 16] strides = [1, 1, 1]
    : tensor<2x8x48xf32> -> tensor<2x8x16xf32>
  %v0 = trama.slice %qkv starts = [0, 0, 32] strides = [1, 1, 1]
    : tensor<2x8x48xf32> -> tensor<2x8x16xf32>
  %q1 = trama.reshape %q0 : tensor<2x8x16xf32> -> tensor<2x8x2x8xf32>
  %k1 = trama.reshape %k0 : tensor<2x8x16xf32> -> tensor<2x8x2x8xf32>
  %v1 = trama.reshape %v0 : tensor<2x8x16xf32> -> tensor<2x8x2x8xf32>
  %q = trama.transpose %q1 permutation = [0, 2, 1, 3] : tensor<2x8x2x8xf32>
  %k = trama.transpose %k1 permutation = [0, 2, 1, 3] : tensor<2x8x2x8xf32>
  %v = trama.transpose %v1 permutation = [0, 2, 1, 3] : tensor<2x8x2x8xf32>
  %y, %lse = trama.attention %q, %k, %v scale = 0.35 causal
    : tensor<2x2x8x8xf32>, tensor<2x2x8x8xf32>, tensor<2x2x8x8xf32>
  %y1 = trama.transpose %y permutation = [0, 2, 1, 3] : tensor<2x2x8x8xf32>
  %y2 = trama.reshape %y1 : tensor<2x8x2x8xf32> -> tensor<2x8x16xf32>
  %p = trama.linear %y2, %wp, %bp : tensor<2x8x16xf32>, tensor<16x16xf32>, tensor<16xf32>
  %d = trama.dropout %p, %rng p = 0.25 op_id = 3 : tensor<2x8x16xf32>, tensor<4xi32>
  %r = trama.add %x, %d : tensor<2x8x16xf32>, tensor<2x8x16xf32>
  %h = trama.linear %r, %w1, %b1 {activation = #trama<activation gelu_tanh>}
    : tensor<2x8x16xf32>, tensor<16x12xf32>, tensor<12xf32>
  %o = trama.linear %h, %w2 : tensor<2x8x12xf32>, tensor<12x16xf32>
  %r2 = trama.add %r, %o : tensor<2x8x16xf32>, tensor<2x8x16xf32>
  %z = trama.reshape %r2 : tensor<2x8x16xf32> -> tensor<16x16xf32>
  %l, %e = trama.cross_entropy %z, %labels : tensor<16x16xf32>, tensor<16xi32>
  %one = trama.constant dense<1.0> : tensor<16xf32>
  %loss = trama.weighted_mean %l, %one : tensor<16xf32>, tensor<16xf32>
  return %loss : tensor<f32>
})";
}

std::string LogisticRegression() {
  return std::string(R"(
func.func @f(
    %x: tensor<30x4xf32> {trama.name = "x", trama.role = "input"},
    %labels: tensor<30xi32> {trama.name = "labels", trama.role = "input"},
    %w: tensor<3x4xf32> {trama.name = "weight", trama.role = "parameter"},
    %b: tensor<3xf32> {trama.name = "bias", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"}) attributes {)") +
         kAdamW + R"(} {
  %z = trama.linear %x, %w transposed, %b : tensor<30x4xf32>, tensor<3x4xf32>, tensor<3xf32>
  %l, %e = trama.cross_entropy %z, %labels : tensor<30x3xf32>, tensor<30xi32>
  %one = trama.constant dense<1.0> : tensor<30xf32>
  %loss = trama.weighted_mean %l, %one : tensor<30xf32>, tensor<30xf32>
  return %loss : tensor<f32>
})";
}

std::string Mlp() {
  return std::string(R"(
func.func @f(
    %x: tensor<30x4xf32> {trama.name = "x", trama.role = "input"},
    %labels: tensor<30xf32> {trama.name = "labels", trama.role = "input"},
    %w1: tensor<16x4xf32> {trama.name = "fc1.weight", trama.role = "parameter"},
    %b1: tensor<16xf32> {trama.name = "fc1.bias", trama.role = "parameter"},
    %w2: tensor<1x16xf32> {trama.name = "fc2.weight", trama.role = "parameter"},
    %b2: tensor<1xf32> {trama.name = "fc2.bias", trama.role = "parameter"})
    -> (tensor<f32> {trama.name = "loss"}) attributes {)") +
         kAdamW + R"(} {
  %h = trama.linear %x, %w1 transposed, %b1 {activation = #trama<activation relu>}
    : tensor<30x4xf32>, tensor<16x4xf32>, tensor<16xf32>
  %y = trama.linear %h, %w2 transposed, %b2 : tensor<30x16xf32>, tensor<1x16xf32>, tensor<1xf32>
  %f = trama.reshape %y : tensor<30x1xf32> -> tensor<30xf32>
  %d = trama.sub %f, %labels : tensor<30xf32>, tensor<30xf32>
  %s = trama.mul %d, %d : tensor<30xf32>, tensor<30xf32>
  %one = trama.constant dense<1.0> : tensor<30xf32>
  %loss = trama.weighted_mean %s, %one : tensor<30xf32>, tensor<30xf32>
  return %loss : tensor<f32>
})";
}

// Views, indices, literals and results that are none of a kernel's.
constexpr char kMoves[] = R"(
func.func @f(
    %x: tensor<6x4xf32> {trama.name = "x", trama.role = "input"},
    %ids: tensor<5xi32> {trama.name = "ids", trama.role = "input"},
    %t: tensor<3x4xf32> {trama.name = "t", trama.role = "parameter"})
    -> (tensor<4x6xf32> {trama.name = "a"}, tensor<24xf32> {trama.name = "b"},
        tensor<6x4xf32> {trama.name = "c"}, tensor<10x4xf32> {trama.name = "d"},
        tensor<5xi32> {trama.name = "e"}, tensor<2xf32> {trama.name = "f"},
        tensor<4x6xf32> {trama.name = "g"}, tensor<5x5xf32> {trama.name = "h"}) {
  %a = trama.transpose %x permutation = [1, 0] : tensor<6x4xf32>
  %b = trama.reshape %a : tensor<4x6xf32> -> tensor<24xf32>
  %rows = trama.embedding %t, %ids : tensor<3x4xf32>, tensor<5xi32>
  %exp = trama.exp %rows : tensor<5x4xf32>
  %d = trama.concat %exp, %rows dim = 0 : tensor<5x4xf32>, tensor<5x4xf32>
  %e = trama.iota dim = 0 : tensor<5xi32>
  %f = trama.constant dense<[1.5, -2.0]> : tensor<2xf32>
  %cut = trama.slice %x starts = [1, 0] strides = [1, 1] : tensor<6x4xf32> -> tensor<5x4xf32>
  %tanh = trama.tanh %cut : tensor<5x4xf32>
  %h = trama.matmul %tanh, %exp transposed : tensor<5x4xf32>, tensor<5x4xf32>
  return %a, %b, %x, %d, %e, %f, %a, %h : tensor<4x6xf32>, tensor<24xf32>, tensor<6x4xf32>,
    tensor<10x4xf32>, tensor<5xi32>, tensor<2xf32>, tensor<4x6xf32>, tensor<5x5xf32>
})";

class OutlineTest : public ::testing::Test {
 protected:
  OutlineTest() { LoadDialects(context_); }

  // In float64, so that constants are not rounded differently where ops are decomposed earlier.
  mlir::OwningOpRef<mlir::ModuleOp> Derive(std::string text) {
    for (size_t at; (at = text.find("f32")) != std::string::npos;) text.replace(at, 3, "f64");
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context_);
    mlir::PassManager pm(&context_);
    pm.addPass(createAutodiff());
    pm.addPass(createTrainStep());
    pm.addPass(mlir::createCanonicalizerPass());
    pm.addPass(mlir::createCSEPass());
    EXPECT_TRUE(module && succeeded(pm.run(*module)));
    return module;
  }
  static mlir::func::FuncOp Main(mlir::ModuleOp module) {
    return module.lookupSymbol<mlir::func::FuncOp>("f");
  }
  std::vector<HostTensor> Evaluate(mlir::ModuleOp module, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<HostTensor> inputs;
    for (mlir::Type type : Main(module).getArgumentTypes()) {
      auto tensor = mlir::cast<mlir::RankedTensorType>(type);
      const bool integer = tensor.getElementType().isInteger(32);
      HostTensor& input =
          inputs.emplace_back(integer ? DType::kI32 : DType::kF64,
                              Shape(tensor.getShape().begin(), tensor.getShape().end()));
      for (int64_t i = 0; i < input.num_elements(); ++i)
        input.set(i, integer ? random() % 3 : 0.1 + random() / 4294967296.0);
    }
    auto results =
        reference::Evaluate(Main(module), inputs, {.float64 = true, .prefer_decomposition = true});
    EXPECT_OK(results);
    return results.ok() ? *results : std::vector<HostTensor>();
  }
  // The outlined module.
  mlir::OwningOpRef<mlir::ModuleOp> Check(const std::string& text, OutlineKernelsOptions options) {
    auto module = Derive(text);
    const std::vector<HostTensor> want = Evaluate(*module, 5);
    mlir::PassManager pm(&context_);
    pm.addPass(createOutlineKernels(options));
    EXPECT_TRUE(succeeded(pm.run(*module)));
    const std::vector<HostTensor> got = Evaluate(*module, 5);
    EXPECT_EQ(got.size(), want.size());
    for (size_t r = 0; r < std::min(got.size(), want.size()); ++r)
      for (int64_t i = 0; i < want[r].num_elements(); ++i) {
        EXPECT_NEAR(got[r].at(i), want[r].at(i), 1e-12) << "result " << r << "[" << i << "]";
        if (HasFailure()) return module;
      }
    CompileOptions compile;
    auto plan = EmitPlan(*module, compile);
    EXPECT_OK(plan);
    if (plan.ok()) EXPECT_OK(ValidatePlan(*plan, compile.device));
    return module;
  }
  static int Dispatches(mlir::ModuleOp module) {
    auto dispatches = Main(module).front().getOps<DispatchOp>();
    return static_cast<int>(std::distance(dispatches.begin(), dispatches.end()));
  }

  mlir::MLIRContext context_;
};

TEST_F(OutlineTest, KeepsTheMeaning) {
  for (const std::string& text : {Block(), LogisticRegression(), Mlp(), std::string(kMoves)}) {
    OutlineKernelsOptions options;
    Check(text, options);
    options.small_program = 0;
    Check(text, options);
    options.compiles_bodies = false;
    Check(text, options);
  }
}

TEST_F(OutlineTest, SmallModelsTakeFewDispatches) {
  EXPECT_LE(Dispatches(*Check(LogisticRegression(), {})), 6);
  EXPECT_LE(Dispatches(*Check(Mlp(), {})), 10);
}

TEST_F(OutlineTest, NoKernelHasTwoAnchors) {
  OutlineKernelsOptions options;
  options.small_program = 0;
  auto module = Check(Block(), options);
  module->walk([](mlir::func::FuncOp kernel) {
    int anchors = 0;
    if (kernel.isPrivate())
      kernel.walk([&](mlir::Operation* op) {
        anchors += mlir::isa<MatmulOp, LinearOp, AttentionOp, AttentionGradOp, AdamOp>(op);
      });
    EXPECT_LE(anchors, 1) << kernel.getName().str();
  });
}

}  // namespace
}  // namespace trama
