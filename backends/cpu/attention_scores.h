// What the attention kernels share: their operands, and which keys a query sees.
#pragma once

#include "backends/codegen/attention_info.h"
#include "backends/codegen/vector_math.h"
#include "backends/cpu/kernel_body.h"
#include "base/status_macros.h"

namespace trama::cpu {

using codegen::AttentionInfo;
using codegen::InfoOf;

// Emits the parts of a score that are not the product q k^T, for one batch and head at a time.
class AttentionScores {
 public:
  AttentionScores(Builder& b, const AttentionInfo& info, ArrayRef<Value> buffers)
      : b_(b), info_(info), buffers_(buffers) {}

  void Start(Value batch, Value head);
  Value batch() const { return batch_; }
  Value head() const { return head_; }

  // Query i sees keys j <= i + offset where attention is causal.
  Value offset() const { return offset_; }
  // How many keys query `row` sees, from key 0 on, in [0, S]. Grows with the row.
  Value Limit(Value row);
  // The lanes of keys [column, column + lanes) that are below `limit` and not masked.
  Value Seen(Value limit, Value column);
  // scores + bias in the lanes of `seen`, -infinity elsewhere.
  Value Masked(Value scores, Value row, Value column, Value seen);
  // The lanes whose weights dropout keeps.
  Value Kept(Value row, Value column);

 private:
  Builder& b_;
  const AttentionInfo& info_;
  ArrayRef<Value> buffers_;
  Value batch_, head_, offset_;
};

}  // namespace trama::cpu
