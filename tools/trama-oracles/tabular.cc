// Logistic regression and the MLP on Iris, trained by full-batch SGD.
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/classifier.h"
#include "runtime/data/data.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"
#include "tools/trama-oracles/oracle.h"

namespace trama::oracles {
namespace {

absl::Status Run(const std::string& directory, const SessionOptions& options, Report* report) {
  const std::string name = FileNameOf(directory);
  const bool is_mlp = absl::StartsWith(name, "mlp");
  if (!is_mlp && !absl::StartsWith(name, "logreg")) return absl::OkStatus();  // of later models
  TRAMA_ASSIGN_OR_RETURN(Oracle oracle, Oracle::Load(JoinPath(directory, "expected.json"),
                                                     LabelOf(directory, options), report));
  TRAMA_ASSIGN_OR_RETURN(const std::string species,
                         oracle.info().Get<std::string>("target_species"));
  TRAMA_ASSIGN_OR_RETURN(const double lr, oracle.info().Get<double>("lr"));
  TRAMA_ASSIGN_OR_RETURN(const int64_t epochs, oracle.info().Get<int64_t>("epochs"));
  TRAMA_ASSIGN_OR_RETURN(TensorMap parameters,
                         ReadSafetensors(JoinPath(directory, "init.safetensors")));
  DataOptions data_options;
  data_options.data = JoinPath(DirectoryOf(directory), "iris.csv");
  data_options.target = "species";
  data_options.positive = species;
  data_options.classes = 1;
  data_options.training = false;
  TRAMA_ASSIGN_OR_RETURN(LoadedData data, LoadData(data_options));
  std::vector<int64_t> all(static_cast<size_t>(data.validation->size()));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  TRAMA_ASSIGN_OR_RETURN(TensorMap batch, data.validation->Batch(all));

  Config config;
  config.Set("features", int64_t{4});
  config.Set("classes", int64_t{1});
  if (is_mlp) {
    config.Set("hidden", parameters.at("fc1.weight").shape[0]);
    config.Set("activation", std::string("relu"));
  }
  TRAMA_ASSIGN_OR_RETURN(LoadedModel model,
                         NewModel(is_mlp ? "mlp" : "logistic-regression", config, 0));
  model.parameters = parameters;

  TRAMA_ASSIGN_OR_RETURN(TensorMap gradients, CallOnce(*model.model, ProgramKind::kGradients,
                                                       parameters, batch, options));
  oracle.Check("loss_epoch1", gradients.at("loss"));
  for (const auto& [parameter, tensor] : parameters)
    oracle.Check(is_mlp ? absl::StrCat("grad_epoch1.", parameter)
                        : absl::StrCat("grad_", parameter, "_epoch1"),
                 gradients.at(absl::StrCat("grad.", parameter)));

  Program step;
  step.name = "step";
  step.kind = ProgramKind::kTrainStep;
  step.optimizer.kind = OptimizerKind::kSgd;
  Program loss;
  loss.name = "loss";
  loss.kind = ProgramKind::kLoss;
  for (const auto& [input, tensor] : batch)
    step.inputs.push_back({input, tensor.dtype, tensor.shape});
  loss.inputs = step.inputs;
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                         Session::Create(*model.model, {step, loss}, options));
  TRAMA_RETURN_IF_ERROR(session->LoadState(parameters));
  std::vector<double> losses;
  for (int64_t epoch = 1; epoch <= epochs; ++epoch) {
    Scalars scalars;
    scalars.lr = lr;
    scalars.step = epoch;
    TRAMA_ASSIGN_OR_RETURN(TensorMap outputs, session->Call("step", batch, scalars));
    if (epoch % 10 == 0) losses.push_back(outputs.at("loss").at(0));
  }
  oracle.CheckSensitive("loss_every_10", losses);
  TRAMA_ASSIGN_OR_RETURN(model.parameters, session->ReadParameters());
  for (const auto& [parameter, tensor] : model.parameters)
    oracle.CheckSensitive(absl::StrCat(is_mlp ? "final." : "final_", parameter), tensor);
  if (oracle.Has("final_loss_after_last_step")) {
    TRAMA_ASSIGN_OR_RETURN(TensorMap outputs, session->Call("loss", batch));
    oracle.CheckSensitive("final_loss_after_last_step", outputs.at("loss"));
  }
  TRAMA_ASSIGN_OR_RETURN(Classifications classes, Classify(model, *data.validation, options));
  std::vector<double> positive;
  for (const std::vector<double>& p : classes.probabilities) positive.push_back(p[1]);
  oracle.CheckSensitive("final_prob", positive);
  oracle.CheckSensitive("correct",
                        std::round(classes.Accuracy() * static_cast<double>(positive.size())));
  if (oracle.Has("accuracy")) oracle.CheckSensitive("accuracy", classes.Accuracy());
  oracle.Finish();
  return absl::OkStatus();
}

TRAMA_ORACLE("tabular", Run);

}  // namespace
}  // namespace trama::oracles
