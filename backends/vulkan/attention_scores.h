// What the attention kernels share: which keys a query sees, and what becomes of a score.
#pragma once

#include "backends/codegen/attention_info.h"
#include "backends/codegen/vector_math.h"
#include "backends/vulkan/quads.h"

namespace trama::vulkan {

using codegen::AttentionInfo;

// The parts of a score that are not the product q k^T, for one batch and head at a time.
class AttentionScores {
 public:
  AttentionScores(PhaseBuilder& b, mlir::func::FuncOp body, const AttentionInfo& info)
      : b_(b), body_(body), info_(info) {}

  // head: of B * H.
  void Start(Value head);
  Value batch() const { return batch_; }
  Value head() const { return head_; }

  // How many keys query `row` sees, from key 0 on, in [0, S]. Grows with the row.
  Value Limit(Value row);
  // The first query that sees `key`; T or more where none does.
  Value FirstQuery(Value key);

  // score + bias, -infinity where `row` does not see `key`, which may lie past the last.
  Value Masked(Value score, Value row, Value key, Value limit);

  // Dropout's factors of the weights of `count` keys from `key` on, each 0 or 1 / (1 - p).
  // row: from DropoutRow, the element of [B, H, T, S] at key 0.
  codegen::WideIndex DropoutRow(Value row);
  SmallVector<Value> DropoutFactors(const codegen::WideIndex& row, Value key, int64_t count);

 private:
  Value Word(Value index) { return b_.FromIndex(index, b_.Int(32)); }

  PhaseBuilder& b_;
  mlir::func::FuncOp body_;
  const AttentionInfo& info_;
  Value batch_, head_, offset_;
};

}  // namespace trama::vulkan
