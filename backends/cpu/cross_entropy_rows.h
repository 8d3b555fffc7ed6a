// What the cross entropy kernels do with one row of logits.
#pragma once

#include "backends/cpu/row_loops.h"

namespace trama::cpu {

struct Targets {
  Access access;  // over [N]
  int64_t classes = 0;
  int64_t ignore_index = -100;
};

// A row's target, of any integer type.
struct RowTarget {
  Value index;    // index, -1 where it is no class
  Value ignored;  // i1
};
RowTarget LoadTarget(Builder& b, ArrayRef<Value> buffers, const Targets& targets, Value row);

// Calls for the vector at `column` of a row of logits; lanes from `live` on may hold anything.
using LoadLogits = llvm::function_ref<Value(Value column, int64_t live)>;

// lse = max + log_sum of a row, log_sum = log(sum(exp(x - max))), and, where asked, its mean;
// scalars.
struct RowLoss {
  Value lse, max, log_sum, mean;
};
RowLoss EmitLogSumExp(Builder& b, int64_t classes, bool mean, LoadLogits load);

// A row's loss: (1 - e)(lse - logits[target]) + e (lse - mean), 0 where ignored. pick: the logit at
// an index.
Value EmitLoss(Builder& b, const RowLoss& row, const RowTarget& target, double smoothing,
               llvm::function_ref<Value(Value)> pick);

// grad (exp(logits - lse) - (1 - e) [column = target] - e / classes); grad and lse are vectors.
Value EmitLogitGrad(Builder& b, Value logits, Value lse, Value grad, const RowTarget& target,
                    Value column, double smoothing, int64_t classes);

}  // namespace trama::cpu
