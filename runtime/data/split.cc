#include "runtime/data/split.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "runtime/random.h"

namespace trama {
namespace {

using Examples = std::vector<int64_t>;

absl::Status CheckSplits(const DataOptions& options) {
  double sum = 0;
  for (const double share : options.splits) sum += share;
  const bool shares = options.splits.size() == 3 && std::abs(sum - 1) < 1e-6 &&
                      *std::min_element(options.splits.begin(), options.splits.end()) >= 0;
  if (!options.splits.empty() && !shares)
    return absl::InvalidArgumentError(
        absl::StrCat("splits ", absl::StrJoin(options.splits, ", "),
                     " are not the shares of training, validation and test, which add up to 1"));
  if (!options.splits.empty() && (options.val_fraction > 0 || !options.val_data.empty()))
    return absl::InvalidArgumentError("splits leave no use for val_fraction and val_data");
  if (!options.part.empty() && options.splits.empty())
    return absl::InvalidArgumentError(absl::StrCat("part ", options.part, " of what splits?"));
  return absl::OkStatus();
}

struct Parts {
  Examples training, validation, test;
};

Parts Split(Examples examples, const DataOptions& options) {
  const auto count = static_cast<int64_t>(examples.size());
  if (options.splits.empty()) {
    const auto cut = examples.begin() + TrainingPart(count, options.val_fraction);
    return {Examples(examples.begin(), cut), Examples(cut, examples.end()), {}};
  }
  Shuffle(options.seed, RandomStream::kSplit, 0, examples);
  // A share of 0.7 of 10 is 7, though 0.7 is a little less in binary.
  const auto part = [count](double share) {
    return static_cast<int64_t>(share * static_cast<double>(count) + 1e-6);
  };
  const auto first = examples.begin() + part(options.splits[0]);
  const auto second = std::min(first + part(options.splits[1]), examples.end());
  return {Examples(examples.begin(), first), Examples(first, second),
          Examples(second, examples.end())};
}

absl::StatusOr<Examples> PartToRead(Parts parts, const DataOptions& options) {
  if (options.part == "train") return std::move(parts.training);
  if (options.part == "validation") return std::move(parts.validation);
  if (options.part == "test") return std::move(parts.test);
  return absl::InvalidArgumentError(
      absl::StrCat("part '", options.part, "' is none of train, validation, test"));
}

int64_t LongestOf(const std::vector<Sequence>& sequences) {
  size_t longest = 1;
  for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.ids.size());
  return static_cast<int64_t>(longest);
}

int64_t SizeOf(const std::unique_ptr<Dataset>& dataset) { return dataset ? dataset->size() : 0; }

}  // namespace

absl::StatusOr<Examples> ExamplesToRead(Examples examples, const DataOptions& options) {
  TRAMA_RETURN_IF_ERROR(CheckSplits(options));
  if (options.part.empty()) return examples;
  return PartToRead(Split(std::move(examples), options), options);
}

std::vector<int64_t> AllExamples(size_t count) {
  Examples examples(count);
  std::iota(examples.begin(), examples.end(), 0);
  return examples;
}

absl::Status SplitSequences(std::shared_ptr<const std::vector<Sequence>> sequences,
                            std::vector<int64_t> examples,
                            std::shared_ptr<const std::vector<Sequence>> other,
                            SequenceTargets targets, int32_t pad_id, const DataOptions& options,
                            LoadedData& loaded) {
  TRAMA_RETURN_IF_ERROR(CheckSplits(options));
  if (options.seq_len < 1)
    return absl::InvalidArgumentError(
        absl::StrCat(options.data, ": seq_len is ", options.seq_len,
                     ", not at least 1; a model without a time axis takes tables or tensors"));
  const size_t count = examples.size();
  int64_t length = options.seq_len, cut = 0;
  if (options.reads_padding && options.training) length = std::min(length, LongestOf(*sequences));
  if (options.reads_padding) loaded.seq_len = length;
  const auto dataset = [&](auto of,
                           Examples chosen) -> absl::StatusOr<std::unique_ptr<SequenceDataset>> {
    if (chosen.empty())
      return absl::InvalidArgumentError(
          absl::StrCat(options.data, ": ", count, " examples are too few to be split so"));
    auto made = std::make_unique<SequenceDataset>(
        std::move(of), std::move(chosen), targets, pad_id, length,
        options.reads_padding ? SequencePadding::kRead : SequencePadding::kMasked);
    cut += made->CountCut();
    return made;
  };
  if (!options.training) {
    TRAMA_ASSIGN_OR_RETURN(examples, ExamplesToRead(std::move(examples), options));
    TRAMA_ASSIGN_OR_RETURN(loaded.validation, dataset(sequences, std::move(examples)));
    return absl::OkStatus();
  }
  Parts parts = Split(std::move(examples), options);
  TRAMA_ASSIGN_OR_RETURN(std::unique_ptr<SequenceDataset> train,
                         dataset(sequences, std::move(parts.training)));
  if (targets == SequenceTargets::kNextToken && train->CountTargets() == 0)
    return absl::InvalidArgumentError(
        absl::StrCat(options.data, ": nothing to learn: every record is cut at seq_len ", length,
                     ", before its response; give a larger seq_len"));
  loaded.train = std::move(train);
  if (options.val_fraction > 0 || (!options.splits.empty() && options.splits[1] > 0)) {
    TRAMA_ASSIGN_OR_RETURN(loaded.validation, dataset(sequences, std::move(parts.validation)));
  } else if (other) {
    TRAMA_ASSIGN_OR_RETURN(loaded.validation, dataset(other, AllExamples(other->size())));
  }
  if (cut > 0)
    loaded.notes.push_back(absl::StrCat(
        options.data, ": ", cut, " of ", SizeOf(loaded.train) + SizeOf(loaded.validation),
        " records are longer than seq_len ", length, " and were cut"));
  return absl::OkStatus();
}

}  // namespace trama
