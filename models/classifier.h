// What the models of tables share: inputs `x` and `labels`, outputs `logits` and the loss.
#pragma once

#include <utility>

#include "frontend/loss.h"
#include "frontend/model.h"

namespace trama::models {

// logits: [N, C]; labels: integers [N]. With one logit label 1 is the positive class.
inline Tensor ClassificationLoss(Tensor logits, Tensor labels, double label_smoothing,
                                 Loc loc = Loc::current()) {
  if (logits.size(-1, loc) > 1) return cross_entropy(logits, labels, -100, label_smoothing, loc);
  Tensor targets = labels.unsqueeze(-1, loc);
  if (label_smoothing > 0) targets = targets * (1 - label_smoothing) + label_smoothing / 2;
  return binary_cross_entropy_with_logits(logits, targets, loc);
}

// A model of a module that maps x [N, features] to logits [N, classes].
template <typename Net>
class Classifier : public Model {
 public:
  template <typename NetConfig>
  explicit Classifier(NetConfig config) : net_(std::move(config)) {}
  const nn::Module& module() const override { return net_; }

  Tensors Forward(const Tensors& inputs, const ForwardOptions& options) const override {
    Tensors outputs{{"logits", net_(Required(inputs, "x"))}};
    if (Tensor labels = Given(inputs, "labels"))
      outputs["loss"] = ClassificationLoss(outputs["logits"], labels, options.label_smoothing);
    return outputs;
  }
  std::vector<TensorSpec> Inputs(int64_t batch, int64_t) const override {
    return {{"x", DType::kF32, {batch, net_.cfg.features}}, {"labels", DType::kI32, {batch}}};
  }
  std::vector<std::string> Outputs() const override { return {"logits", "loss"}; }

 private:
  Net net_;
};

}  // namespace trama::models
