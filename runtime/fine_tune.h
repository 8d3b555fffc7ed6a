// Changing a loaded model so that it can be fine-tuned for something else.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "runtime/model_directory.h"

namespace trama {

// Makes the model anew with `changes` to its config. Parameters keep their values where they have
// the same name and shape, the others are drawn from `seed`; where the weights are not loaded, none
// are. InvalidArgument for a key that the family has not.
absl::Status Reconfigure(const Config& changes, uint64_t seed, LoadedModel* model);

// Gives the model a fresh head for this many classes, unless it has one of that size.
absl::Status EnsureHead(int64_t classes, uint64_t seed, LoadedModel* model);

// Whether the model gives one class an example: a classifier, or any model with a head for one.
bool Classifies(const LoadedModel& model);

}  // namespace trama
