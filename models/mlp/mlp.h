// A multilayer perceptron: affine maps with an activation between them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "frontend/nn.h"

namespace trama::models {

struct MLPConfig {
  int64_t features = 4;
  std::vector<int64_t> hidden = {16};  // widths, one a hidden layer
  int64_t classes = 1;                 // 1: one logit, of the positive class
  std::string activation = "relu";
};

struct MLP : nn::ModuleOf<MLPConfig> {              // fc2(relu(fc1(x)))
  std::vector<std::unique_ptr<nn::Linear>> layers;  // "fc1", "fc2", ..

  explicit MLP(MLPConfig config) : ModuleOf(std::move(config)) {
    int64_t in = cfg.features;
    for (int64_t out : cfg.hidden) in = Add(in, out);
    Add(in, cfg.classes);
  }
  Tensor operator()(Tensor x) const {  // [N, features] -> logits [N, classes]
    for (const auto& layer : layers) {
      x = (*layer)(x);
      if (layer != layers.back()) x = activation(cfg.activation, x);
    }
    return x;
  }

 private:
  int64_t Add(int64_t in, int64_t out) {
    const std::string name = "fc" + std::to_string(layers.size() + 1);
    layers.push_back(std::make_unique<nn::Linear>(*this, name, in, out));
    return out;
  }
};

}  // namespace trama::models
