#include "runtime/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/ignore_index.h"
#include "base/status_macros.h"
#include "runtime/batch_program.h"
#include "runtime/checkpoint.h"
#include "runtime/diagnose.h"
#include "runtime/formats/file.h"
#include "runtime/metrics.h"

namespace trama {
namespace {

constexpr char kAccumulated[] = "accumulated:";  // what train-step sums up, by name

// The ids that a batch has, padding included; of a model without any, the examples.
int64_t CountRead(const Batch& batch) {
  const auto ids = batch.tensors.find("input_ids");
  return ids == batch.tensors.end() ? batch.size : ids->second.num_elements();
}

std::string Details(const TrainResult& result, double per_second, bool has_tokens) {
  std::string text = absl::StrFormat("loss %.4f", result.loss);
  if (std::isfinite(result.val_loss)) absl::StrAppendFormat(&text, ", val %.4f", result.val_loss);
  absl::StrAppendFormat(&text, ", %.0f %s/s", per_second, has_tokens ? "tokens" : "examples");
  return text;
}

// Targets of a batch that count, or `size` examples where labels are no ids.
int64_t CountTargets(const TensorMap& batch, int64_t size) {
  auto labels = batch.find("labels");
  if (labels == batch.end() || IsFloat(labels->second.dtype)) return size;
  int64_t count = 0;
  for (int64_t i = 0; i < labels->second.num_elements(); ++i)
    count += labels->second.at(i) != kIgnoreIndex;
  return count;
}

// Whether the device took its memory with it.
bool IsLost(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

// ---------------------------------------------------------------- evaluation

Evaluator::Evaluator(const Dataset& dataset, int64_t batch_size, std::vector<Program>* programs)
    : dataset_(dataset), batch_size_(std::min(batch_size, dataset.size())) {
  auto add = [&](const absl::StatusOr<TensorMap>& example, int64_t size) {
    if (!example.ok()) return;  // Run says why
    AddProgram(BatchProgram(BatchProgramName("evaluate", *example, size), ProgramKind::kLoss,
                            *example, size),
               programs);
  };
  const int64_t rest = dataset.size() % batch_size_;
  for (const int64_t example : dataset.ShapeExamples()) add(dataset.Batch({example}), batch_size_);
  if (rest > 0) add(dataset.Batch(Range(dataset.size() - rest, dataset.size())), rest);
}

absl::StatusOr<Evaluation> Evaluator::Run(Session& session) const {
  Evaluation total;
  for (int64_t begin = 0; begin < dataset_.size(); begin += batch_size_) {
    const int64_t end = std::min(begin + batch_size_, dataset_.size());
    TRAMA_ASSIGN_OR_RETURN(TensorMap batch, dataset_.Batch(Range(begin, end)));
    const int64_t targets = CountTargets(batch, end - begin);
    if (targets == 0) continue;
    TRAMA_ASSIGN_OR_RETURN(TensorMap outputs,
                           session.Call(BatchProgramName("evaluate", batch, end - begin), batch));
    total.loss += outputs["loss"].at(0) * static_cast<double>(targets);
    total.targets += targets;
  }
  if (total.targets == 0) return absl::InvalidArgumentError("evaluation: no target counts");
  total.loss /= static_cast<double>(total.targets);
  return total;
}

// ---------------------------------------------------------------- training

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(LoadedModel& model, LoadedData& data,
                                                         const TrainOptions& options,
                                                         const SessionOptions& session_options) {
  std::unique_ptr<Trainer> trainer(new Trainer(model, options));
  TRAMA_ASSIGN_OR_RETURN(BatchIterator batches, BatchIterator::Create(*data.train, options.batch));
  trainer->batches_ = std::make_unique<BatchIterator>(std::move(batches));
  TRAMA_RETURN_IF_ERROR(trainer->PlanSteps());

  const bool accumulates = trainer->Accumulates();
  const int64_t batch_size = trainer->batches_->batch_size();
  std::vector<int64_t> sizes{batch_size};
  if (const int64_t rest = data.train->size() % batch_size; rest != 0 && !data.train->endless())
    sizes.push_back(rest);
  std::vector<Program> programs;
  for (const int64_t index : data.train->ShapeExamples()) {
    TRAMA_ASSIGN_OR_RETURN(const TensorMap example, data.train->Batch({index}));
    trainer->has_tokens_ = example.contains("input_ids");
    for (const int64_t size : sizes)
      AddProgram(BatchProgram(BatchProgramName("train", example, size),
                              accumulates ? ProgramKind::kAccumulate : ProgramKind::kTrainStep,
                              example, size),
                 &programs);
    if (accumulates)
      AddProgram(BatchProgram("apply", ProgramKind::kApply, example, batch_size), &programs);
  }
  for (Program& program : programs) {
    program.optimizer = options.optimizer;
    program.trainable = options.trainable;
    program.training = true;
    program.options.label_smoothing = options.label_smoothing;
  }
  if (data.validation)
    trainer->evaluator_ =
        std::make_unique<Evaluator>(*data.validation, kEvaluationBatch, &programs);

  TRAMA_ASSIGN_OR_RETURN(trainer->session_,
                         Session::Create(*model.model, programs, session_options));
  if (accumulates) {
    TRAMA_ASSIGN_OR_RETURN(trainer->apply_, trainer->session_->Find("apply"));
  }
  TRAMA_RETURN_IF_ERROR(trainer->session_->TakeState(std::move(model.parameters)));
  if (options.resume) TRAMA_RETURN_IF_ERROR(trainer->Resume());
  return trainer;
}

absl::Status Trainer::PlanSteps() {
  total_steps_ =
      options_.steps > 0 ? options_.steps : options_.epochs * batches_->updates_per_epoch();
  if (total_steps_ < 0) return absl::InvalidArgumentError("a negative number of steps or epochs");
  options_.schedule.total_steps = total_steps_;
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> Trainer::Give(const Batch& batch) {
  TRAMA_ASSIGN_OR_RETURN(const uint32_t program,
                         session_->Find(BatchProgramName("train", batch.tensors, batch.size)));
  for (const auto& [name, tensor] : batch.tensors) {
    const Session::Slot* slot = session_->Input(program, name);
    if (!slot)
      return absl::InvalidArgumentError(
          absl::StrCat("the data has ", name, ", which ", model_.entry->name, " does not take"));
    TRAMA_RETURN_IF_ERROR(session_->Write(*slot, tensor));
  }
  TRAMA_RETURN_IF_ERROR(session_->WriteScalars(program, ScalarsOfStep(batch.first)));
  return program;
}

Scalars Trainer::ScalarsOfStep(int64_t first_example) const {
  Scalars scalars;
  scalars.step = step_ + 1;
  scalars.lr = options_.schedule.At(step_ + 1);
  scalars.seed = options_.seed;
  scalars.beta1 = options_.optimizer.beta1;
  scalars.beta2 = options_.optimizer.beta2;
  scalars.first_example = first_example;
  return scalars;
}

absl::Status Trainer::Update(double* loss, double* grad_norm, int64_t* tokens) {
  const BatchIterator::Place start = batches_->place();
  uint32_t last = 0;
  for (bool ends = false; !ends;) {
    TRAMA_ASSIGN_OR_RETURN(const Batch batch, batches_->Next());
    TRAMA_ASSIGN_OR_RETURN(last, Give(batch));
    TRAMA_RETURN_IF_ERROR(session_->Run(last));
    *tokens += CountRead(batch);
    ends = batch.ends_update;
  }
  if (Accumulates()) {
    last = apply_;
    TRAMA_RETURN_IF_ERROR(session_->WriteScalars(last, ScalarsOfStep(0)));
    TRAMA_RETURN_IF_ERROR(session_->Run(last));
  }
  TRAMA_ASSIGN_OR_RETURN(const double finite, Result(last, "finite"));
  if (finite == 0) return NotFinite(last, start);
  TRAMA_ASSIGN_OR_RETURN(*loss, Result(last, "loss"));
  TRAMA_ASSIGN_OR_RETURN(*grad_norm, Result(last, "grad_norm"));
  ++step_;
  return absl::OkStatus();
}

absl::StatusOr<double> Trainer::Result(uint32_t program, const char* name) const {
  return session_->ReadScalar(*session_->Output(program, name));
}

absl::Status Trainer::NotFinite(uint32_t last, const BatchIterator::Place& start) {
  std::string op;
  if (Accumulates()) {
    // What was summed is gone, and is summed again.
    TRAMA_RETURN_IF_ERROR(session_->ClearState(kAccumulated));
    batches_->ReturnTo(start);
    for (bool ends = false; op.empty() && !ends;) {
      TRAMA_ASSIGN_OR_RETURN(const Batch batch, batches_->Next());
      TRAMA_ASSIGN_OR_RETURN(const uint32_t program, Give(batch));
      TRAMA_ASSIGN_OR_RETURN(op, FirstNonFinite(*session_, program));
      ends = batch.ends_update;
    }
  }
  if (op.empty()) {
    TRAMA_ASSIGN_OR_RETURN(op, FirstNonFinite(*session_, last));
  }
  if (Accumulates()) TRAMA_RETURN_IF_ERROR(session_->ClearState(kAccumulated));
  batches_->ReturnTo(start);
  return absl::FailedPreconditionError(
      absl::StrCat("step ", step_ + 1, ": the loss or a gradient is not finite",
                   op.empty() ? "" : absl::StrCat("; first from ", op),
                   "; the parameters are those before this step"));
}

absl::StatusOr<std::string> Trainer::Sample() const {
  TRAMA_ASSIGN_OR_RETURN(TensorMap parameters, session_->ReadParameters());
  return options_.sample(std::move(parameters));
}

absl::Status Trainer::Evaluate(TrainResult* result) {
  TRAMA_ASSIGN_OR_RETURN(const Evaluation evaluation, evaluator_->Run(*session_));
  result->val_loss = val_loss_ = evaluation.loss;
  ++evaluations_since_best_;
  if (!(evaluation.loss < best_val_loss_)) return absl::OkStatus();
  evaluations_since_best_ = 0;
  best_val_loss_ = evaluation.loss;
  best_step_ = step_;
  return absl::OkStatus();
}

Json Trainer::MetricsLine(const TrainResult& result, double grad_norm, double per_second,
                          bool evaluated) const {
  Json line = Json::MakeObject();
  line.Set("step", step_);
  line.Set("loss", result.loss);
  line.Set("lr", options_.schedule.At(step_));
  line.Set("grad_norm", grad_norm);
  if (has_tokens_) line.Set("tokens", tokens_);
  line.Set("tokens_per_second", per_second);
  if (evaluated) line.Set("val_loss", result.val_loss);
  return line;
}

absl::Status Trainer::WithLastState(const absl::Status& lost, int64_t step) const {
  const std::string state =
      step < 0 ? "no state had reached the host (--checkpoint_every=N writes it every N steps)"
               : absl::StrCat("the last state that reached the host, of step ", step, ", is in ",
                              options_.out, ": --resume goes on from there");
  return absl::Status(lost.code(), absl::StrCat(std::string(lost.message()), "; ", state));
}

absl::StatusOr<TrainResult> Trainer::Run(const std::atomic<bool>* stop) {
  TrainResult result;
  result.step = step_;
  result.loss = loss_;
  result.val_loss = val_loss_;
  result.best_val_loss = std::numeric_limits<double>::quiet_NaN();
  // A run may have ended between a checkpoint of the best step and that.
  if (step_ > 0 && step_ == best_step_) TRAMA_RETURN_IF_ERROR(WriteBest());
  std::optional<MetricsWriter> metrics;
  if (!options_.metrics.empty()) {
    TRAMA_ASSIGN_OR_RETURN(MetricsWriter writer, MetricsWriter::Open(options_.metrics, step_));
    metrics.emplace(std::move(writer));
  }
  Progress progress(total_steps_, Progress::ForStandardError(options_.quiet), step_);
  int64_t checkpointed = -1;
  const int64_t resumed = step_ > 0 ? step_ : -1;
  while (step_ < total_steps_ && !StopsEarly()) {
    const double start = MonotonicSeconds();
    double grad_norm = 0;
    int64_t tokens = 0;
    if (absl::Status status = Update(&result.loss, &grad_norm, &tokens); !status.ok()) {
      // Where a step is not finite, the state is still that of the last good one: it is kept.
      if (absl::IsFailedPrecondition(status) && step_ > 0 && checkpointed != step_)
        TRAMA_RETURN_IF_ERROR(WriteCheckpoint());
      return IsLost(status) ? WithLastState(status, std::max(checkpointed, resumed)) : status;
    }
    result.step = step_;
    loss_ = result.loss;
    tokens_ += tokens;
    const double per_second = static_cast<double>(tokens) / (MonotonicSeconds() - start);
    result.interrupted = stop && stop->load();
    const bool last = step_ == total_steps_;
    bool evaluated = false;
    // Interrupted or not: who goes on from here does not come by this step again.
    const bool evaluates = last || (options_.eval_every > 0 && step_ % options_.eval_every == 0);
    if (evaluator_ && evaluates) {
      TRAMA_RETURN_IF_ERROR(Evaluate(&result));
      evaluated = true;
    }
    if (metrics) {
      const Json line = MetricsLine(result, grad_norm, per_second, evaluated);
      TRAMA_RETURN_IF_ERROR(metrics->Write(line));
    }
    if (evaluated && best_step_ == step_ && options_.eval_every > 0) {
      // Into this run's model directory, which is never without the model.
      if (!wrote_model_ && !resumed_) {
        TRAMA_RETURN_IF_ERROR(WriteCheckpoint());
        checkpointed = step_;
      }
      TRAMA_RETURN_IF_ERROR(WriteBest());
    }
    if (!options_.quiet) progress.Update(step_, Details(result, per_second, has_tokens_));
    if (options_.sample && evaluates && !options_.quiet) {
      TRAMA_ASSIGN_OR_RETURN(const std::string text, Sample());
      progress.Note(absl::StrCat("step ", step_, ": ", text));
    }
    if (options_.checkpoint_every > 0 && step_ % options_.checkpoint_every == 0 &&
        checkpointed != step_) {
      TRAMA_RETURN_IF_ERROR(WriteCheckpoint());
      checkpointed = step_;
    }
    if (result.interrupted) break;
  }
  progress.Finish();
  if (total_steps_ == 0 && evaluator_) {
    TRAMA_ASSIGN_OR_RETURN(const Evaluation evaluation, evaluator_->Run(*session_));
    result.val_loss = evaluation.loss;
  }
  if (checkpointed != step_) TRAMA_RETURN_IF_ERROR(WriteCheckpoint());
  if (best_step_ > 0) {
    result.best_val_loss = best_val_loss_;
    result.best_step = best_step_;
  }
  return result;
}

}  // namespace trama
