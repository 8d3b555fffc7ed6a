// Logistic regression: p(y = 1 | x) = sigmoid(x W^T + b), or softmax(x W^T + b) for several
// classes.
#pragma once

#include "frontend/nn.h"

namespace trama::models {

struct LogisticRegressionConfig {
  int64_t features = 4;
  int64_t classes = 1;  // 1: one logit, of the positive class
};

struct LogisticRegression : nn::ModuleOf<LogisticRegressionConfig> {
  using ModuleOf::ModuleOf;
  nn::Parameter weight{*this, "weight", {cfg.classes, cfg.features}, nn::Init::FanIn(cfg.features)};
  nn::Parameter bias{*this, "bias", {cfg.classes}, nn::Init::FanIn(cfg.features)};
  Tensor operator()(Tensor x) const { return linear(x, weight, bias); }  // [N, features] -> logits
};

}  // namespace trama::models
