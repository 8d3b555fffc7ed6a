// Programs made at random compute the same after every pass. TRAMA_RANDOM_PROGRAMS=N makes N of
// them, TRAMA_RANDOM_SEED=S starts at another seed (for the one that a failure names).
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "passes/passes.h"
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
  std::unique_ptr<mlir::Pass> (*create)();
};

int64_t CountOf(mlir::ModuleOp module, llvm::StringRef op_name) {
  int64_t count = 0;
  module.walk([&](mlir::Operation* op) { count += op->getName().stripDialect() == op_name; });
  return count;
}

std::unique_ptr<mlir::Pass> FuseSmallHead() {
  FuseHeadOptions options;
  options.vocabulary = 2;
  return createFuseHead(options);
}
std::unique_ptr<mlir::Pass> DecomposeAll() { return createDecompose(); }

// In the order of the pipeline, so that each sees what the ones before it made.
const NamedPass kPasses[] = {
    {"raise-softmax", "softmax", [] { return createRaiseSoftmax(); }},
    {"raise-layer-norm", "layer_norm", [] { return createRaiseLayerNorm(); }},
    {"raise-gelu", "gelu", [] { return createRaiseGelu(); }},
    {"raise-cross-entropy", "cross_entropy", [] { return createRaiseCrossEntropy(); }},
    {"fuse-attention", "attention", [] { return createFuseAttention(); }},
    {"fuse-linear", "linear", [] { return createFuseLinear(); }},
    {"fuse-head", "linear_cross_entropy", FuseSmallHead},
    {"simplify", "", [] { return createSimplify(); }},
    {"decompose", "", DecomposeAll},
    {"simplify", "", [] { return createSimplify(); }},
};

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
    pm.addPass(pass.create());
    if (failed(pm.run(target))) return absl::StrCat(pass.name, " failed\n", text);
    if (before == mlir::OperationFingerPrint(target)) return "";
    if (made && CountOf(target, pass.makes) > count) ++(*made)[pass.makes];
    auto got = ValuesOf(target.lookupSymbol<mlir::func::FuncOp>("main"), inputs);
    const std::string difference =
        got.ok() ? FirstDifference(*got, *want, tolerance) : got.status().ToString();
    if (difference.empty()) return "";
    return absl::StrCat(pass.name, ": ", difference, "\n", text, "becomes\n", Print(target));
  };
  // One pass alone, on what the user wrote, and all of them in order.
  const NamedPass& alone = kPasses[seed % std::size(kPasses)];
  mlir::OwningOpRef<mlir::ModuleOp> copy = module->clone();
  if (std::string error = run(*copy, alone); !error.empty()) return error;
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

}  // namespace
}  // namespace trama
