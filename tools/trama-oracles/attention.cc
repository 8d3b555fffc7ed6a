// Attention alone, with its projections, and the character model of the first course text.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"
#include "runtime/generator.h"
#include "runtime/tokenizer/char_tokenizer.h"
#include "tools/trama-oracles/oracle.h"

namespace trama::oracles {
namespace {

HostTensor Int32(const HostTensor& tensor) { return tensor.Cast(DType::kI32); }

absl::Status RunQkv(const std::string& directory, const SessionOptions& options, Report* report) {
  TRAMA_ASSIGN_OR_RETURN(Oracle oracle, Oracle::Load(JoinPath(directory, "expected.json"),
                                                     LabelOf(directory, options), report));
  TRAMA_ASSIGN_OR_RETURN(TensorMap given,
                         ReadSafetensors(JoinPath(directory, "inputs.safetensors")));
  Config config;
  TRAMA_ASSIGN_OR_RETURN(const int64_t heads, oracle.info().Get<int64_t>("heads"));
  TRAMA_ASSIGN_OR_RETURN(const bool causal, oracle.info().Get<bool>("causal"));
  config.Set("heads", heads);
  config.Set("causal", causal);
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, NewModel("attention", config, 0));
  TensorMap inputs{{"query", given.at("Q")}, {"key", given.at("K")}, {"value", given.at("V")}};
  if (given.contains("key_mask")) inputs.emplace("key_mask", Int32(given.at("key_mask")));
  TRAMA_ASSIGN_OR_RETURN(TensorMap outputs,
                         CallOnce(*model.model, ProgramKind::kForward, {}, inputs, options));
  oracle.Check("output", outputs.at("output"));
  oracle.Check("weights", outputs.at("weights"));
  inputs.emplace("grad_output", given.at("grad_output"));
  TRAMA_ASSIGN_OR_RETURN(TensorMap gradients,
                         CallOnce(*model.model, ProgramKind::kGradients, {}, inputs, options));
  oracle.Check("grad_Q", gradients.at("grad.query"));
  oracle.Check("grad_K", gradients.at("grad.key"));
  oracle.Check("grad_V", gradients.at("grad.value"));
  oracle.Finish();
  return absl::OkStatus();
}

absl::Status RunMha(const std::string& directory, const SessionOptions& options, Report* report) {
  TRAMA_ASSIGN_OR_RETURN(Oracle oracle, Oracle::Load(JoinPath(directory, "expected.json"),
                                                     LabelOf(directory, options), report));
  TRAMA_ASSIGN_OR_RETURN(TensorMap parameters,
                         ReadSafetensors(JoinPath(directory, "inputs.safetensors")));
  TensorMap inputs{{"x", parameters.at("X")}};
  const HostTensor grad_output = parameters.at("grad_output");
  parameters.erase("X");
  parameters.erase("grad_output");
  if (parameters.contains("key_mask")) {
    inputs.emplace("key_mask", Int32(parameters.at("key_mask")));
    parameters.erase("key_mask");
  }
  Config config;
  TRAMA_ASSIGN_OR_RETURN(const int64_t heads, oracle.info().Get<int64_t>("heads"));
  TRAMA_ASSIGN_OR_RETURN(const bool causal, oracle.info().Get<bool>("causal"));
  TRAMA_ASSIGN_OR_RETURN(const int64_t width, oracle.info().Get<int64_t>("D"));
  config.Set("heads", heads);
  config.Set("causal", causal);
  config.Set("embed_dim", width);
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, NewModel("multi-head-attention", config, 0));
  TRAMA_ASSIGN_OR_RETURN(TensorMap outputs, CallOnce(*model.model, ProgramKind::kForward,
                                                     parameters, inputs, options));
  oracle.Check("output", outputs.at("output"));
  oracle.Check("weights", outputs.at("weights"));
  inputs.emplace("grad_output", grad_output);
  TRAMA_ASSIGN_OR_RETURN(TensorMap gradients, CallOnce(*model.model, ProgramKind::kGradients,
                                                       parameters, inputs, options));
  oracle.Check("grad_X", gradients.at("grad.x"));
  for (const auto& [name, tensor] : parameters)
    oracle.Check(absl::StrCat("grad.", name), gradients.at(absl::StrCat("grad.", name)));
  oracle.Finish();
  return absl::OkStatus();
}

// The text's own training: one example at a time, in order, plain SGD.
absl::Status RunCharacters(const std::string& directory, const SessionOptions& options,
                           Report* report) {
  TRAMA_ASSIGN_OR_RETURN(Oracle oracle, Oracle::Load(JoinPath(directory, "expected.json"),
                                                     LabelOf(directory, options), report));
  TRAMA_ASSIGN_OR_RETURN(const std::string text, oracle.info().Get<std::string>("text"));
  TRAMA_ASSIGN_OR_RETURN(const int64_t length, oracle.info().Get<int64_t>("seq_length"));
  TRAMA_ASSIGN_OR_RETURN(const int64_t width, oracle.info().Get<int64_t>("d_model"));
  TRAMA_ASSIGN_OR_RETURN(const double lr, oracle.info().Get<double>("lr"));
  TRAMA_ASSIGN_OR_RETURN(const int64_t epochs, oracle.info().Get<int64_t>("epochs"));
  TRAMA_ASSIGN_OR_RETURN(const std::string trained, oracle.info().Get<std::string>("trained"));
  TRAMA_ASSIGN_OR_RETURN(CharTokenizer tokenizer, CharTokenizer::FromTexts({text}));
  TRAMA_ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokenizer.Encode(text));
  Config config;
  config.Set("seq_len", length);
  config.Set("d_model", width);
  config.Set("vocab_size", tokenizer.vocab_size());
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model, NewModel("char-transformer", config, 0));
  TRAMA_ASSIGN_OR_RETURN(model.parameters,
                         ReadSafetensors(JoinPath(directory, "init.safetensors")));

  const int64_t count = static_cast<int64_t>(ids.size()) - length;
  auto example = [&](int64_t i) {
    const std::vector<int32_t> window(ids.begin() + i, ids.begin() + i + length);
    return TensorMap{{"input_ids", HostTensor::I32({1, length}, window)},
                     {"labels", HostTensor::I32({1}, {ids[static_cast<size_t>(i + length)]})}};
  };
  TensorMap first{{"input_ids", example(0).at("input_ids")}};
  TRAMA_ASSIGN_OR_RETURN(TensorMap before, CallOnce(*model.model, ProgramKind::kForward,
                                                    model.parameters, first, options));
  oracle.Check("logits_input0", before.at("logits"));
  TRAMA_ASSIGN_OR_RETURN(TensorMap gradients, CallOnce(*model.model, ProgramKind::kGradients,
                                                       model.parameters, example(0), options));
  oracle.Check("loss_input0", gradients.at("loss"));
  for (const auto& [name, tensor] : model.parameters)
    oracle.Check(absl::StrCat("grad_input0.", name), gradients.at(absl::StrCat("grad.", name)));

  Program step;
  step.name = "step";
  step.kind = ProgramKind::kTrainStep;
  step.optimizer.kind = OptimizerKind::kSgd;
  if (trained != "all") step.trainable = {"W1", "b1", "W2", "b2"};
  for (const auto& [name, tensor] : example(0))
    step.inputs.push_back({name, tensor.dtype, tensor.shape});
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                         Session::Create(*model.model, {step}, options));
  TRAMA_RETURN_IF_ERROR(session->LoadState(model.parameters));
  std::vector<double> means;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      Scalars scalars;
      scalars.lr = lr;
      scalars.step = epoch * count + i + 1;
      TRAMA_ASSIGN_OR_RETURN(TensorMap outputs, session->Call("step", example(i), scalars));
      sum += outputs.at("loss").at(0);
    }
    if (epoch % 10 == 0 || epoch + 1 == epochs) means.push_back(sum / static_cast<double>(count));
  }
  oracle.CheckSensitive("epoch_mean_loss_every_10_and_last", means);
  TRAMA_ASSIGN_OR_RETURN(model.parameters, session->ReadParameters());
  TRAMA_ASSIGN_OR_RETURN(TensorMap after, CallOnce(*model.model, ProgramKind::kForward,
                                                   model.parameters, first, options));
  oracle.CheckSensitive("logits_input0_after", after.at("logits"));

  model.tokenizer = std::make_shared<CharTokenizer>(std::move(tokenizer));
  TRAMA_ASSIGN_OR_RETURN(std::vector<int32_t> prompt, model.tokenizer->Encode("ola m"));
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Generator> generator,
                         Generator::Create(model, model.parameters, options));
  GenerateOptions generate;
  generate.max_tokens = 10;
  generate.sampling.greedy = true;
  TRAMA_ASSIGN_OR_RETURN(std::vector<GeneratedSample> samples,
                         generator->Generate({prompt}, generate));
  oracle.CheckText("generated_from_ola_m", absl::StrCat("ola m", samples[0].text));
  oracle.Finish();
  return absl::OkStatus();
}

absl::Status Run(const std::string& directory, const SessionOptions& options, Report* report) {
  const std::string name = FileNameOf(directory);
  if (absl::StartsWith(name, "qkv_")) return RunQkv(directory, options, report);
  if (absl::StartsWith(name, "mha")) return RunMha(directory, options, report);
  if (absl::StartsWith(name, "seed000_")) return RunCharacters(directory, options, report);
  return absl::OkStatus();  // tables of later course texts
}

TRAMA_ORACLE("attention", Run);

}  // namespace
}  // namespace trama::oracles
