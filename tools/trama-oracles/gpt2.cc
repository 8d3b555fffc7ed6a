// Random GPT-2 models: forward, gradients, training, generation, against plain PyTorch in float64.
#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"
#include "runtime/generator.h"
#include "tools/trama-oracles/gpt2_fine_tuning.h"
#include "tools/trama-oracles/oracle.h"

namespace trama::oracles {
namespace {

constexpr int64_t kLargestInterpreted = 4096;  // words of a vocabulary

double Norm(const HostTensor& tensor) {
  double sum = 0;
  for (int64_t i = 0; i < tensor.num_elements(); ++i) sum += tensor.at(i) * tensor.at(i);
  return std::sqrt(sum);
}

// Rows of a matrix: all of them where `rows` is null.
HostTensor Rows(const HostTensor& matrix, int64_t count) {
  const int64_t width = matrix.shape[1];
  HostTensor part(matrix.dtype, {count, width});
  for (int64_t i = 0; i < count * width; ++i) part.set(i, matrix.at(i));
  return part;
}

std::vector<double> LogSumExp(const HostTensor& logits) {
  const int64_t classes = logits.shape.back();
  std::vector<double> result;
  for (int64_t row = 0; row < logits.num_elements() / classes; ++row) {
    double top = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; ++c) top = std::max(top, logits.at(row * classes + c));
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(logits.at(row * classes + c) - top);
    result.push_back(top + std::log(sum));
  }
  return result;
}

// A vocabulary too large to give all logits: those of some ids, the ten largest, the last row.
void CheckLargeVocabulary(Oracle& oracle, const std::string& prefix, const HostTensor& logits,
                          const Json& inputs) {
  if (!oracle.Has(absl::StrCat(prefix, "logits_at_probe_ids"))) return;
  const int64_t vocab = logits.shape[2], rows = logits.num_elements() / vocab;
  std::vector<double> probed, largest, best;
  for (int64_t row = 0; row < rows; ++row) {
    std::vector<double> values;
    for (int64_t v = 0; v < vocab; ++v) values.push_back(logits.at(row * vocab + v));
    for (const Json& id : inputs.Find("probe_ids")->array())
      if (id.if_int()) probed.push_back(values[static_cast<size_t>(*id.if_int())]);
    best.push_back(
        static_cast<double>(std::max_element(values.begin(), values.end()) - values.begin()));
    std::partial_sort(values.begin(), values.begin() + 10, values.end(), std::greater<>());
    largest.insert(largest.end(), values.begin(), values.begin() + 10);
  }
  oracle.Check(absl::StrCat(prefix, "logits_at_probe_ids"), probed);
  oracle.Check(absl::StrCat(prefix, "top10_logits"), largest);
  oracle.Check(absl::StrCat(prefix, "argmax"), best);
  std::string entry = absl::StrCat(prefix, "logits_last_row0");
  if (!oracle.Has(entry)) entry = absl::StrCat(prefix, "logits_last");
  if (!oracle.Has(entry)) return;
  std::vector<double> last;
  const int64_t at = (logits.shape[1] - 1) * vocab;
  for (int64_t v = 0; v < vocab; ++v) last.push_back(logits.at(at + v));
  oracle.Check(entry, last);
}

// All probabilities; or, where the vocabulary is large, the ids kept, rising, with theirs, or how
// many are and the fifty largest.
void CheckDistribution(Oracle& oracle, const std::string& entry, const TokenDistribution& got,
                       int64_t vocab) {
  if (oracle.Has(entry + ".ids")) {
    std::map<int32_t, double> by_id;
    for (size_t i = 0; i < got.ids.size(); ++i) by_id[got.ids[i]] = got.probabilities[i];
    std::vector<int32_t> ids;
    std::vector<double> probabilities;
    for (const auto& [id, probability] : by_id) {
      ids.push_back(id);
      probabilities.push_back(probability);
    }
    oracle.CheckIds(entry + ".ids", ids);
    oracle.CheckSensitive(entry + ".prob", probabilities);
  } else if (oracle.Has(entry + ".top50_prob")) {
    std::vector<double> largest = got.probabilities;
    std::sort(largest.begin(), largest.end(), std::greater<>());
    oracle.CheckSensitive(entry + ".kept", static_cast<double>(largest.size()));
    largest.resize(50);
    oracle.CheckSensitive(entry + ".top50_prob", largest);
  } else {
    oracle.CheckSensitive(entry + ".prob", got.Dense(vocab));
  }
}

struct Case {
  std::string directory;
  const SessionOptions& options;
  Report* report;
  LoadedModel model;
  Json inputs;

  absl::StatusOr<Oracle> Load(const char* file) const {
    return Oracle::Load(JoinPath(directory, file),
                        absl::StrCat(LabelOf(directory, options), " ", file), report);
  }
};

absl::Status RunForward(const Case& test) {
  TRAMA_ASSIGN_OR_RETURN(Oracle oracle, test.Load("forward.json"));
  const Json* inputs = test.inputs.Find("forward");
  if (!inputs) return absl::InvalidArgumentError("inputs.json: no forward");
  for (const auto& [name, rows] : inputs->object()) {
    TRAMA_ASSIGN_OR_RETURN(HostTensor ids, IdsOf(rows));
    ForwardOptions forward;
    forward.hidden_states = forward.attentions = oracle.Has(absl::StrCat(name, ".hidden_0"));
    TRAMA_ASSIGN_OR_RETURN(TensorMap outputs,
                           CallOnce(*test.model.model, ProgramKind::kForward, test.model.parameters,
                                    {{"input_ids", ids}}, test.options, forward));
    const HostTensor& logits = outputs.at("logits");
    oracle.Check(absl::StrCat(name, ".logsumexp"), LogSumExp(logits));
    if (oracle.Has(absl::StrCat(name, ".logits")))
      oracle.Check(absl::StrCat(name, ".logits"), logits);
    CheckLargeVocabulary(oracle, name + ".", logits, test.inputs);
    for (const auto& [output, tensor] : outputs) {
      std::string entry = absl::StrCat(name, ".", output);
      if (absl::StartsWith(output, "hidden_states."))
        entry = absl::StrCat(name, ".hidden_", absl::StripPrefix(output, "hidden_states."));
      if (absl::StartsWith(output, "attentions."))
        entry = absl::StrCat(name, ".attention_", absl::StripPrefix(output, "attentions."));
      if (output != "logits" && oracle.Has(entry)) oracle.Check(entry, tensor);
    }
    if (name != "a") continue;
    // What the next token is drawn from, after the last position of row 0.
    const int64_t vocab = logits.shape[2], last = logits.shape[1] - 1;
    std::vector<float> row;
    for (int64_t v = 0; v < vocab; ++v)
      row.push_back(static_cast<float>(logits.at(last * vocab + v)));
    for (const Json& setting : test.inputs.Find("sampling")->array()) {
      const Json::Array& parts = setting.array();
      SamplingOptions sampling;
      std::string label;
      TRAMA_ASSIGN_OR_RETURN(sampling.temperature, parts[0].As<double>());
      if (const int64_t* top_k = parts[1].if_int()) sampling.top_k = *top_k;
      if (!parts[2].is_null()) {
        TRAMA_ASSIGN_OR_RETURN(sampling.top_p, parts[2].As<double>());
      }
      const std::string entry = absl::StrCat("sampling.T", parts[0].Dump(), "_k",
                                             parts[1].is_null() ? "None" : parts[1].Dump(), "_p",
                                             parts[2].is_null() ? "None" : parts[2].Dump());
      Sampler sampler(sampling);
      TRAMA_RETURN_IF_ERROR(sampler.Next(row, {}, 0).status());
      CheckDistribution(oracle, entry, sampler.distribution(), vocab);
    }
  }
  oracle.Finish();
  return absl::OkStatus();
}

absl::Status CheckGradients(Oracle& oracle, const std::string& prefix, const TensorMap& gradients) {
  double squares = 0;
  for (const auto& [output, tensor] : gradients) {
    if (!absl::StartsWith(output, "grad.")) continue;
    const double norm = Norm(tensor);
    squares += norm * norm;
    const std::string name(absl::StripPrefix(output, "grad."));
    if (const std::string entry = absl::StrCat(prefix, "grad_norm.", name); oracle.Has(entry))
      oracle.Check(entry, norm);
    if (const std::string entry = absl::StrCat(prefix, "grad.", name); oracle.Has(entry))
      oracle.Check(entry, tensor);
  }
  oracle.Check(absl::StrCat(prefix, "grad_global_norm"), std::sqrt(squares));
  oracle.Check(absl::StrCat(prefix, "loss"), gradients.at("loss"));
  return absl::OkStatus();
}

absl::Status RunGradients(const Case& test) {
  TRAMA_ASSIGN_OR_RETURN(Oracle oracle, test.Load("gradients.json"));
  TRAMA_ASSIGN_OR_RETURN(HostTensor ids, IdsOf(*test.inputs.Find("loss_ids")));
  TRAMA_ASSIGN_OR_RETURN(HostTensor targets, IdsOf(*test.inputs.Find("loss_targets")));
  TRAMA_ASSIGN_OR_RETURN(TensorMap gradients,
                         CallOnce(*test.model.model, ProgramKind::kGradients, test.model.parameters,
                                  {{"input_ids", ids}, {"labels", targets}}, test.options));
  TRAMA_RETURN_IF_ERROR(CheckGradients(oracle, "", gradients));
  oracle.Check("perplexity", std::exp(gradients.at("loss").at(0)));
  oracle.Check("grad_rows.wpe.weight", Rows(gradients.at("grad.wpe.weight"), ids.shape[1]));
  if (oracle.Has("grad_rows.wte.weight")) {
    TRAMA_ASSIGN_OR_RETURN(std::vector<int64_t> rows,
                           test.inputs.Get<std::vector<int64_t>>("wte_rows"));
    const HostTensor& all = gradients.at("grad.wte.weight");
    std::vector<double> picked;
    for (int64_t row : rows)
      for (int64_t c = 0; c < all.shape[1]; ++c) picked.push_back(all.at(row * all.shape[1] + c));
    oracle.Check("grad_rows.wte.weight", picked);
  }
  if (const Json* instruction = test.inputs.Find("instruction")) {
    TRAMA_ASSIGN_OR_RETURN(HostTensor inputs, IdsOf(*instruction->Find("inputs")));
    TRAMA_ASSIGN_OR_RETURN(HostTensor labels, IdsOf(*instruction->Find("targets")));
    TRAMA_ASSIGN_OR_RETURN(
        TensorMap results,
        CallOnce(*test.model.model, ProgramKind::kGradients, test.model.parameters,
                 {{"input_ids", inputs}, {"labels", labels}}, test.options));
    TRAMA_RETURN_IF_ERROR(CheckGradients(oracle, "instruction.", results));
    double counted = 0;
    for (int64_t i = 0; i < labels.num_elements(); ++i) counted += labels.at(i) != -100;
    oracle.Check("instruction.counted_targets", counted);
  }
  oracle.Finish();
  return absl::OkStatus();
}

absl::Status RunTraining(const Case& test) {
  TRAMA_ASSIGN_OR_RETURN(Oracle oracle, test.Load("training.json"));
  const Json::Array& batches = test.inputs.Find("train_batches")->array();
  std::vector<TensorMap> steps;
  for (const Json& batch : batches) {
    TRAMA_ASSIGN_OR_RETURN(HostTensor all, IdsOf(batch));
    const int64_t rows = all.shape[0], length = all.shape[1] - 1;
    HostTensor ids(DType::kI32, {rows, length}), labels(DType::kI32, {rows, length});
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t t = 0; t < length; ++t) {
        ids.set(r * length + t, all.at(r * (length + 1) + t));
        labels.set(r * length + t, all.at(r * (length + 1) + t + 1));
      }
    steps.push_back({{"input_ids", ids}, {"labels", labels}});
  }
  for (const auto& [name, setting] : test.inputs.Find("training")->object()) {
    Program step;
    step.name = "step";
    step.kind = ProgramKind::kTrainStep;
    step.optimizer.kind = OptimizerKind::kAdamW;
    TRAMA_ASSIGN_OR_RETURN(std::vector<double> betas, setting.Get<std::vector<double>>("betas"));
    TRAMA_ASSIGN_OR_RETURN(std::vector<double> rates, setting.Get<std::vector<double>>("lrs"));
    step.optimizer.beta1 = betas[0];
    step.optimizer.beta2 = betas[1];
    TRAMA_ASSIGN_OR_RETURN(step.optimizer.eps, setting.Get<double>("eps"));
    TRAMA_ASSIGN_OR_RETURN(step.optimizer.weight_decay, setting.Get<double>("weight_decay"));
    TRAMA_ASSIGN_OR_RETURN(step.optimizer.clip_norm, setting.GetOr<double>("clip", 0));
    for (const auto& [input, tensor] : steps[0])
      step.inputs.push_back({input, tensor.dtype, tensor.shape});
    Program loss = step;
    loss.name = "loss";
    loss.kind = ProgramKind::kLoss;
    TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                           Session::Create(*test.model.model, {step, loss}, test.options));
    TRAMA_RETURN_IF_ERROR(session->LoadState(test.model.parameters));
    std::vector<double> losses, norms;
    for (size_t i = 0; i < steps.size(); ++i) {
      Scalars scalars;
      scalars.lr = rates[i];
      scalars.step = static_cast<int64_t>(i) + 1;
      scalars.beta1 = betas[0];
      scalars.beta2 = betas[1];
      TRAMA_ASSIGN_OR_RETURN(TensorMap outputs, session->Call("step", steps[i], scalars));
      losses.push_back(outputs.at("loss").at(0));
      norms.push_back(outputs.at("grad_norm").at(0));
    }
    oracle.Check(absl::StrCat(name, ".losses"), losses);
    oracle.Check(absl::StrCat(name, ".grad_norms"), norms);
    TRAMA_ASSIGN_OR_RETURN(TensorMap after, session->Call("loss", steps[0]));
    oracle.Check(absl::StrCat(name, ".batch0_loss_after"), after.at("loss"));
    TRAMA_ASSIGN_OR_RETURN(TensorMap parameters, session->ReadParameters());
    for (const auto& [parameter, tensor] : parameters) {
      if (const std::string entry = absl::StrCat(name, ".final.", parameter); oracle.Has(entry))
        oracle.CheckSensitive(entry, tensor);
      if (const std::string entry = absl::StrCat(name, ".final_norm.", parameter);
          oracle.Has(entry))
        oracle.Check(entry, Norm(tensor));
    }
  }
  oracle.Finish();
  return absl::OkStatus();
}

absl::Status CheckGreedy(Oracle& oracle, Generator& generator, const std::string& entry,
                         const Json& setting) {
  TRAMA_ASSIGN_OR_RETURN(std::vector<int64_t> prompt,
                         setting.Get<std::vector<int64_t>>("prompt_ids"));
  GenerateOptions options;
  options.sampling.greedy = true;
  options.max_tokens = 40;
  TRAMA_ASSIGN_OR_RETURN(std::vector<GeneratedSample> samples,
                         generator.Generate({{prompt.begin(), prompt.end()}}, options));
  oracle.CheckIds(entry, samples[0].ids);
  return absl::OkStatus();
}

absl::Status RunGeneration(const Case& test) {
  TRAMA_ASSIGN_OR_RETURN(Oracle oracle, test.Load("generation.json"));
  for (bool cached : {true, false}) {
    TRAMA_ASSIGN_OR_RETURN(
        std::unique_ptr<Generator> generator,
        Generator::Create(test.model, test.model.parameters, test.options, 1, cached));
    for (const auto& [name, setting] : test.inputs.Find("generation")->object()) {
      TRAMA_RETURN_IF_ERROR(CheckGreedy(oracle, *generator, name, setting));
    }
  }
  oracle.Finish();
  return absl::OkStatus();
}

// The published size: one expected file of everything, with less of each tensor in it.

absl::Status CheckForwardOfLargeModel(Oracle& oracle, const Case& test) {
  TRAMA_ASSIGN_OR_RETURN(const std::vector<int64_t> sequence,
                         test.inputs.Get<std::vector<int64_t>>("ids"));
  const auto length = static_cast<int64_t>(sequence.size());
  const HostTensor ids =
      HostTensor::I32({1, length}, std::vector<int32_t>(sequence.begin(), sequence.end()));
  TRAMA_ASSIGN_OR_RETURN(
      TensorMap outputs,
      CallOnce(*test.model.model, ProgramKind::kForward, test.model.parameters,
               {{"input_ids", ids}}, test.options, {.hidden_states = true, .attentions = true}));
  const HostTensor& logits = outputs.at("logits");
  oracle.Check("logsumexp", LogSumExp(logits));
  CheckLargeVocabulary(oracle, "", logits, test.inputs);
  for (const auto& [output, tensor] : outputs) {
    std::vector<double> last;  // of the last position
    if (absl::string_view index = output; absl::ConsumePrefix(&index, "hidden_states.")) {
      const std::string entry = absl::StrCat("hidden_", index, "_last");
      const int64_t width = tensor.shape[2];
      for (int64_t c = 0; c < width; ++c) last.push_back(tensor.at((length - 1) * width + c));
      if (oracle.Has(entry)) oracle.Check(entry, last);
    } else if (absl::ConsumePrefix(&index, "attentions.")) {
      const std::string entry = absl::StrCat("attention_", index, "_last_query");
      for (int64_t head = 0; head < tensor.shape[1]; ++head)
        for (int64_t key = 0; key < length; ++key)
          last.push_back(tensor.at((head * length + length - 1) * length + key));
      if (oracle.Has(entry)) oracle.Check(entry, last);
    }
  }
  const int64_t vocab = logits.shape[2];
  std::vector<float> row;
  for (int64_t v = 0; v < vocab; ++v)
    row.push_back(static_cast<float>(logits.at((length - 1) * vocab + v)));
  SamplingOptions sampling;
  sampling.temperature = 0.8;
  sampling.top_k = 50;
  Sampler sampler(sampling);
  TRAMA_RETURN_IF_ERROR(sampler.Next(row, {}, 0).status());
  std::vector<double> largest = sampler.distribution().probabilities;
  std::sort(largest.begin(), largest.end(), std::greater<>());
  oracle.Check("prob_last_T0.8_k50", largest);
  return absl::OkStatus();
}

absl::Status CheckTrainingOfLargeModel(Oracle& oracle, const Case& test, const TensorMap& batch) {
  const Json* setting = test.inputs.Find("training");
  if (!setting) return absl::InvalidArgumentError("inputs.json: no training");
  TRAMA_ASSIGN_OR_RETURN(const std::vector<double> betas,
                         setting->Get<std::vector<double>>("betas"));
  TRAMA_ASSIGN_OR_RETURN(const int64_t steps, setting->Get<int64_t>("steps"));
  Scalars scalars;
  TRAMA_ASSIGN_OR_RETURN(scalars.lr, setting->Get<double>("lr"));
  Program step;
  step.name = "step";
  step.kind = ProgramKind::kTrainStep;
  step.optimizer.kind = OptimizerKind::kAdamW;
  step.optimizer.beta1 = scalars.beta1 = betas[0];
  step.optimizer.beta2 = scalars.beta2 = betas[1];
  TRAMA_ASSIGN_OR_RETURN(step.optimizer.eps, setting->Get<double>("eps"));
  TRAMA_ASSIGN_OR_RETURN(step.optimizer.weight_decay, setting->Get<double>("weight_decay"));
  TRAMA_ASSIGN_OR_RETURN(step.optimizer.clip_norm, setting->Get<double>("clip"));
  for (const auto& [input, tensor] : batch)
    step.inputs.push_back({input, tensor.dtype, tensor.shape});
  Program loss = step;
  loss.name = "loss";
  loss.kind = ProgramKind::kLoss;
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                         Session::Create(*test.model.model, {step, loss}, test.options));
  TRAMA_RETURN_IF_ERROR(session->LoadState(test.model.parameters));
  std::vector<double> losses, norms;
  for (scalars.step = 1; scalars.step <= steps; ++scalars.step) {
    TRAMA_ASSIGN_OR_RETURN(TensorMap outputs, session->Call("step", batch, scalars));
    losses.push_back(outputs.at("loss").at(0));
    norms.push_back(outputs.at("grad_norm").at(0));
  }
  TRAMA_ASSIGN_OR_RETURN(TensorMap after, session->Call("loss", batch));
  losses.push_back(after.at("loss").at(0));
  oracle.Check("adamw_clip_losses", losses);
  oracle.Check("adamw_clip_grad_norms", norms);
  return absl::OkStatus();
}

absl::Status RunLargeModel(const Case& test) {
  TRAMA_ASSIGN_OR_RETURN(Oracle oracle, test.Load("expected.json"));
  TRAMA_RETURN_IF_ERROR(CheckForwardOfLargeModel(oracle, test));
  TRAMA_ASSIGN_OR_RETURN(HostTensor ids, IdsOf(*test.inputs.Find("loss_ids")));
  TRAMA_ASSIGN_OR_RETURN(HostTensor targets, IdsOf(*test.inputs.Find("loss_targets")));
  const TensorMap batch = {{"input_ids", ids}, {"labels", targets}};
  {
    TRAMA_ASSIGN_OR_RETURN(TensorMap gradients,
                           CallOnce(*test.model.model, ProgramKind::kGradients,
                                    test.model.parameters, batch, test.options));
    TRAMA_RETURN_IF_ERROR(CheckGradients(oracle, "", gradients));
    for (const auto& [output, tensor] : gradients) {
      const std::string entry =
          absl::StrCat("grad_first_rows.", absl::StripPrefix(output, "grad."));
      if (const Shape shape = oracle.ShapeOf(entry); !shape.empty())
        oracle.Check(entry, Rows(tensor, shape[0]));
    }
  }
  TRAMA_RETURN_IF_ERROR(CheckTrainingOfLargeModel(oracle, test, batch));
  TRAMA_ASSIGN_OR_RETURN(
      std::unique_ptr<Generator> generator,
      Generator::Create(test.model, test.model.parameters, test.options, 1, /*use_cache=*/true));
  for (const char* name : {"greedy_0", "greedy_1"}) {
    TRAMA_RETURN_IF_ERROR(CheckGreedy(oracle, *generator, name, *test.inputs.Find(name)));
  }
  oracle.Finish();
  return absl::OkStatus();
}

absl::Status Run(const std::string& directory, const SessionOptions& options, Report* report) {
  const std::string model = JoinPath(directory, "model");
  if (!IsDirectory(model)) {
    std::cerr << LabelOf(directory, options) << ": not run: its weights are still to be made, as "
              << model << "\n";
    return absl::OkStatus();
  }
  Case test{directory, options, report, {}, {}};
  TRAMA_ASSIGN_OR_RETURN(test.model, LoadModelDirectory(model));
  TRAMA_ASSIGN_OR_RETURN(const int64_t vocab, test.model.config.Int("vocab_size", 0));
  if (absl::StrContains(options.backend, "reference") && vocab > kLargestInterpreted) {
    std::cerr << LabelOf(directory, options) << ": not run: the interpreter would take hours over "
              << vocab << " words\n";
    return absl::OkStatus();
  }
  TRAMA_ASSIGN_OR_RETURN(test.inputs, Json::ParseFile(JoinPath(directory, "inputs.json")));
  if (FileExists(JoinPath(directory, "expected.json"))) return RunLargeModel(test);
  TRAMA_RETURN_IF_ERROR(RunForward(test));
  TRAMA_RETURN_IF_ERROR(RunGradients(test));
  TRAMA_RETURN_IF_ERROR(RunTraining(test));
  TRAMA_RETURN_IF_ERROR(RunGeneration(test));
  return RunFineTuning(directory, options, std::move(test.model), test.inputs, report);
}

TRAMA_ORACLE("gpt2", Run);

}  // namespace
}  // namespace trama::oracles
