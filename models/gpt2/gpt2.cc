#include "models/gpt2/gpt2.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "frontend/activations.h"
#include "frontend/loss.h"
#include "frontend/model.h"

namespace trama::models {
namespace {
constexpr char kLast[] = "last", kLastReal[] = "last_real";  // of the key pool

class GPT2Model : public Model {
 public:
  explicit GPT2Model(GPT2Config config) : net_(std::move(config)) {}
  const nn::Module& module() const override { return net_; }

  Tensors Forward(const Tensors& inputs, const ForwardOptions& options) const override {
    Tensor ids = Required(inputs, "input_ids"), mask = Given(inputs, "attention_mask");
    if (ids.size(1) > net_.cfg.n_positions)
      Reject(absl::StrCat("input_ids is ", ToString(ids.shape()),
                          ", longer than n_positions: ", net_.cfg.n_positions));
    const GPT2::States states = net_(ids, mask);
    const bool classifies = net_.cfg.num_labels > 0;
    Tensor logits =
        classifies ? net_.classify(states.final_norm, mask) : net_.head(states.final_norm);
    Tensors outputs{{"logits", logits}};
    if (Tensor labels = Given(inputs, "labels"))
      outputs["loss"] = cross_entropy(classifies ? logits : logits.flatten(0, 1), labels.flatten(),
                                      -100, options.label_smoothing);
    auto add = [&](const std::string& name, const std::vector<Tensor>& tensors) {
      for (size_t i = 0; i < tensors.size(); ++i) outputs[absl::StrCat(name, i)] = tensors[i];
    };
    if (options.hidden_states) {
      add("hidden_states.", states.hidden);
      outputs["final_norm"] = states.final_norm;
    }
    if (options.attentions) add("attentions.", states.attentions);
    return outputs;
  }

  std::vector<TensorSpec> Inputs(int64_t batch, int64_t length) const override {
    if (length <= 0) length = MaxLength();
    const bool classifies = net_.cfg.num_labels > 0;
    return {{"input_ids", DType::kI32, {batch, length}},
            {"attention_mask", DType::kI32, {batch, length}},
            {"labels", DType::kI32, classifies ? Shape{batch} : Shape{batch, length}}};
  }
  std::vector<std::string> Outputs() const override { return {"logits", "loss"}; }
  int64_t MaxLength() const override { return net_.cfg.n_positions; }
  int SequenceDim(const std::string& input) const override { return input == "input_ids" ? 1 : -1; }

 private:
  GPT2 net_;
};

// A target that is no layer would silently learn nothing.
absl::Status CheckTargets(const GPT2Config& config) {
  const std::vector<std::string> layers = {"attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"};
  for (const std::string& target : config.lora.targets) {
    const auto named = [&](const std::string& layer) {
      return ("." + layer).ends_with("." + target);
    };
    const bool deeper = target.starts_with("h.");  // a layer of one block: h.0.attn.c_attn
    if (config.lora.rank > 0 && !deeper && std::none_of(layers.begin(), layers.end(), named))
      return absl::InvalidArgumentError(absl::StrCat("lora_targets: no layer ends in '", target,
                                                     "'; there are ", absl::StrJoin(layers, ", ")));
  }
  return absl::OkStatus();
}

// What `transformers` has and this model has not.
absl::Status RefuseUnsupported(const Config& config) {
  TRAMA_ASSIGN_OR_RETURN(const bool value, config.Bool("add_cross_attention", false));
  if (value) return absl::UnimplementedError("add_cross_attention: true is not supported");
  return absl::OkStatus();
}

absl::StatusOr<GPT2Config> ReadSizes(const Config& config, GPT2Config c) {
  constexpr int64_t kLargest = 1 << 24;
  TRAMA_ASSIGN_OR_RETURN(c.vocab_size, config.Int("vocab_size", c.vocab_size, 1, kLargest));
  TRAMA_ASSIGN_OR_RETURN(c.n_positions, config.Int("n_ctx", c.n_positions, 1, kLargest));
  TRAMA_ASSIGN_OR_RETURN(c.n_positions, config.Int("n_positions", c.n_positions, 1, kLargest));
  TRAMA_ASSIGN_OR_RETURN(c.n_embd, config.Int("n_embd", c.n_embd, 1, kLargest));
  TRAMA_ASSIGN_OR_RETURN(c.n_layer, config.Int("n_layer", c.n_layer, 0, 1000));
  TRAMA_ASSIGN_OR_RETURN(c.n_head, config.Int("n_head", c.n_head, 1, kLargest));
  TRAMA_ASSIGN_OR_RETURN(c.n_inner, config.Int("n_inner", 4 * c.n_embd, 1, kLargest));
  TRAMA_ASSIGN_OR_RETURN(c.num_labels, config.Int("num_labels", 0, 0, kLargest));
  TRAMA_ASSIGN_OR_RETURN(const std::string pool, config.String("pool", kLastReal));
  if (pool != kLastReal && pool != kLast)
    return absl::InvalidArgumentError(
        absl::StrCat("pool: '", pool, "' is neither ", kLast, " nor ", kLastReal));
  c.pool_last = pool == kLast;
  TRAMA_ASSIGN_OR_RETURN(c.qkv_bias, config.Bool("qkv_bias", c.qkv_bias));
  TRAMA_ASSIGN_OR_RETURN(c.lora.rank, config.Int("lora_rank", 0, 0, kLargest));
  TRAMA_ASSIGN_OR_RETURN(c.lora.alpha,
                         config.Double("lora_alpha", 2.0 * static_cast<double>(c.lora.rank)));
  TRAMA_ASSIGN_OR_RETURN(const std::string targets, config.String("lora_targets", ""));
  c.lora.targets = absl::StrSplit(targets, ',', absl::SkipEmpty());
  if (c.n_embd % c.n_head)
    return absl::InvalidArgumentError(
        absl::StrCat("n_embd: ", c.n_embd, " is not a multiple of n_head: ", c.n_head));
  return c;
}

// The config over `defaults`.
absl::StatusOr<std::unique_ptr<Model>> Make(const Config& config, const GPT2Config& defaults) {
  TRAMA_RETURN_IF_ERROR(RefuseUnsupported(config));
  TRAMA_ASSIGN_OR_RETURN(GPT2Config c, ReadSizes(config, defaults));
  TRAMA_RETURN_IF_ERROR(CheckTargets(c));
  TRAMA_ASSIGN_OR_RETURN(c.activation_function,
                         config.String("activation_function", c.activation_function));
  if (!IsActivation(c.activation_function))
    return absl::InvalidArgumentError(
        absl::StrCat("activation_function: '", c.activation_function, "' is unknown",
                     DidYouMean(c.activation_function, Activations())));
  TRAMA_ASSIGN_OR_RETURN(c.layer_norm_epsilon,
                         config.Double("layer_norm_epsilon", c.layer_norm_epsilon, 0, 1));
  TRAMA_ASSIGN_OR_RETURN(c.initializer_range,
                         config.Double("initializer_range", c.initializer_range, 0, 100));
  for (auto [key, value] :
       {std::pair("attn_pdrop", &c.attn_pdrop), std::pair("embd_pdrop", &c.embd_pdrop),
        std::pair("resid_pdrop", &c.resid_pdrop)}) {
    TRAMA_ASSIGN_OR_RETURN(*value, config.Double(key, *value, 0, 0.999));
  }
  TRAMA_ASSIGN_OR_RETURN(c.scale_attn_weights,
                         config.Bool("scale_attn_weights", c.scale_attn_weights));
  TRAMA_ASSIGN_OR_RETURN(c.scale_attn_by_inverse_layer_idx,
                         config.Bool("scale_attn_by_inverse_layer_idx", false));
  TRAMA_ASSIGN_OR_RETURN(c.tie_word_embeddings,
                         config.Bool("tie_word_embeddings", c.tie_word_embeddings));
  return std::make_unique<GPT2Model>(std::move(c));
}

ModelEntry Entry(std::string name, std::string summary, const GPT2Config& c) {
  ModelEntry entry;
  entry.name = std::move(name);
  entry.model_type = "gpt2";  // they differ in their defaults alone
  entry.transformers_prefix = "GPT2";
  entry.task = "language-modeling";
  entry.summary = std::move(summary);
  for (auto [key, value] : {std::pair("vocab_size", c.vocab_size),
                            std::pair("n_positions", c.n_positions), std::pair("n_embd", c.n_embd),
                            std::pair("n_layer", c.n_layer), std::pair("n_head", c.n_head)})
    entry.defaults.Set(key, value);
  entry.defaults.Set("n_inner", std::monostate());
  entry.defaults.Set("activation_function", c.activation_function);
  entry.defaults.Set("layer_norm_epsilon", c.layer_norm_epsilon);
  entry.defaults.Set("initializer_range", c.initializer_range);
  entry.defaults.Set("attn_pdrop", c.attn_pdrop);
  entry.defaults.Set("embd_pdrop", c.embd_pdrop);
  entry.defaults.Set("resid_pdrop", c.resid_pdrop);
  entry.defaults.Set("scale_attn_weights", c.scale_attn_weights);
  entry.defaults.Set("scale_attn_by_inverse_layer_idx", c.scale_attn_by_inverse_layer_idx);
  entry.defaults.Set("tie_word_embeddings", c.tie_word_embeddings);
  entry.defaults.Set("qkv_bias", c.qkv_bias);
  entry.defaults.Set("num_labels", int64_t{0});
  entry.defaults.Set("pool", std::string(kLastReal));
  entry.defaults.Set("lora_rank", int64_t{0});
  entry.defaults.Set("lora_alpha", std::monostate());  // twice the rank
  entry.defaults.Set("lora_targets", std::string("attn.c_attn,mlp.c_fc"));
  for (const char* key : {"bos_token_id", "eos_token_id"})
    entry.defaults.Set(key, std::monostate());  // the tokenizer's, unless the config says
  entry.make = [c](const Config& config) { return Make(config, c); };
  return entry;
}

GPT2Config SmallConfig() {
  GPT2Config c;
  c.vocab_size = 256;
  c.n_positions = 64;
  c.n_embd = 128, c.n_layer = 4, c.n_head = 4;
  c.attn_pdrop = c.embd_pdrop = c.resid_pdrop = 0;
  return c;
}

// The sizes that were published beside `gpt2`: Radford et al. 2019; distilgpt2: Sanh et al. 2019.
ModelEntry Published(std::string name, std::string summary, int64_t n_embd, int64_t n_layer,
                     int64_t n_head) {
  GPT2Config c;
  c.n_embd = n_embd, c.n_layer = n_layer, c.n_head = n_head;
  return Entry(std::move(name), std::move(summary), c);
}

ModelEntry Smallest() {
  ModelEntry entry = Entry("gpt2", "GPT-2 of any size, in Hugging Face's layout", GPT2Config());
  entry.aliases = {"gpt2-small"};
  return entry;
}

const bool registered [[maybe_unused]] =
    RegisterModel(Smallest()) &&
    RegisterModel(Entry("gpt", "GPT-2's architecture, small enough for a laptop", SmallConfig())) &&
    RegisterModel(Published("gpt2-medium", "GPT-2 of 355 M parameters", 1024, 24, 16)) &&
    RegisterModel(Published("gpt2-large", "GPT-2 of 774 M parameters", 1280, 36, 20)) &&
    RegisterModel(Published("gpt2-xl", "GPT-2 of 1558 M parameters", 1600, 48, 25)) &&
    RegisterModel(Published("distilgpt2", "GPT-2 of 6 blocks, 82 M parameters", 768, 6, 12));
}  // namespace
}  // namespace trama::models
