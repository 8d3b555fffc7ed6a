// The flags that say what data a command reads, and reading it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/data.h"
#include "runtime/model_directory.h"
#include "tools/trama/command.h"

namespace trama::cli {

enum class Purpose { kTrain, kEvaluate, kPredict };

// Those of the following that mean something for `purpose`, in front of `flags`:
// --data, --val_data, --val_fraction, --limit, --tokenizer, --seq_len, --stride, --target,
// --positive, --negative, --features, --text_column, --balance, --splits, --mask_instruction.
std::vector<FlagSpec> WithDataFlags(Purpose purpose, std::vector<FlagSpec> flags);

// The data for `model`, or for a new one of the family `name` where it is null: then the data comes
// first and the model is fitted to it. All but kTrain read everything in order, as validation;
// kPredict needs no labels.
absl::StatusOr<LoadedData> LoadDataFor(const Flags& flags, const LoadedModel* model,
                                       const std::string& name, Purpose purpose);

// Keeps what the data's table was made of in the model's config (feature_names, class_names,
// target, positive, negative, text_column, seq_len of padding that is read), so that eval and
// predict read other tables the same way.
void RememberTable(const Flags& flags, const LoadedData& data, LoadedModel* model);
// The names of the classes of a model that was trained on a table; empty where it was not.
std::vector<std::string> ClassNames(const LoadedModel& model);

}  // namespace trama::cli
