// Programs made at random compute the same after every pass. TRAMA_RANDOM_PROGRAMS=N makes N of
// them, TRAMA_RANDOM_SEED=S starts at another seed (for the one that a failure names).
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "backends/reference/interpreter.h"
#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/passes.h"
#include "passes/pipelines.h"
#include "tests/program_on_device.h"
#include "tests/program_values.h"
#include "tests/random_program.h"

namespace trama {
namespace {

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  int64_t value;
  return text && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

std::string Print(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream(text) << module;
  return text;
}

struct NamedPass {
  const char* name;
  const char* makes;  // the op it is there for; "" for none
  void (*add)(mlir::OpPassManager& pm);
};

int64_t CountOf(mlir::ModuleOp module, llvm::StringRef op_name) {
  int64_t count = 0;
  module.walk([&](mlir::Operation* op) { count += op->getName().stripDialect() == op_name; });
  return count;
}

// In the order of the pipeline, so that each sees what the ones before it made.
const NamedPass kPasses[] = {
    {"raise-softmax", "softmax", [](auto& pm) { pm.addPass(createRaiseSoftmax()); }},
    {"raise-layer-norm", "layer_norm", [](auto& pm) { pm.addPass(createRaiseLayerNorm()); }},
    {"raise-gelu", "gelu", [](auto& pm) { pm.addPass(createRaiseGelu()); }},
    {"raise-cross-entropy", "cross_entropy",
     [](auto& pm) { pm.addPass(createRaiseCrossEntropy()); }},
    {"fuse-attention", "attention", [](auto& pm) { pm.addPass(createFuseAttention()); }},
    {"fuse-linear", "linear", [](auto& pm) { pm.addPass(createFuseLinear()); }},
    {"fuse-head", "linear_cross_entropy",
     [](auto& pm) { pm.addPass(createFuseHead(FuseHeadOptions{.vocabulary = 2})); }},
    {"simplify", "", [](auto& pm) { pm.addPass(createSimplify()); }},
    {"decompose", "", [](auto& pm) { pm.addPass(createDecompose()); }},
    {"simplify", "", [](auto& pm) { pm.addPass(createSimplify()); }},
};

// What a device without own kernels, with some and without code generation gets.
const NamedPass kPipelines[] = {
    {"model and kernels", "",
     [](auto& pm) {
       BuildModelPipeline(pm);
       BuildKernelPipeline(pm, DeviceTarget());
     }},
    {"model and anchored kernels", "",
     [](auto& pm) {
       DeviceTarget target;
       target.anchors = {"matmul", "linear", "attention", "softmax", "layer_norm"};
       BuildModelPipeline(pm);
       BuildKernelPipeline(pm, target);
     }},
    {"one kernel an op", "",
     [](auto& pm) {
       DeviceTarget target;
       target.compiles_bodies = false;
       BuildKernelPipeline(pm, target);
     }},
};

// How much there is to run. A whole power becomes products, which are cheaper.
int64_t Weight(mlir::ModuleOp module) {
  int64_t weight = 0;
  module.walk([&](mlir::Operation* op) {
    weight += mlir::isa<ConstantOp>(op) ? 0 : mlir::isa<PowOp>(op) ? 2 : 1;
  });
  return weight;
}

// Empty, or what is wrong with --trama-simplify on the program beside its values: it must give the
// same program every time and one that is no larger.
std::string CheckSimplify(mlir::MLIRContext& context, mlir::ModuleOp module) {
  std::string texts[2];
  for (std::string& text : texts) {
    mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
    mlir::PassManager pm(&context);
    pm.addPass(createSimplify());
    if (failed(pm.run(*copy))) return "simplify failed";
    if (Weight(*copy) > Weight(module))
      return absl::StrCat("simplify makes the program larger\n", Print(module), "becomes\n",
                          Print(*copy));
    text = Print(*copy);
  }
  return texts[0] == texts[1] ? "" : absl::StrCat("simplify differs\n", texts[0], texts[1]);
}

// Empty, or what went wrong with the program of `seed` and in which pass.
std::string Check(mlir::MLIRContext& context, uint64_t seed, const RandomProgramOptions& options,
                  std::map<std::string, int>* made = nullptr) {
  auto module = RandomProgram(context, seed, options);
  if (failed(mlir::verify(*module))) return "does not verify";
  auto main = [&] { return module->lookupSymbol<mlir::func::FuncOp>("main"); };
  const std::vector<HostTensor> inputs = RandomInputs(main(), seed);
  auto want = ValuesOf(main(), inputs);
  if (!want.ok()) return want.status().ToString();
  // Composites of float32 have rounded constants, each raise and decomposition may move by that.
  const double tolerance = options.float32 ? 1e-6 : 1e-9;
  auto run = [&](mlir::ModuleOp target, const NamedPass& pass) -> std::string {
    mlir::OperationFingerPrint before(target);
    const int64_t count = CountOf(target, pass.makes);
    const std::string text = Print(target);
    mlir::PassManager pm(&context);
    pass.add(pm);
    if (failed(pm.run(target))) return absl::StrCat(pass.name, " failed\n", text);
    if (before == mlir::OperationFingerPrint(target)) return "";
    if (made && CountOf(target, pass.makes) > count) ++(*made)[pass.makes];
    auto got = ValuesOf(target.lookupSymbol<mlir::func::FuncOp>("main"), inputs);
    const std::string difference =
        got.ok() ? FirstDifference(*got, *want, tolerance) : got.status().ToString();
    if (difference.empty()) return "";
    return absl::StrCat(pass.name, ": ", difference, "\n", text, "becomes\n", Print(target));
  };
  // One pass and one pipeline alone, on what the user wrote, and all passes in order.
  for (const NamedPass& alone :
       {kPasses[seed % std::size(kPasses)], kPipelines[seed % std::size(kPipelines)]}) {
    mlir::OwningOpRef<mlir::ModuleOp> copy = module->clone();
    if (std::string error = run(*copy, alone); !error.empty()) return error;
  }
  if (std::string error = CheckSimplify(context, *module); !error.empty()) return error;
  for (const NamedPass& pass : kPasses)
    if (std::string error = run(*module, pass); !error.empty()) return error;
  return "";
}

// The failure of the shortest program of this seed that still fails.
std::string Reduce(mlir::MLIRContext& context, uint64_t seed, RandomProgramOptions options,
                   std::string error) {
  const int steps = options.steps;
  for (options.steps = 1; options.steps < steps; ++options.steps) {
    const std::string shorter = Check(context, seed, options);
    if (!shorter.empty()) return shorter;
  }
  return error;
}

TEST(RandomProgramsTest, PassesLeaveTheResultUnchanged) {
  const int64_t count = FromEnvironment("TRAMA_RANDOM_PROGRAMS", 2000);
  const int64_t first = FromEnvironment("TRAMA_RANDOM_SEED", 1);
  std::map<std::string, int> made;  // programs in which a pass found its op
  int failures = 0;
  for (int64_t seed = first; seed < first + count && failures < 5; ++seed) {
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    LoadDialects(context);
    const RandomProgramOptions options = {.float32 = seed % 4 == 0,
                                          .steps = 2 + static_cast<int>(seed % 13)};
    std::string error = Check(context, seed, options, &made);
    if (error.empty()) continue;
    ++failures;
    ADD_FAILURE() << "TRAMA_RANDOM_SEED=" << seed << "\n"
                  << Reduce(context, seed, options, std::move(error));
  }
  // The programs are such that every pass finds something to do.
  for (const NamedPass& pass : kPasses) {
    if (pass.makes[0] == '\0') continue;
    std::cout << pass.name << " made trama." << pass.makes << " in " << made[pass.makes] << " of "
              << count << " programs\n";
    if (count >= 1000) EXPECT_GT(made[pass.makes], count / 50) << pass.name;
  }
}

// Empty, or how the device's results differ.
std::string CheckOnDevice(Device& device, uint64_t seed, mlir::ModuleOp module) {
  auto main = module.lookupSymbol<mlir::func::FuncOp>("main");
  std::vector<HostTensor> inputs = RandomInputs(main, seed);
  for (HostTensor& input : inputs)
    if (input.dtype == DType::kF64) input = input.Cast(DType::kF32);
  auto want = ValuesOf(main, inputs);
  auto rounded = reference::Evaluate(main, inputs);
  if (!want.ok() || !rounded.ok()) return "the reference fails";
  // What rounding every op to float32 does to the result says how much of it is noise.
  for (HostTensor& result : *rounded)
    if (IsFloat(result.dtype)) result = result.Cast(DType::kF64);
  double tolerance = 1e-5;
  while (tolerance < 1 && !FirstDifference(*rounded, *want, tolerance / 4).empty()) tolerance *= 2;
  const std::string text = Print(module);
  auto got = RunOnDevice(device, module, inputs);
  if (!got.ok()) return absl::StrCat(got.status().ToString(), "\n", text);
  for (HostTensor& result : *got)
    if (IsFloat(result.dtype)) result = result.Cast(DType::kF64);
  const std::string difference = FirstDifference(*got, *want, tolerance);
  return difference.empty() ? "" : absl::StrCat(difference, "\n", text, "becomes\n", Print(module));
}

std::string CheckOnDevice(Device& device, uint64_t seed, const RandomProgramOptions& options) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  LoadDialects(context);
  return CheckOnDevice(device, seed, *RandomProgram(context, seed, options));
}

// The first failures of `count` programs from `first` on.
void ExpectAgreement(const std::string& backend, int64_t first, int64_t count) {
  ASSERT_OK_AND_ASSIGN(Device device, Device::Open(backend));
  // TRAMA_PROGRAM=FILE: a program that a failure has printed instead, to make smaller by hand.
  if (const char* file = std::getenv("TRAMA_PROGRAM")) {
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    LoadDialects(context);
    auto module = mlir::parseSourceFile<mlir::ModuleOp>(file, &context);
    ASSERT_TRUE(module) << file;
    EXPECT_EQ(CheckOnDevice(device, FromEnvironment("TRAMA_RANDOM_SEED", 1), *module), "");
    return;
  }
  int failures = 0;
  for (int64_t seed = first; seed < first + count && failures < 5; ++seed) {
    RandomProgramOptions options = {.float32 = true, .steps = 2 + static_cast<int>(seed % 13)};
    std::string error = CheckOnDevice(device, seed, options);
    if (error.empty()) continue;
    ++failures;
    const int steps = options.steps;
    for (options.steps = 1; options.steps < steps; ++options.steps) {
      const std::string shorter = CheckOnDevice(device, seed, options);
      if (shorter.empty()) continue;
      error = shorter;
      break;
    }
    ADD_FAILURE() << "TRAMA_RANDOM_SEED=" << seed << "\n" << error;
  }
}

// Some of the programs each, so that several cores share them.
constexpr int kShards = 4;
class RandomProgramsOnCpuTest : public ::testing::TestWithParam<int> {};

TEST_P(RandomProgramsOnCpuTest, AgreeWithReference) {
  const int64_t count = FromEnvironment("TRAMA_RANDOM_PROGRAMS", 2000) / kShards;
  ExpectAgreement("cpu", FromEnvironment("TRAMA_RANDOM_SEED", 1) + GetParam() * count, count);
}
INSTANTIATE_TEST_SUITE_P(Shards, RandomProgramsOnCpuTest, ::testing::Range(0, kShards));

// Fewer: a driver takes tens of milliseconds for each kernel.
TEST(RandomProgramsOnVulkanTest, AgreeWithReference) {
  ExpectAgreement("vulkan", FromEnvironment("TRAMA_RANDOM_SEED", 1),
                  FromEnvironment("TRAMA_RANDOM_PROGRAMS", 2000) / 20);
}

}  // namespace
}  // namespace trama
