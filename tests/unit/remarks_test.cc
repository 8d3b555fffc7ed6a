#include "passes/support/remarks.h"

#include "base/status_matchers.h"
#include "ir/dialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/passes.h"

namespace trama {
namespace {

// The sum runs over both dimensions.
constexpr char kProgram[] = R"(func.func @forward(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
    %e = trama.exp %x : tensor<2x3xf32>
    %s = trama.sum %e dims = [0, 1] keepdim : tensor<2x3xf32>
    %y = trama.div %e, %s : tensor<2x3xf32>, tensor<1x1xf32> loc("model.h":41:3)
    return %y : tensor<2x3xf32> })";

void RaiseSoftmaxIn(mlir::MLIRContext& context) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(kProgram, &context);
  ASSERT_TRUE(module);
  mlir::PassManager pm(&context);
  pm.addPass(createRaiseSoftmax());
  ASSERT_TRUE(succeeded(pm.run(*module)));
}

TEST(RemarksTest, SayWhatWasRefusedWhereAndWhy) {
  mlir::MLIRContext context;
  LoadDialects(context);
  std::vector<PassRemark> remarks;
  ASSERT_TRUE(succeeded(CollectRemarks(context, &remarks)));
  RaiseSoftmaxIn(context);
  ASSERT_EQ(remarks.size(), 1);
  EXPECT_EQ(remarks[0].pass, "raise-softmax");
  EXPECT_EQ(remarks[0].function, "forward");
  EXPECT_EQ(remarks[0].location, "model.h:41");
  EXPECT_THAT(remarks[0].message, testing::StartsWith("not fused: the sum does not run over one"));
}

TEST(RemarksTest, AreNotMadeWhereNobodyAsks) {
  mlir::MLIRContext context;
  LoadDialects(context);
  int diagnostics = 0;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic&) {
    ++diagnostics;
    return mlir::success();
  });
  RaiseSoftmaxIn(context);
  EXPECT_EQ(diagnostics, 0);
}

}  // namespace
}  // namespace trama
