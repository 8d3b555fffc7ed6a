#include "runtime/classifier.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/status_macros.h"
#include "runtime/batch_program.h"

namespace trama {
namespace {

constexpr int64_t kBatch = 64;

// One logit is that of class 1 against class 0; several are those of a softmax.
std::vector<double> Probabilities(const HostTensor& logits, int64_t row, int64_t classes) {
  if (classes == 1) {
    const double p = 1 / (1 + std::exp(-logits.at(row)));
    return {1 - p, p};
  }
  std::vector<double> p(static_cast<size_t>(classes));
  for (int64_t c = 0; c < classes; ++c) p[c] = logits.at(row * classes + c);
  const double top = *std::max_element(p.begin(), p.end());
  for (double& value : p) value = std::exp(value - top);
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& value : p) value /= sum;
  return p;
}

}  // namespace

double Classifications::Accuracy() const {
  if (wanted.empty()) return std::numeric_limits<double>::quiet_NaN();
  int64_t right = 0;
  for (size_t i = 0; i < wanted.size(); ++i) right += wanted[i] == labels[i];
  return static_cast<double>(right) / static_cast<double>(wanted.size());
}

std::vector<std::vector<int64_t>> Classifications::Confusion() const {
  const size_t classes = probabilities.empty() ? 0 : probabilities[0].size();
  std::vector<std::vector<int64_t>> matrix(classes, std::vector<int64_t>(classes, 0));
  for (size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i] >= 0 && wanted[i] < static_cast<int64_t>(classes)) ++matrix[wanted[i]][labels[i]];
  return matrix;
}

absl::StatusOr<Classifications> Classify(const LoadedModel& model, const Dataset& dataset,
                                         const SessionOptions& options) {
  // Every shape that a full batch may have, and that of the rest.
  const int64_t batch_size = std::min(kBatch, dataset.size()), rest = dataset.size() % batch_size;
  std::vector<Program> programs;
  const auto add = [&](TensorMap example, int64_t size) {
    example.erase("labels");
    AddProgram(BatchProgram(BatchProgramName("forward", example, size), ProgramKind::kForward,
                            example, size),
               &programs);
  };
  for (const int64_t index : dataset.ShapeExamples()) {
    TRAMA_ASSIGN_OR_RETURN(TensorMap example, dataset.Batch({index}));
    add(std::move(example), batch_size);
  }
  if (rest > 0) {
    TRAMA_ASSIGN_OR_RETURN(TensorMap example,
                           dataset.Batch(Range(dataset.size() - rest, dataset.size())));
    add(std::move(example), rest);
  }
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                         Session::Create(*model.model, programs, options));
  TRAMA_RETURN_IF_ERROR(session->LoadState(model.parameters));

  Classifications all;
  for (int64_t begin = 0; begin < dataset.size(); begin += batch_size) {
    const int64_t size = std::min(batch_size, dataset.size() - begin);
    TRAMA_ASSIGN_OR_RETURN(TensorMap batch, dataset.Batch(Range(begin, begin + size)));
    if (auto labels = batch.find("labels"); labels != batch.end()) {
      for (int64_t i = 0; i < size; ++i)
        all.wanted.push_back(static_cast<int64_t>(labels->second.at(i)));
      batch.erase(labels);
    }
    TRAMA_ASSIGN_OR_RETURN(TensorMap outputs,
                           session->Call(BatchProgramName("forward", batch, size), batch));
    auto logits = outputs.find("logits");
    if (logits == outputs.end())
      return absl::FailedPreconditionError(model.entry->name + ": this model gives no logits");
    const int64_t classes = logits->second.num_elements() / size;
    for (int64_t i = 0; i < size; ++i) {
      all.probabilities.push_back(Probabilities(logits->second, i, classes));
      const std::vector<double>& p = all.probabilities.back();
      // A probability of exactly one half is class 0's: positive means a logit above 0.
      all.labels.push_back(std::max_element(p.begin(), p.end()) - p.begin());
    }
  }
  return all;
}

}  // namespace trama
