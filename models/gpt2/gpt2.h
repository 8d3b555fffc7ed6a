// GPT-2: a decoder-only transformer with normalisation before each part. Radford et al. 2019.
// Names and shapes are those of Hugging Face's files, without the `transformer.` prefix.
#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "frontend/nn.h"

namespace trama::models {

struct GPT2Config {
  int64_t vocab_size = 50257, n_positions = 1024;
  int64_t n_embd = 768, n_layer = 12, n_head = 12;
  int64_t n_inner = 4 * 768;
  std::string activation_function = "gelu_new";
  double layer_norm_epsilon = 1e-5, initializer_range = 0.02;
  double attn_pdrop = 0.1, embd_pdrop = 0.1, resid_pdrop = 0.1;
  bool scale_attn_weights = true, tie_word_embeddings = true;
  bool scale_attn_by_inverse_layer_idx = false;  // scores of block i by 1 / (i + 1) as well
  bool qkv_bias = true;                          // of attn.c_attn; false in Raschka's from scratch
  int64_t num_labels = 0;  // > 0: a classifier of sequences in the place of the language model
  bool pool_last = false;  // it reads the last position, padding or not; else the last that is kept
  nn::LowRank lora;        // of attn.c_attn, attn.c_proj, mlp.c_fc, mlp.c_proj

  nn::Init normal() const { return nn::Init::Normal(0, initializer_range); }
  // Of what is added to the residual stream, which 2 n_layer parts add to.
  nn::Init residual() const {
    return nn::Init::Normal(0, initializer_range / std::sqrt(2.0 * n_layer));
  }
};

struct GPT2Attention : nn::ModuleOf<GPT2Config> {  // softmax(Q K^T / sqrt(d) + mask) V
  using ModuleOf::ModuleOf;
  nn::Conv1D c_attn{*this,        "c_attn", cfg.n_embd,  3 * cfg.n_embd,
                    cfg.normal(), cfg.lora, cfg.qkv_bias};
  nn::Conv1D c_proj{*this, "c_proj", cfg.n_embd, cfg.n_embd, cfg.residual(), cfg.lora};
  nn::Dropout attn_dropout{cfg.attn_pdrop}, resid_dropout{cfg.resid_pdrop};

  // x: [B, T, C]; keep: bool [B, 1, 1, T], false at padding, or empty -> [B, T, C] and the weights
  // [B, heads, T, T].
  std::pair<Tensor, Tensor> operator()(Tensor x, Tensor keep, int64_t layer) const {
    auto [q, k, v] = chunk<3>(c_attn(x), -1);
    Tensor scores = matmul(heads(q), heads(k).transpose(-2, -1));
    const double depth = 1.0 * cfg.n_embd / cfg.n_head;
    const double divisor = (cfg.scale_attn_weights ? std::sqrt(depth) : 1) *
                           (cfg.scale_attn_by_inverse_layer_idx ? 1.0 * (layer + 1) : 1);
    if (divisor != 1) scores = scores / divisor;
    scores = scores + causal_mask(scores);
    if (keep) scores = where(keep, scores, -std::numeric_limits<double>::infinity());
    Tensor weights = softmax(scores, -1);
    Tensor y = matmul(attn_dropout(weights), heads(v));
    return {resid_dropout(c_proj(y.transpose(1, 2).flatten(2))), weights};
  }
  Tensor heads(Tensor t) const { return t.unflatten(-1, {cfg.n_head, -1}).transpose(1, 2); }
};

struct GPT2MLP : nn::ModuleOf<GPT2Config> {
  using ModuleOf::ModuleOf;
  nn::Conv1D c_fc{*this, "c_fc", cfg.n_embd, cfg.n_inner, cfg.normal(), cfg.lora};
  nn::Conv1D c_proj{*this, "c_proj", cfg.n_inner, cfg.n_embd, cfg.residual(), cfg.lora};
  nn::Dropout dropout{cfg.resid_pdrop};
  Tensor operator()(Tensor x) const {
    return dropout(c_proj(activation(cfg.activation_function, c_fc(x))));
  }
};

struct GPT2Block : nn::ModuleOf<GPT2Config> {
  using ModuleOf::ModuleOf;
  nn::LayerNorm ln_1{*this, "ln_1", cfg.n_embd, cfg.layer_norm_epsilon};
  GPT2Attention attn{*this, "attn", cfg};
  nn::LayerNorm ln_2{*this, "ln_2", cfg.n_embd, cfg.layer_norm_epsilon};
  GPT2MLP mlp{*this, "mlp", cfg};
  std::pair<Tensor, Tensor> operator()(Tensor x, Tensor keep, int64_t layer) const {
    auto [y, weights] = attn(ln_1(x), keep, layer);
    x = x + y;
    return {x + mlp(ln_2(x)), weights};
  }
};

struct GPT2 : nn::ModuleOf<GPT2Config> {
  nn::Embedding wte{*this, "wte", cfg.vocab_size, cfg.n_embd, cfg.normal()};
  nn::Embedding wpe{*this, "wpe", cfg.n_positions, cfg.n_embd, cfg.normal()};
  nn::Dropout drop{cfg.embd_pdrop};
  nn::ModuleList<GPT2Block> h{*this, "h", cfg.n_layer, cfg};
  nn::LayerNorm ln_f{*this, "ln_f", cfg.n_embd, cfg.layer_norm_epsilon};
  std::optional<nn::Linear> lm_head;  // where it is not tied to wte
  std::optional<nn::Linear> score;    // of a classifier

  explicit GPT2(GPT2Config config) : ModuleOf(std::move(config)) {
    if (cfg.num_labels > 0)
      score.emplace(*this, "score", cfg.n_embd, cfg.num_labels, /*has_bias=*/true, cfg.normal());
    else if (!cfg.tie_word_embeddings)
      lm_head.emplace(*this, "lm_head", cfg.n_embd, cfg.vocab_size, /*has_bias=*/false,
                      cfg.normal());
  }

  struct States {
    std::vector<Tensor> hidden;      // after the embeddings, after each block: [B, T, C]
    std::vector<Tensor> attentions;  // of each block: [B, heads, T, T]
    Tensor final_norm;               // [B, T, C]
  };
  States operator()(Tensor ids, Tensor attention_mask) const {  // integers [B, T]
    States states;
    Tensor keep = attention_mask ? (attention_mask != 0).unsqueeze(1).unsqueeze(1) : Tensor();
    Tensor x = drop(wte(ids) + wpe(arange(ids.size(1))));
    states.hidden.push_back(x);
    for (const GPT2Block& block : h) {
      auto [y, weights] = block(x, keep, static_cast<int64_t>(states.attentions.size()));
      x = y;
      states.hidden.push_back(x);
      states.attentions.push_back(weights);
    }
    states.final_norm = ln_f(x);
    return states;
  }
  // [B, T, C] -> logits [B, T, V].
  Tensor head(Tensor x) const {
    return lm_head ? (*lm_head)(x) : matmul(x, wte.weight.transpose(0, 1));
  }
  // [B, T, C] -> logits [B, num_labels] of the last position, or of the last that is kept.
  Tensor classify(Tensor x, Tensor attention_mask) const {
    if (!attention_mask || cfg.pool_last) return (*score)(x.select(1, -1));
    Tensor position = arange(x.size(1)) * (attention_mask != 0);
    Tensor last = argmax(position, -1, /*keepdim=*/true).unsqueeze(-1);
    return (*score)(gather(x, 1, last.expand({-1, -1, cfg.n_embd})).squeeze(1));
  }
};

}  // namespace trama::models
