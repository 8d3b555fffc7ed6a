#include "tools/trama-oracles/gpt2_fine_tuning.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "runtime/fine_tune.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"
#include "runtime/lora.h"

namespace trama::oracles {
namespace {

constexpr double kLearningRate = 1e-3;

// A session that trains `trainable` on one batch again and again.
struct Tuning {
  std::unique_ptr<Session> session;
  TensorMap batch;

  static absl::StatusOr<Tuning> Create(const LoadedModel& model, const TensorMap& batch,
                                       std::vector<std::string> trainable, double weight_decay,
                                       const SessionOptions& options) {
    Program step;
    step.name = "step";
    step.kind = ProgramKind::kTrainStep;
    step.optimizer.weight_decay = weight_decay;
    step.trainable = std::move(trainable);
    for (const auto& [name, tensor] : batch)
      step.inputs.push_back({name, tensor.dtype, tensor.shape});
    Program loss = step;
    loss.name = "loss";
    loss.kind = ProgramKind::kLoss;
    Tuning tuning;
    tuning.batch = batch;
    TRAMA_ASSIGN_OR_RETURN(tuning.session, Session::Create(*model.model, {step, loss}, options));
    TRAMA_RETURN_IF_ERROR(tuning.session->LoadState(model.parameters));
    return tuning;
  }
  // The losses before each of `count` updates, of which the first is number `first`.
  absl::StatusOr<std::vector<double>> Steps(int64_t first, int64_t count) {
    const OptimizerConfig adamw;
    std::vector<double> losses;
    for (int64_t k = first; k < first + count; ++k) {
      TRAMA_ASSIGN_OR_RETURN(
          TensorMap outputs,
          session->Call(
              "step", batch,
              {.lr = kLearningRate, .step = k, .beta1 = adamw.beta1, .beta2 = adamw.beta2}));
      losses.push_back(outputs.at("loss").at(0));
    }
    return losses;
  }
};

std::vector<double> Softmax(const HostTensor& logits) {
  const int64_t classes = logits.shape[1];
  std::vector<double> result;
  for (int64_t row = 0; row < logits.shape[0]; ++row) {
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(logits.at(row * classes + c));
    for (int64_t c = 0; c < classes; ++c)
      result.push_back(std::exp(logits.at(row * classes + c)) / sum);
  }
  return result;
}

void CheckNamed(Oracle& oracle, const std::string& prefix, const TensorMap& gradients) {
  for (const auto& [output, tensor] : gradients)
    if (const std::string entry = prefix + output;
        absl::StartsWith(output, "grad.") && oracle.Has(entry))
      oracle.Check(entry, tensor);
}

// The head, the last norm and the last block of `layers`.
std::vector<std::string> LastParts(const Model& model, int64_t layers) {
  std::vector<std::string> names;
  for (const nn::Parameter* parameter : model.module().parameters())
    for (const std::string& part :
         {std::string("score."), std::string("ln_f."), absl::StrCat("h.", layers - 1, ".")})
      if (absl::StartsWith(parameter->path(), part)) names.push_back(parameter->path());
  return names;
}

absl::Status RunClassification(Oracle& oracle, const std::string& prefix, const LoadedModel& model,
                               TensorMap batch, const SessionOptions& options) {
  TRAMA_ASSIGN_OR_RETURN(const int64_t layers, model.config.Int("n_layer", 0));
  TensorMap inputs = batch;
  inputs.erase("labels");
  TRAMA_ASSIGN_OR_RETURN(TensorMap outputs, CallOnce(*model.model, ProgramKind::kForward,
                                                     model.parameters, inputs, options));
  oracle.Check(prefix + "logits", outputs.at("logits"));
  oracle.Check(prefix + "probs", Softmax(outputs.at("logits")));
  TRAMA_ASSIGN_OR_RETURN(TensorMap gradients, CallOnce(*model.model, ProgramKind::kGradients,
                                                       model.parameters, batch, options));
  oracle.Check(prefix + "loss", gradients.at("loss"));
  CheckNamed(oracle, prefix, gradients);
  TRAMA_ASSIGN_OR_RETURN(
      Tuning tuning,
      Tuning::Create(model, batch, LastParts(*model.model, layers), /*weight_decay=*/0.1, options));
  TRAMA_ASSIGN_OR_RETURN(const std::vector<double> losses, tuning.Steps(1, 10));
  oracle.Check(prefix + "losses_10_steps", losses);
  TRAMA_ASSIGN_OR_RETURN(TensorMap after, tuning.session->Call("loss", batch));
  oracle.CheckSensitive(prefix + "loss_after_10", after.at("loss"));
  TRAMA_ASSIGN_OR_RETURN(TensorMap parameters, tuning.session->ReadParameters());
  oracle.CheckSensitive(prefix + "score_weight_after_10", parameters.at("score.weight"));
  return absl::OkStatus();
}

absl::Status RunClassifications(const std::string& directory, const SessionOptions& options,
                                LoadedModel& model, const Json& inputs, Report* report) {
  TRAMA_ASSIGN_OR_RETURN(
      Oracle oracle,
      Oracle::Load(JoinPath(directory, "classification.json"),
                   absl::StrCat(LabelOf(directory, options), " classification.json"), report));
  TRAMA_ASSIGN_OR_RETURN(TensorMap head, ReadSafetensors(JoinPath(directory, "head.safetensors")));
  TRAMA_RETURN_IF_ERROR(EnsureHead(head.at("score.weight").shape[0], /*seed=*/0, &model));
  for (auto& [name, tensor] : head) model.parameters[name] = std::move(tensor);
  const Json& given = *inputs.Find("classification");
  TensorMap batch;
  TRAMA_ASSIGN_OR_RETURN(batch["input_ids"], IdsOf(*given.Find("ids")));
  TRAMA_ASSIGN_OR_RETURN(std::vector<int64_t> labels, given.Get<std::vector<int64_t>>("labels"));
  TRAMA_ASSIGN_OR_RETURN(std::vector<int64_t> lengths, given.Get<std::vector<int64_t>>("lengths"));
  batch["labels"] =
      HostTensor::I32({static_cast<int64_t>(labels.size())}, {labels.begin(), labels.end()});
  TRAMA_RETURN_IF_ERROR(RunClassification(oracle, "last_position.", model, batch, options));
  const Shape shape = batch.at("input_ids").shape;
  HostTensor mask(DType::kI32, shape);
  for (int64_t row = 0; row < shape[0]; ++row)
    for (int64_t t = 0; t < lengths[row]; ++t) mask.set(row * shape[1] + t, 1);
  batch["attention_mask"] = mask;
  TRAMA_RETURN_IF_ERROR(RunClassification(oracle, "last_real_token.", model, batch, options));
  oracle.Finish();
  return absl::OkStatus();
}

std::vector<std::string> Adapters(const LoadedModel& model) {
  std::vector<std::string> names;
  for (const nn::Parameter* parameter : model.model->module().parameters())
    if (IsAdapterParameter(parameter->path())) names.push_back(parameter->path());
  return names;
}

absl::Status RunLora(const std::string& directory, const SessionOptions& options,
                     const Json& inputs, Report* report) {
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, LoadModelDirectory(JoinPath(directory, "model")));
  TRAMA_ASSIGN_OR_RETURN(
      Oracle oracle, Oracle::Load(JoinPath(directory, "lora.json"),
                                  absl::StrCat(LabelOf(directory, options), " lora.json"), report));
  const Json& given = *inputs.Find("lora");
  Config changes;
  TRAMA_ASSIGN_OR_RETURN(const int64_t rank, given.Get<int64_t>("rank"));
  TRAMA_ASSIGN_OR_RETURN(const double alpha, given.Get<double>("alpha"));
  changes.Set("lora_rank", rank);
  changes.Set("lora_alpha", alpha);
  TRAMA_RETURN_IF_ERROR(Reconfigure(changes, /*seed=*/0, &model));
  TRAMA_ASSIGN_OR_RETURN(TensorMap adapters,
                         ReadSafetensors(JoinPath(directory, "lora_init.safetensors")));
  for (auto& [name, tensor] : adapters) model.parameters[name] = std::move(tensor);

  TensorMap batch;
  TRAMA_ASSIGN_OR_RETURN(batch["input_ids"], IdsOf(*inputs.Find("loss_ids")));
  TRAMA_ASSIGN_OR_RETURN(batch["labels"], IdsOf(*inputs.Find("loss_targets")));
  TRAMA_ASSIGN_OR_RETURN(TensorMap gradients, CallOnce(*model.model, ProgramKind::kGradients,
                                                       model.parameters, batch, options));
  oracle.Check("loss", gradients.at("loss"));
  CheckNamed(oracle, "", gradients);
  TRAMA_ASSIGN_OR_RETURN(Tuning tuning, Tuning::Create(model, batch, Adapters(model),
                                                       /*weight_decay=*/0, options));
  TRAMA_ASSIGN_OR_RETURN(std::vector<double> losses, tuning.Steps(1, 1));
  TRAMA_ASSIGN_OR_RETURN(TensorMap after, tuning.session->ReadParameters());
  for (const auto& [name, tensor] : after) {
    if (const std::string entry = absl::StrCat("after_1_adamw.", name); oracle.Has(entry))
      oracle.CheckSensitive(entry, tensor);
    if (!IsAdapterParameter(name) && tensor.bytes != model.parameters.at(name).bytes)
      report->Fail(LabelOf(directory, options), absl::StrCat(name, " is frozen and has changed"));
  }
  TRAMA_ASSIGN_OR_RETURN(const std::vector<double> more, tuning.Steps(2, 4));
  losses.insert(losses.end(), more.begin(), more.end());
  oracle.Check("losses_5_steps", losses);
  TRAMA_RETURN_IF_ERROR(MergeLora(&model));
  TRAMA_ASSIGN_OR_RETURN(TensorMap merged, CallOnce(*model.model, ProgramKind::kLoss,
                                                    model.parameters, batch, options));
  oracle.Check("loss_with_merged_weights", merged.at("loss"));
  oracle.Finish();
  return absl::OkStatus();
}

}  // namespace

absl::Status RunFineTuning(const std::string& directory, const SessionOptions& options,
                           LoadedModel model, const Json& inputs, Report* report) {
  if (FileExists(JoinPath(directory, "lora.json")))
    TRAMA_RETURN_IF_ERROR(RunLora(directory, options, inputs, report));
  if (FileExists(JoinPath(directory, "classification.json")))
    TRAMA_RETURN_IF_ERROR(RunClassifications(directory, options, model, inputs, report));
  return absl::OkStatus();
}

}  // namespace trama::oracles
