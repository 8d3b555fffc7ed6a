// Every function of tests/passes/*.mlir computes the same before and after the file's pass: what
// the lit tests check the structure of is executed here.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "passes/passes.h"
#include "tests/paths.h"
#include "tests/program_values.h"

namespace trama {
namespace {

// The passes that leave a program's values alone, by their file.
const char* const kFiles[] = {"raise_softmax",       "raise_layer_norm", "raise_gelu",
                              "raise_cross_entropy", "fuse_attention",   "fuse_linear",
                              "fuse_head",           "simplify",         "decompose"};

void RegisterAll() {
  static const bool once = [] {
    registerRaiseSoftmax();
    registerRaiseLayerNorm();
    registerRaiseGelu();
    registerRaiseCrossEntropy();
    registerFuseAttention();
    registerFuseLinear();
    registerFuseHead();
    registerSimplify();
    registerDecompose();
    return true;
  }();
  (void)once;
}

class PassValuesTest : public testing::TestWithParam<const char*> {};

TEST_P(PassValuesTest, ComputesTheSame) {
  RegisterAll();
  mlir::MLIRContext context;
  LoadDialects(context);
  const std::string path = absl::StrCat(TRAMA_SOURCE_DIR, "/tests/passes/", GetParam(), ".mlir");
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  // The options are those of the file's first RUN line.
  std::string flag = text.str();
  flag = flag.substr(flag.find("--trama-") + 2);
  flag = flag.substr(0, flag.find_first_of(" |"));
  auto before = mlir::parseSourceFile<mlir::ModuleOp>(path, &context);
  ASSERT_TRUE(before) << path;
  mlir::OwningOpRef<mlir::ModuleOp> after = before->clone();
  mlir::PassManager pm(&context);
  const size_t equals = flag.find('=');
  const std::string pipeline =
      equals == std::string::npos
          ? flag
          : absl::StrCat(flag.substr(0, equals), "{", flag.substr(equals + 1), "}");
  ASSERT_TRUE(succeeded(mlir::parsePassPipeline(pipeline, pm))) << pipeline;
  ASSERT_TRUE(succeeded(pm.run(*after)));
  int compared = 0;
  for (auto function : before->getOps<mlir::func::FuncOp>()) {
    SCOPED_TRACE(function.getSymName().str());
    auto rewritten = after->lookupSymbol<mlir::func::FuncOp>(function.getSymName());
    for (uint64_t seed : {1, 2, 3}) {
      const std::vector<HostTensor> inputs = RandomInputs(function, seed);
      ASSERT_OK_AND_ASSIGN(const auto want, ValuesOf(function, inputs));
      ASSERT_OK_AND_ASSIGN(const auto got, ValuesOf(rewritten, inputs));
      EXPECT_EQ(FirstDifference(got, want, ToleranceOf(function)), "");
      ++compared;
    }
  }
  EXPECT_GT(compared, 0);
}

INSTANTIATE_TEST_SUITE_P(Passes, PassValuesTest, testing::ValuesIn(kFiles),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace trama
