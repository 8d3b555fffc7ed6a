// What makes a language model of a module that maps ids to logits: inputs `input_ids` and `labels`,
// outputs `logits` and the loss, a time axis along which Trama derives decoding with a cache.
#pragma once

#include <utility>

#include "frontend/loss.h"
#include "frontend/model.h"

namespace trama::models {

// Net: an nn::ModuleOf with cfg.n_positions, the longest input, and
//   Tensor operator()(Tensor ids) const;  // integers [B, T] -> logits [B, T, V], causal
template <typename Net>
class LanguageModel : public Model {
 public:
  template <typename NetConfig>
  explicit LanguageModel(NetConfig config) : net_(std::move(config)) {}
  const nn::Module& module() const override { return net_; }

  // labels: integers [B, T], the target of each position; -100 where there is none.
  Tensors Forward(const Tensors& inputs, const ForwardOptions&) const override {
    Tensors outputs{{"logits", net_(Required(inputs, "input_ids"))}};
    if (Tensor labels = Given(inputs, "labels"))
      outputs["loss"] = cross_entropy(outputs["logits"].flatten(0, 1), labels.flatten());
    return outputs;
  }
  std::vector<TensorSpec> Inputs(int64_t batch, int64_t length) const override {
    if (length <= 0) length = MaxLength();
    return {{"input_ids", DType::kI32, {batch, length}}, {"labels", DType::kI32, {batch, length}}};
  }
  std::vector<std::string> Outputs() const override { return {"logits", "loss"}; }
  int64_t MaxLength() const override { return net_.cfg.n_positions; }
  int SequenceDim(const std::string& input) const override { return input == "input_ids" ? 1 : -1; }

 private:
  Net net_;
};

}  // namespace trama::models
