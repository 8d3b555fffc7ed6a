// The flags that give a model a head of classes.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "runtime/model_directory.h"
#include "tools/trama/command.h"

namespace trama::cli {

// --num_labels and --pool, behind `flags`.
std::vector<FlagSpec> WithHeadFlags(std::vector<FlagSpec> flags);

// The head that they ask for, fresh from --seed unless the model has one of that size. Wrong usage
// where the family has no such head, or --pool is given and the model gets none.
absl::Status AddHead(const Flags& flags, LoadedModel* model);

}  // namespace trama::cli
