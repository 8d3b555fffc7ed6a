// What the cross entropy kernels do with one row of logits: a workgroup's work.
#pragma once

#include "backends/vulkan/quads.h"

namespace trama::vulkan {

struct Targets {
  codegen::Access access;  // over [N]
  int64_t classes = 0;
  int64_t ignore_index = -100;
};

// A row's target, of any integer type.
struct RowTarget {
  Value index;    // index, -1 where it is no class
  Value ignored;  // i1
};
RowTarget LoadTarget(PhaseBuilder& b, mlir::func::FuncOp body, const Targets& targets, Value row);

// Gives a quad of a row of logits; elements past the last may be anything.
using LoadLogits = llvm::function_ref<Value(Value quad)>;

// lse = max + log_sum of a row, log_sum = log(sum(exp(x - max))); known to all invocations.
struct RowLoss {
  Value lse, max, log_sum;
};
RowLoss EmitLogSumExp(PhaseBuilder& b, int64_t classes, LoadLogits load);

// lse - logit of the target, 0 where ignored.
Value EmitLoss(PhaseBuilder& b, const RowLoss& row, const RowTarget& target, Value logit);

// grad (exp(logits - lse) - [column = target]) of a quad of logits; 0 past the last class.
Value EmitLogitGrad(PhaseBuilder& b, Value logits, Value lse, Value grad, const RowTarget& target,
                    Value quad, int64_t classes);

}  // namespace trama::vulkan
