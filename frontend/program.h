// The programs a model becomes, and tracing them into one IR module.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "frontend/model.h"

namespace trama {

enum class ProgramKind {
  kForward,     // inputs -> outputs
  kLoss,        // inputs with labels -> loss
  kGradients,   // -> loss, grad.NAME of every parameter and floating-point input
  kTrainStep,   // forward, loss, backward, clip, update: -> loss, grad_norm, finite
  kAccumulate,  // adds a micro-batch's gradient sums to state
  kApply,       // divides, clips and updates from what was accumulated
  kDecode,      // one chunk with a key/value cache: -> logits, or candidates with them
};

enum class OptimizerKind { kSgd, kMomentum, kAdam, kAdamW };
const char* NameOf(OptimizerKind kind);  // "sgd", "momentum", "adam", "adamw"

// torch.optim's formulas and defaults; lr arrives at run time. In the IR trama.optimizer = {kind =
// "sgd" | "momentum" | "adam" | "adamw", beta1, beta2, eps, momentum, weight_decay, clip_norm:
// f64}.
struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double momentum = 0.9;
  double weight_decay = 0;  // AdamW: decoupled, tensors of rank >= 2 only; elsewhere L2 on all
  double clip_norm = 0;     // 0: no clipping
};

struct Program {
  std::string name;  // unique in a session: "forward", "train_step", "train_step.b4"
  ProgramKind kind = ProgramKind::kForward;
  std::vector<TensorSpec> inputs = {};
  ForwardOptions options = {};
  OptimizerConfig optimizer = {};           // train_step and apply
  std::vector<std::string> trainable = {};  // parameters that are trained; empty: all
  bool training = false;                    // dropout is on
  int64_t cache_capacity = 0;               // decode: keys a cache holds
  int64_t candidates = 0;  // decode: as many of the largest logits are results too, in order
};

// The traced programs: an MLIR module and the context it lives in.
class TracedModule {
 public:
  struct Impl;  // frontend/emit.h
  explicit TracedModule(std::unique_ptr<Impl> impl);
  TracedModule(TracedModule&&) noexcept;
  TracedModule& operator=(TracedModule&&) noexcept;
  ~TracedModule();
  Impl& impl() const { return *impl_; }
  std::string ToString(bool locations = false) const;  // MLIR text; with the DSL's lines

 private:
  std::unique_ptr<Impl> impl_;
};

// Traces every program as a func.func of one module with the attributes of docs/architecture.md.
// `float_type` stands for f32 throughout (kF64 on `reference`). The first error of the DSL is
// returned: "matmul: inner sizes of 2x3 and 4x5 disagree (gpt2.h:41)".
absl::StatusOr<TracedModule> Trace(const Model& model, absl::Span<const Program> programs,
                                   DType float_type = DType::kF32);

}  // namespace trama
