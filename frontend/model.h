// A model as tools, sessions and tests see it: parameters, and a forward from named inputs to named
// outputs. The names are the command line's contract (`input_ids`, `labels`, `logits`, `loss`).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/config.h"
#include "base/dtype.h"
#include "base/shape.h"
#include "frontend/nn.h"
#include "frontend/tensor.h"

namespace trama {

struct TensorSpec {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
};

using Tensors = std::map<std::string, Tensor>;
// The input of that name; an error of the trace where it is absent.
Tensor Required(const Tensors& inputs, const std::string& name, Loc loc = Loc::current());
// A model's own error of the trace, with the line of the call.
void Reject(const std::string& message, Loc loc = Loc::current());
// The input, empty where it is absent.
Tensor Given(const Tensors& inputs, const std::string& name);

struct ForwardOptions {
  bool hidden_states = false;  // also hidden_states.N and final_norm
  bool attentions = false;     // also attentions.N [B, heads, T, S]
  double label_smoothing = 0;  // of the loss, in [0, 1]
};

class Model {
 public:
  virtual ~Model() = default;
  virtual const nn::Module& module() const = 0;
  // Called while tracing. The inputs are those that the caller has; an input that is needed and
  // absent makes an error of the trace. `loss`, a scalar, is among the outputs where `labels` is
  // among the inputs and the model has a loss. The outputs' order of importance is `outputs()`.
  virtual Tensors Forward(const Tensors& inputs, const ForwardOptions& options) const = 0;

  // The inputs of a batch of `batch` examples; `length` is the time axis of sequence models and
  // ignored elsewhere. `labels` comes last, where the model has a loss.
  virtual std::vector<TensorSpec> Inputs(int64_t batch, int64_t length) const = 0;
  // The first output is the one whose gradient `grad_output` is.
  virtual std::vector<std::string> Outputs() const = 0;
  // The longest time axis; 0 where there is none.
  virtual int64_t MaxLength() const { return 0; }
  // The dimension of an input that is the time axis, -1 where it has none; only causal models that
  // can decode with a cache name one.
  virtual int SequenceDim(const std::string& input) const { return -1; }
};

// One family of the zoo.
struct ModelEntry {
  std::string name;                  // "logistic-regression"
  std::vector<std::string> aliases;  // other `model_type`s and command line names
  std::string model_type;            // of config.json; "" where it is the name
  std::string transformers_prefix;   // "GPT2" of transformers' GPT2LMHeadModel; "": it has none
  std::string task;                  // "classification", "language-modeling", "next-token", ...
  std::string summary;               // one line
  Config defaults;                   // every config key with its default
  // The model for a config in which absent keys have their defaults. InvalidArgument names the key.
  std::function<absl::StatusOr<std::unique_ptr<Model>>(const Config&)> make;
};

// Called by the models' static registrations; `TRAMA_MODEL(entry)` in a model's .cc.
bool RegisterModel(ModelEntry entry);
// By name; every entry once.
const std::map<std::string, ModelEntry>& Models();
// By name or alias. NotFound suggests the nearest name.
absl::StatusOr<const ModelEntry*> FindModel(const std::string& name);

#define TRAMA_MODEL(entry) \
  static const bool trama_model_registered_ [[maybe_unused]] = ::trama::RegisterModel(entry)

}  // namespace trama
