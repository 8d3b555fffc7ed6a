// attention_grad: what its two ways of computing share. The weights are recomputed from the saved
// log-sum-exp (Dao, "FlashAttention-2", 2023); every sum has a fixed order, so results do not
// depend on how invocations are scheduled.
#pragma once

#include "backends/vulkan/attention_scores.h"

namespace trama::vulkan {

struct AttentionGradInfo : AttentionInfo {
  codegen::Access grad, y;                  // over [B, H, T, E]
  codegen::Access lse;                      // over [B, H, T]
  SmallVector<codegen::Access> dq, dk, dv;  // where each is written
};

// What the weights of one query depend on, and the gradients of its scores.
class QueryGrad {
 public:
  QueryGrad(PhaseBuilder& b, mlir::func::FuncOp body, const AttentionGradInfo& info,
            AttentionScores& scores, Value row);

  Value limit() const { return limit_; }

  // For keys from `key` on with their products (scale q) k, by the forward's operations in its
  // order: of two roundings of a score of 1e6, exp makes anything. The weights of the values,
  // dropped and scaled as the forward's, and the gradients of the scores. dweights: grad v. With
  // dropout W = P kept / (1 - p) stands for P in dV = W^T dY and dS = W dP - P delta.
  struct Key {
    Value weight, dscore;
  };
  SmallVector<Key> Keys(Value key, ArrayRef<Value> products, ArrayRef<Value> dweights);

 private:
  PhaseBuilder& b_;
  const AttentionGradInfo& info_;
  AttentionScores& scores_;
  Value row_, limit_;
  Value shift_;  // the log-sum-exp, infinity where the query sees no key
  Value delta_;  // grad y
  codegen::WideIndex dropout_;
};

// delta[b, h, t] = sum of grad * y over the last dimension, for QueryGrad.
absl::Status EmitDelta(mlir::func::FuncOp body, mlir::ModuleOp module,
                       const AttentionGradInfo& info, const Target& target, Kernel& kernel);

// One invocation a query for dq, one a key for dk and dv, everything read in place: for processors,
// and for heads too large for workgroup memory.
absl::Status EmitGradByRows(mlir::func::FuncOp body, mlir::ModuleOp module,
                            const AttentionGradInfo& info, const Target& target, Kernel& kernel);

// Tiles of queries and keys in workgroup memory. `fits` says whether the device has enough.
struct GradTiles {
  // own: rows of which a workgroup has the gradients; other: rows that pass by at a time.
  int64_t own = 0, other = 0, invocations = 0;
  bool fits() const { return own > 0; }
};
GradTiles PlanGradTiles(const AttentionGradInfo& info, const Target& target);
absl::Status EmitGradByTiles(mlir::func::FuncOp body, mlir::ModuleOp module,
                             const AttentionGradInfo& info, const GradTiles& tiles,
                             const Target& target, Kernel& kernel);

}  // namespace trama::vulkan
