// Training: batches in order, updates with a schedule, evaluation, metrics and checkpoints that a
// run resumes from bit for bit.
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/program.h"
#include "runtime/data/batch_iterator.h"
#include "runtime/data/data.h"
#include "runtime/formats/json.h"
#include "runtime/model_directory.h"
#include "runtime/schedule.h"
#include "runtime/session.h"

namespace trama {

struct CheckpointSource;

// A text that a model of these parameters writes.
using SampleFunction = std::function<absl::StatusOr<std::string>(TensorMap parameters)>;

struct TrainOptions {
  int64_t steps = 0;   // updates; 0: by epochs
  int64_t epochs = 0;  // over the training data; neither: the model is evaluated as it starts
  BatchOptions batch;
  OptimizerConfig optimizer;
  Schedule schedule;                   // total_steps is set by the trainer
  std::vector<std::string> trainable;  // parameters that are trained; empty: all
  uint64_t seed = 0;                   // dropout's
  double label_smoothing = 0;          // of the training loss, not of evaluations
  // Updates between evaluations; 0: at the end only. With several, the parameters of the best stand
  // in `out`/best, a model directory of its own with evaluation.json ("step", "val_loss").
  int64_t eval_every = 0;
  int64_t early_stopping = 0;    // evaluations without a better one before it stops; 0: never
  int64_t checkpoint_every = 0;  // updates; 0: at the end only
  std::string out;               // the model directory to write; "" for none
  std::string base_model;        // the directory that training started from, for adapters
  bool resume = false;           // from the last whole checkpoint in `out`, if there is one
  SampleFunction sample{};       // noted at each evaluation and at the end, unless quiet; or none
  std::string metrics;           // a JSONL file; "" for none
  bool quiet = false;
};

struct TrainResult {
  int64_t step = 0;          // updates done
  double loss = 0;           // of the batch before the last update; NaN where none is known
  double val_loss = 0;       // of the last evaluation; NaN where there was none
  double best_val_loss = 0;  // the lowest so far, and the step of it; NaN where there was none
  int64_t best_step = 0;
  bool interrupted = false;
};

struct Evaluation {
  double loss = 0;      // the mean over all targets
  int64_t targets = 0;  // that count
};

// How many examples an evaluation runs at once: enough to keep the threads busy, whatever the
// training batch is.
inline constexpr int64_t kEvaluationBatch = 32;

// The mean loss over a dataset, in batches of one size and a smaller last one: a program for each
// shape that they have.
class Evaluator {
 public:
  // `programs` gets the programs that the session must have for it.
  Evaluator(const Dataset& dataset, int64_t batch_size, std::vector<Program>* programs);
  // InvalidArgument where no target counts.
  absl::StatusOr<Evaluation> Run(Session& session) const;

 private:
  const Dataset& dataset_;
  int64_t batch_size_;
};

class Trainer {
 public:
  // Compiles every program that the run needs. `model` and `data` must outlive the trainer, which
  // takes the parameters out of `model`: they live in the session from then on.
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(LoadedModel& model, LoadedData& data,
                                                         const TrainOptions& options,
                                                         const SessionOptions& session_options);

  // Trains to the end, or until `stop` becomes true: then a checkpoint is written all the same.
  // A loss or norm that is not finite is a FailedPrecondition that names the step and
  // the first op that produced it; the parameters stay those before that step.
  absl::StatusOr<TrainResult> Run(const std::atomic<bool>* stop = nullptr);

  const Session& session() const { return *session_; }
  int64_t total_steps() const { return total_steps_; }

 private:
  Trainer(LoadedModel& model, TrainOptions options) : model_(model), options_(std::move(options)) {}
  absl::Status PlanSteps();
  absl::Status Resume();
  // One update; the batches it takes come from batches_.
  absl::Status Update(double* loss, double* grad_norm, int64_t* tokens);
  // Writes a batch, and the numbers of the step, to the inputs of the program for it.
  absl::StatusOr<uint32_t> Give(const Batch& batch);
  Scalars ScalarsOfStep(int64_t first_example) const;
  absl::StatusOr<double> Result(uint32_t program, const char* name) const;
  // The error of the update that began at `start` and ended with program `last`, whose loss or norm
  // is not finite. The next batch is that of `start` again.
  absl::Status NotFinite(uint32_t last, const BatchIterator::Place& start);
  // A lost device's error, with where the state of `step` (-1: of none) is.
  absl::Status WithLastState(const absl::Status& lost, int64_t step) const;
  absl::Status WriteCheckpoint();
  absl::Status WriteFirstCheckpoint(const CheckpointSource& checkpoint);
  absl::Status WriteFreshDirectory(const CheckpointSource& checkpoint);
  absl::Status WriteCheckpointTo(const std::string& directory, const CheckpointSource& checkpoint);
  absl::Status Evaluate(TrainResult* result);
  // The metrics of the update that was just made.
  Json MetricsLine(const TrainResult& result, double grad_norm, double per_second,
                   bool evaluated) const;
  absl::Status WriteBest();
  absl::StatusOr<std::string> Sample() const;
  absl::Status WriteAdapterFiles(const std::string& directory);
  bool Accumulates() const { return options_.batch.grad_accumulation > 1; }
  bool StopsEarly() const {
    return options_.early_stopping > 0 && evaluations_since_best_ >= options_.early_stopping;
  }

  LoadedModel& model_;
  TrainOptions options_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<BatchIterator> batches_;
  std::unique_ptr<Evaluator> evaluator_;
  uint32_t apply_ = 0;
  int64_t total_steps_ = 0, step_ = 0;
  double best_val_loss_ = std::numeric_limits<double>::infinity();
  int64_t best_step_ = 0, evaluations_since_best_ = 0;
  double loss_ = std::numeric_limits<double>::quiet_NaN();      // of the last update's batch
  double val_loss_ = std::numeric_limits<double>::quiet_NaN();  // of the last evaluation
  int64_t tokens_ = 0;  // that updates have read, padding included; examples where there are none
  bool has_tokens_ = false;
  bool wrote_model_ = false;
  bool resumed_ = false;  // from a checkpoint
};

}  // namespace trama
