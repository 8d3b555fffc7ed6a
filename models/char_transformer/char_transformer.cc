#include "models/char_transformer/char_transformer.h"

#include "base/status_macros.h"
#include "frontend/loss.h"
#include "frontend/model.h"

namespace trama::models {
namespace {
class CharTransformerModel : public Model {
 public:
  explicit CharTransformerModel(CharTransformerConfig config) : net_(config) {}
  const nn::Module& module() const override { return net_; }
  Tensors Forward(const Tensors& inputs, const ForwardOptions& options) const override {
    auto [logits, attention] = net_(Required(inputs, "input_ids"));
    Tensors outputs{{"logits", logits}, {"attention", attention}};
    if (Tensor labels = Given(inputs, "labels"))
      outputs["loss"] = cross_entropy(logits, labels, -100, options.label_smoothing);
    return outputs;
  }
  std::vector<TensorSpec> Inputs(int64_t batch, int64_t length) const override {
    return {{"input_ids", DType::kI32, {batch, length > 0 ? length : net_.cfg.seq_len}},
            {"labels", DType::kI32, {batch}}};
  }
  std::vector<std::string> Outputs() const override { return {"logits", "attention", "loss"}; }
  int64_t MaxLength() const override { return net_.cfg.seq_len; }

 private:
  CharTransformer net_;
};

absl::StatusOr<std::unique_ptr<Model>> Make(const Config& config) {
  CharTransformerConfig c;
  TRAMA_ASSIGN_OR_RETURN(c.seq_len, config.Int("seq_len", c.seq_len, 1, 1 << 20));
  TRAMA_ASSIGN_OR_RETURN(c.d_model, config.Int("d_model", c.d_model, 1, 1 << 16));
  TRAMA_ASSIGN_OR_RETURN(c.vocab_size, config.Int("vocab_size", c.vocab_size, 1, 1 << 24));
  return std::make_unique<CharTransformerModel>(c);
}

ModelEntry Entry() {
  ModelEntry entry;
  entry.name = "char-transformer";
  entry.task = "next-token";
  entry.summary = "one attention head and an MLP that guess the next character";
  entry.defaults.Set("seq_len", int64_t{5});
  entry.defaults.Set("d_model", int64_t{8});
  entry.defaults.Set("vocab_size", int64_t{14});
  entry.make = Make;
  return entry;
}
TRAMA_MODEL(Entry());
}  // namespace
}  // namespace trama::models
