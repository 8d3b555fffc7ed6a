#include "runtime/data/batch_iterator.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/random.h"

namespace trama {

absl::StatusOr<BatchIterator> BatchIterator::Create(const Dataset& dataset,
                                                    const BatchOptions& options) {
  if (options.batch_size < 0)
    return absl::InvalidArgumentError(
        absl::StrCat("batch_size is ", options.batch_size, ", not at least 0"));
  if (options.grad_accumulation < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("grad_accumulation is ", options.grad_accumulation, ", not at least 1"));
  BatchIterator iterator;
  iterator.dataset_ = &dataset;
  iterator.options_ = options;
  iterator.batch_size_ = options.batch_size == 0 ? dataset.size() : options.batch_size;
  if (!dataset.endless()) iterator.batch_size_ = std::min(iterator.batch_size_, dataset.size());
  iterator.OrderEpoch();
  return iterator;
}

void BatchIterator::OrderEpoch() {
  if (dataset_->endless() || !options_.shuffle || batch_size_ == dataset_->size()) return;
  order_.resize(static_cast<size_t>(dataset_->size()));
  std::iota(order_.begin(), order_.end(), 0);
  Shuffle(options_.seed, RandomStream::kShuffle, static_cast<uint32_t>(place_.epoch), order_);
}

int64_t BatchIterator::batches_per_epoch() const {
  return (dataset_->size() + batch_size_ - 1) / batch_size_;
}

int64_t BatchIterator::updates_per_epoch() const {
  const int64_t batches = batches_per_epoch(), each = options_.grad_accumulation;
  return (batches + each - 1) / each;
}

absl::StatusOr<Batch> BatchIterator::Next() {
  Batch batch;
  batch.epoch = place_.epoch;
  batch.first = place_.examples;
  batch.size = batch_size_;
  if (!dataset_->endless()) batch.size = std::min(batch_size_, dataset_->size() - place_.index);
  // All examples of the update, this batch's among them; those drawn at random have one shape.
  int64_t begin = place_.index, end = place_.index + batch.size;
  if (!dataset_->endless()) {
    begin = place_.index - place_.examples;
    end = (dataset_->size() - begin) / batch_size_ < options_.grad_accumulation
              ? dataset_->size()
              : begin + batch_size_ * options_.grad_accumulation;
  }
  std::vector<int64_t> update;
  for (int64_t at = begin; at < end; ++at) update.push_back(order_.empty() ? at : order_[at]);
  const auto examples = absl::MakeConstSpan(update).subspan(
      static_cast<size_t>(place_.index - begin), static_cast<size_t>(batch.size));
  TRAMA_ASSIGN_OR_RETURN(batch.tensors, dataset_->BatchWithin(examples, update));

  place_.index += batch.size;
  place_.examples += batch.size;
  ++place_.batches;
  batch.ends_epoch = place_.index >= (dataset_->endless() ? (place_.epoch + 1) * dataset_->size()
                                                          : dataset_->size());
  batch.ends_update =
      place_.batches == options_.grad_accumulation || (batch.ends_epoch && !dataset_->endless());
  if (batch.ends_update) place_.batches = place_.examples = 0;
  if (batch.ends_epoch) {
    ++place_.epoch;
    if (!dataset_->endless()) place_.index = 0;
    OrderEpoch();
  }
  return batch;
}

void BatchIterator::ReturnTo(const Place& place) {
  const bool elsewhere = place.epoch != place_.epoch;
  place_ = place;
  if (elsewhere) OrderEpoch();
}

uint32_t BatchIterator::Checksum() const {
  if (!checksum_) checksum_ = dataset_->Checksum();
  return *checksum_;
}

Json BatchIterator::Position() const {
  Json json;
  json.Set("epoch", place_.epoch).Set("index", place_.index);
  json.Set("batches", place_.batches).Set("examples", place_.examples);
  json.Set("data_size", dataset_->size());
  json.Set("data_checksum", static_cast<int64_t>(Checksum()));
  json.Set("batch_size", batch_size_).Set("grad_accumulation", options_.grad_accumulation);
  json.Set("endless", dataset_->endless());
  json.Set("shuffle", options_.shuffle).Set("seed", static_cast<int64_t>(options_.seed));
  return json;
}

absl::Status BatchIterator::Restore(const Json& position) {
  const Json mine = Position();
  // Earlier checkpoints do not say.
  if (const Json* endless = position.Find("endless"); endless && *endless != *mine.Find("endless"))
    return absl::FailedPreconditionError(
        absl::StrCat("the run that is resumed read its data in ",
                     dataset_->endless() ? "windows --stride apart, this one draws them"
                                         : "windows that are drawn, this one --stride apart"));
  for (const char* key :
       {"data_size", "data_checksum", "batch_size", "grad_accumulation", "shuffle", "seed"}) {
    const Json* then = position.Find(key);
    const Json* now = mine.Find(key);
    if (!then) return absl::InvalidArgumentError(absl::StrCat("missing \"", key, "\""));
    if (*then != *now)
      return absl::FailedPreconditionError(absl::StrCat(
          "the run that is resumed had ", key, " ", then->Dump(), ", this one has ", now->Dump()));
  }
  int64_t epoch, index, batches, examples;
  TRAMA_ASSIGN_OR_RETURN(epoch, position.Get<int64_t>("epoch"));
  TRAMA_ASSIGN_OR_RETURN(index, position.Get<int64_t>("index"));
  TRAMA_ASSIGN_OR_RETURN(batches, position.Get<int64_t>("batches"));
  TRAMA_ASSIGN_OR_RETURN(examples, position.Get<int64_t>("examples"));
  if (epoch < 0 || index < 0 || (!dataset_->endless() && index >= dataset_->size()) ||
      batches < 0 || batches >= options_.grad_accumulation || examples < 0)
    return absl::InvalidArgumentError("the data position is out of range");
  ReturnTo({epoch, index, batches, examples});
  return absl::OkStatus();
}

}  // namespace trama
