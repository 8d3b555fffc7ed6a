#include "models/attention/attention.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "frontend/model.h"

namespace trama::models {
namespace {
// The outputs of attend(inputs, key_mask), which are of batches; one example, [T, D], is a batch of
// one and loses that dimension again, as torch's nn.MultiheadAttention has it.
template <typename F>
Tensors OutputsOf(std::vector<Tensor> inputs, Tensor key_mask, F attend) {
  const bool alone = inputs.front().dim() == 2;
  for (Tensor& x : inputs) {
    if (x.dim() != (alone ? 2 : 3))
      Reject(absl::StrCat("an input is ", ToString(x.shape()),
                          "; all are [batch, length, width], or all [length, width]"));
    if (alone) x = x.unsqueeze(0);
  }
  if (alone && key_mask) key_mask = key_mask.unsqueeze(0);
  auto [output, weights] = attend(inputs, key_mask);
  if (!alone) return {{"output", output}, {"weights", weights}};
  return {{"output", output.squeeze(0)}, {"weights", weights.squeeze(0)}};
}

class AttentionModel : public Model {
 public:
  explicit AttentionModel(AttentionConfig config) : net_(config) {}
  const nn::Module& module() const override { return net_; }
  Tensors Forward(const Tensors& inputs, const ForwardOptions&) const override {
    return OutputsOf(
        {Required(inputs, "query"), Required(inputs, "key"), Required(inputs, "value")},
        Given(inputs, "key_mask"),
        [&](const auto& x, Tensor mask) { return net_(x[0], x[1], x[2], mask); });
  }
  std::vector<TensorSpec> Inputs(int64_t batch, int64_t length) const override {
    const Shape shape = {batch, length, net_.cfg.embed_dim};
    return {{"query", DType::kF32, shape},
            {"key", DType::kF32, shape},
            {"value", DType::kF32, shape},
            {"key_mask", DType::kI32, {batch, length}}};
  }
  std::vector<std::string> Outputs() const override { return {"output", "weights"}; }

 private:
  Attention net_;
};

class MultiHeadAttentionModel : public Model {
 public:
  explicit MultiHeadAttentionModel(AttentionConfig config) : net_(config) {}
  const nn::Module& module() const override { return net_; }
  Tensors Forward(const Tensors& inputs, const ForwardOptions&) const override {
    return OutputsOf({Required(inputs, "x")}, Given(inputs, "key_mask"),
                     [&](const auto& x, Tensor mask) { return net_(x[0], mask); });
  }
  std::vector<TensorSpec> Inputs(int64_t batch, int64_t length) const override {
    return {{"x", DType::kF32, {batch, length, net_.cfg.embed_dim}},
            {"key_mask", DType::kI32, {batch, length}}};
  }
  std::vector<std::string> Outputs() const override { return {"output", "weights"}; }

 private:
  MultiHeadAttention net_;
};

template <typename M>
absl::StatusOr<std::unique_ptr<Model>> Make(const Config& config) {
  AttentionConfig c;
  TRAMA_ASSIGN_OR_RETURN(c.embed_dim, config.Int("embed_dim", c.embed_dim, 1, 1 << 20));
  TRAMA_ASSIGN_OR_RETURN(c.heads, config.Int("heads", c.heads, 1, 1 << 20));
  TRAMA_ASSIGN_OR_RETURN(c.causal, config.Bool("causal", c.causal));
  if (!config.Has("embed_dim")) c.embed_dim = c.heads * 16;
  if (c.embed_dim % c.heads)
    return absl::InvalidArgumentError(
        absl::StrCat("embed_dim: ", c.embed_dim, " is not a multiple of heads: ", c.heads));
  return std::make_unique<M>(c);
}

ModelEntry Entry(std::string name, std::string summary) {
  ModelEntry entry;
  entry.name = std::move(name);
  entry.task = "attention";
  entry.summary = std::move(summary);
  entry.defaults.Set("heads", int64_t{1});
  entry.defaults.Set("causal", false);
  return entry;
}

ModelEntry AttentionEntry() {
  ModelEntry entry = Entry("attention", "softmax(q k^T / sqrt(d) + mask) v of given q, k and v");
  entry.make = Make<AttentionModel>;
  return entry;
}

ModelEntry MultiHeadAttentionEntry() {
  ModelEntry entry = Entry("multi-head-attention", "attention with projections of one input");
  entry.defaults.Set("embed_dim", int64_t{16});
  entry.make = Make<MultiHeadAttentionModel>;
  return entry;
}

const bool registered [[maybe_unused]] =
    RegisterModel(AttentionEntry()) && RegisterModel(MultiHeadAttentionEntry());
}  // namespace
}  // namespace trama::models
