// The operands of attention and attention_grad as strided views.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "backends/codegen/kernel_body.h"

namespace trama::codegen {

struct AttentionInfo {
  int64_t B = 0, H = 0, T = 0, S = 0, D = 0, E = 0;
  double scale = 1, dropout = 0;
  int64_t op_id = 0;
  bool causal = false;
  Access q, k, v;
  // key_mask over [B, S], bias over [B, H, T, S], position over [B], rng over [4].
  std::optional<Access> key_mask, bias, position, rng;

  bool HasMaskOrBias() const { return key_mask || bias; }
};

// Unimplemented where q, k and v are not f32.
absl::StatusOr<AttentionInfo> InfoOf(AttentionOp op);
absl::StatusOr<AttentionInfo> InfoOf(AttentionGradOp op);

}  // namespace trama::codegen
