// How the raise and fuse passes run.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "passes/support/match.h"

namespace trama {

// Tries the patterns once on every op of the module, producers first, so that a refusal makes one
// remark; then removes what they left unused.
template <typename... Patterns>
void RewriteOnce(mlir::Operation* root) {
  Tidy(root);
  mlir::RewritePatternSet patterns(root->getContext());
  patterns.add<Patterns...>(root->getContext());
  mlir::walkAndApplyPatterns(root, std::move(patterns));
  Tidy(root);
}

}  // namespace trama
