// A loss as a mean over examples and what needs no data.
#pragma once

#include <vector>

#include "ir/dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace trama {

// loss = scale * mean + sum of the other terms' scale * value.
struct LossTerms {
  struct Term {
    mlir::Value value;
    double scale = 1;
  };
  WeightedMeanOp mean;
  double mean_scale = 1;
  std::vector<Term> without_data;  // depend on parameters alone, as weight penalties
};

// Reads the terms off sums, differences, negations and multiples by constants. An error names the
// op where a term is neither, or where there are several means or none: micro-batches could not be
// added up then.
mlir::FailureOr<LossTerms> SplitLoss(mlir::func::FuncOp func, mlir::Value loss);

}  // namespace trama
