// Texts to classify: tables with a column of text, lines of label TAB text.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/data/data.h"
#include "runtime/data/labelled_text.h"
#include "runtime/data/split.h"
#include "runtime/data/tokenize.h"

namespace trama {
namespace {

bool IsLabelledText(const DataOptions& options) { return options.classifies_text; }

absl::StatusOr<std::vector<std::string>> ClassesOf(const LabelledTexts& all,
                                                   const DataOptions& options) {
  if (!options.class_names.empty()) return options.class_names;
  const std::set<std::string> sorted(all.labels.begin(), all.labels.end());
  const auto count = static_cast<int64_t>(sorted.size());
  if (options.classes > 0 && count > options.classes)
    return absl::InvalidArgumentError(absl::StrCat(options.data, ": ", count,
                                                   " different labels, the model has only ",
                                                   options.classes, " classes"));
  // More classes than there are may be asked for; one alone says that the labels are not these.
  if (options.training && count == 1 && options.classes == 0)
    return absl::InvalidArgumentError(absl::StrCat(options.data, ": every text is labelled ",
                                                   *sorted.begin(), ": there is nothing to learn"));
  return std::vector<std::string>(sorted.begin(), sorted.end());
}

absl::StatusOr<std::vector<int32_t>> LabelIds(const LabelledTexts& all,
                                              const std::vector<std::string>& names) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < all.labels.size(); ++i) {
    const auto found = std::find(names.begin(), names.end(), all.labels[i]);
    if (found == names.end())
      return absl::InvalidArgumentError(absl::StrCat(all.texts[i].place, ": '", all.labels[i],
                                                     "' is none of the classes ",
                                                     absl::StrJoin(names, ", ")));
    ids.push_back(static_cast<int32_t>(found - names.begin()));
  }
  return ids;
}

absl::StatusOr<std::shared_ptr<const std::vector<Sequence>>> Encode(
    const LabelledTexts& all, const std::vector<int32_t>& labels, const Tokenizer& tokenizer) {
  TRAMA_ASSIGN_OR_RETURN(std::vector<Sequence> sequences, EncodeEach(all.texts, tokenizer));
  for (size_t i = 0; i < labels.size(); ++i) sequences[i].label = labels[i];
  return std::make_shared<const std::vector<Sequence>>(std::move(sequences));
}

absl::StatusOr<LoadedData> LoadLabelledText(const DataOptions& options) {
  TRAMA_ASSIGN_OR_RETURN(LabelledTexts all, ReadLabelledTexts(options.data, options));
  if (const auto limit = static_cast<size_t>(options.limit); limit > 0) {
    all.texts.resize(std::min(limit, all.texts.size()));
    all.labels.resize(std::min(limit, all.labels.size()));
  }
  LoadedData loaded;
  TRAMA_ASSIGN_OR_RETURN(loaded.class_names, ClassesOf(all, options));
  TRAMA_ASSIGN_OR_RETURN(const std::vector<int32_t> labels, LabelIds(all, loaded.class_names));
  TRAMA_ASSIGN_OR_RETURN(loaded.tokenizer, TokenizerOf(options, all.texts));
  TRAMA_ASSIGN_OR_RETURN(auto sequences, Encode(all, labels, *loaded.tokenizer));
  std::shared_ptr<const std::vector<Sequence>> other;
  if (options.training && !options.val_data.empty()) {
    TRAMA_ASSIGN_OR_RETURN(all, ReadLabelledTexts(options.val_data, options));
    TRAMA_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, LabelIds(all, loaded.class_names));
    TRAMA_ASSIGN_OR_RETURN(other, Encode(all, ids, *loaded.tokenizer));
  }
  std::vector<int64_t> examples = options.balance && !labels.empty()
                                      ? BalancedExamples(labels, options.seed)
                                      : AllExamples(sequences->size());
  const SequenceTargets targets = labels.empty() ? SequenceTargets::kNone : SequenceTargets::kClass;
  // Padding is masked: any id will do.
  const int32_t pad_id = std::max(PaddingId(options, *loaded.tokenizer), 0);
  TRAMA_RETURN_IF_ERROR(
      SplitSequences(sequences, std::move(examples), other, targets, pad_id, options, loaded));
  return loaded;
}

TRAMA_DATA_KIND((DataKind{"label TAB text, or a table with a text_column (classifiers of text)",
                          IsLabelledText,
                          LoadLabelledText,
                          /*priority=*/1,
                          {"splits", "balance"}}));

}  // namespace
}  // namespace trama
