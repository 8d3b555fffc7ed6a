// The smallest thing that deserves the name: characters, one attention head without a mask and
// without positions, and an MLP on the last position that guesses the next character.
#pragma once

#include <cmath>

#include "frontend/nn.h"

namespace trama::models {

struct CharTransformerConfig {
  int64_t seq_len = 5;
  int64_t d_model = 8;
  int64_t vocab_size = 14;
};

struct CharTransformer : nn::ModuleOf<CharTransformerConfig> {
  using ModuleOf::ModuleOf;
  int64_t d = cfg.d_model, V = cfg.vocab_size;
  nn::Init small = nn::Init::Normal(0, 0.1);
  nn::Parameter embedding{*this, "embedding", {V, d}, small};
  nn::Parameter W_Q{*this, "W_Q", {d, d}, small}, W_K{*this, "W_K", {d, d}, small};
  nn::Parameter W_V{*this, "W_V", {d, d}, small};
  nn::Parameter W1{*this, "W1", {d, 4 * d}, small}, b1{*this, "b1", {4 * d}, small};
  nn::Parameter W2{*this, "W2", {4 * d, V}, small}, b2{*this, "b2", {V}, small};

  struct Result {
    Tensor logits;     // [B, V]
    Tensor attention;  // [B, T, T], rows add up to 1
  };
  Result operator()(Tensor ids) const {  // integers [B, T]
    Tensor x = trama::embedding(ids, embedding);
    Tensor q = matmul(x, W_Q), k = matmul(x, W_K), v = matmul(x, W_V);
    Tensor attention = softmax(matmul(q, k.transpose(-2, -1)) / std::sqrt(1.0 * d), -1);
    Tensor last = matmul(attention, v).select(1, -1);
    return {matmul(relu(matmul(last, W1) + b1), W2) + b2, attention};
  }
};

}  // namespace trama::models
