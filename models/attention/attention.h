// Scaled dot-product attention (Vaswani et al. 2017), from primitives.
#pragma once

#include <cmath>
#include <limits>

#include "frontend/nn.h"

namespace trama::models {

// [B, T, D] -> [B, heads, T, D / heads], and back.
inline Tensor SplitHeads(Tensor x, int64_t heads, Loc loc = Loc::current()) {
  return x.unflatten(-1, {heads, -1}, loc).transpose(1, 2, loc);
}
inline Tensor JoinHeads(Tensor x) { return x.transpose(1, 2).flatten(2); }

struct Attended {
  Tensor output;   // [B, heads, T, d]
  Tensor weights;  // [B, heads, T, S], rows add up to 1
};

// softmax(q k^T / sqrt(d) + mask) v. q: [B, heads, T, d]; k, v: [B, heads, S, d]; key_mask: [B, S],
// 0 where a key is padding, or empty. A query that sees no key gets zeros.
inline Attended Attend(Tensor q, Tensor k, Tensor v, bool causal, Tensor key_mask) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(1.0 * q.size(-1));
  if (causal) scores = scores + causal_mask(scores);
  if (key_mask) {
    Tensor keep = (key_mask != 0).unsqueeze(1).unsqueeze(1);
    scores = where(keep, scores, -std::numeric_limits<double>::infinity());
  }
  Tensor weights = softmax(scores, -1);
  return {matmul(weights, v), weights};
}

struct AttentionConfig {
  int64_t embed_dim = 16;  // of the inputs
  int64_t heads = 1;
  bool causal = false;
};

// No parameters: the heads are slices of the last dimension.
struct Attention : nn::ModuleOf<AttentionConfig> {
  using ModuleOf::ModuleOf;
  // query: [B, T, D]; key, value: [B, S, D] -> output [B, T, D], weights [B, heads, T, S]
  Attended operator()(Tensor query, Tensor key, Tensor value, Tensor key_mask) const {
    auto [y, weights] = Attend(SplitHeads(query, cfg.heads), SplitHeads(key, cfg.heads),
                               SplitHeads(value, cfg.heads), cfg.causal, key_mask);
    return {JoinHeads(y), weights};
  }
};

// The same with projections of one input.
struct MultiHeadAttention : nn::ModuleOf<AttentionConfig> {
  using ModuleOf::ModuleOf;
  nn::Linear W_q{*this, "W_q", cfg.embed_dim, cfg.embed_dim};
  nn::Linear W_k{*this, "W_k", cfg.embed_dim, cfg.embed_dim};
  nn::Linear W_v{*this, "W_v", cfg.embed_dim, cfg.embed_dim};
  nn::Linear out_proj{*this, "out_proj", cfg.embed_dim, cfg.embed_dim};
  // x: [B, T, D] -> output [B, T, D], weights [B, heads, T, T]
  Attended operator()(Tensor x, Tensor key_mask) const {
    auto [y, weights] = Attend(SplitHeads(W_q(x), cfg.heads), SplitHeads(W_k(x), cfg.heads),
                               SplitHeads(W_v(x), cfg.heads), cfg.causal, key_mask);
    return {out_proj(JoinHeads(y)), weights};
  }
};

}  // namespace trama::models
