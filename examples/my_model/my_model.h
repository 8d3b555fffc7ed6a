// A causal language model of one's own. In each block attention and a gated MLP work side by side
// on one normalised input, where GPT-2 has them one after the other.
#pragma once

#include <cmath>

#include "frontend/nn.h"

namespace my {
namespace nn = trama::nn;
using trama::Tensor;

struct MyConfig {
  int64_t vocab_size = 256, n_positions = 64;
  int64_t width = 64, layers = 2, heads = 4;
};

struct RMSNorm : nn::Module {  // x / sqrt(mean(x^2)) * weight. Zhang and Sennrich 2019.
  RMSNorm(Module& parent, std::string name, int64_t width)
      : Module(parent, std::move(name)), weight(*this, "weight", {width}, nn::Init::Constant(1)) {}
  nn::Parameter weight;
  Tensor operator()(Tensor x) const {
    return x * rsqrt(square(x).mean({-1}, /*keepdim=*/true) + 1e-5) * weight;
  }
};

struct MyBlock : nn::ModuleOf<MyConfig> {
  using ModuleOf::ModuleOf;
  int64_t C = cfg.width;
  RMSNorm norm{*this, "norm", C};
  nn::Linear query{*this, "query", C, C, false}, key{*this, "key", C, C, false};
  nn::Linear value{*this, "value", C, C, false}, proj{*this, "proj", C, C, false};
  nn::Linear gate{*this, "gate", C, 3 * C, false}, up{*this, "up", C, 3 * C, false};
  nn::Linear down{*this, "down", 3 * C, C, false};

  Tensor operator()(Tensor x) const {  // [B, T, C] -> [B, T, C]
    Tensor y = norm(x);
    Tensor scores = matmul(heads(query(y)), heads(key(y)).transpose(-2, -1));
    scores = scores / std::sqrt(1.0 * C / cfg.heads);
    Tensor seen = matmul(softmax(scores + causal_mask(scores), -1), heads(value(y)));
    return x + proj(seen.transpose(1, 2).flatten(2)) + down(silu(gate(y)) * up(y));
  }
  Tensor heads(Tensor t) const {  // [B, T, C] -> [B, heads, T, C / heads]
    return t.unflatten(-1, {cfg.heads, -1}).transpose(1, 2);
  }
};

struct MyModel : nn::ModuleOf<MyConfig> {
  using ModuleOf::ModuleOf;
  nn::Embedding token{*this, "token", cfg.vocab_size, cfg.width};
  nn::Embedding position{*this, "position", cfg.n_positions, cfg.width};
  nn::ModuleList<MyBlock> blocks{*this, "blocks", cfg.layers, cfg};
  RMSNorm norm{*this, "norm", cfg.width};
  nn::Linear head{*this, "head", cfg.width, cfg.vocab_size, false};

  Tensor operator()(Tensor ids) const {  // integers [B, T] -> logits [B, T, V]
    Tensor x = token(ids) + position(arange(ids.size(1)));
    for (const MyBlock& block : blocks) x = block(x);
    return head(norm(x));
  }
};

}  // namespace my
