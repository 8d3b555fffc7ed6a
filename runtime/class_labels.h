// How `transformers` says in config.json that a model classifies sequences, and as what: by
// "architectures" and by "id2label" with its inverse "label2id".
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/config.h"
#include "frontend/model.h"
#include "runtime/formats/json.h"

namespace trama {

// Sets num_labels and class_names of `config`, which was read from `json`, where they are absent
// and the file is a classifier's. Names that say nothing (LABEL_0) are none. InvalidArgument for
// ids that are not 0, 1, .. or not as many as num_labels.
absl::Status ReadClassLabels(const ModelEntry& entry, const Json& json, Config* config);

// `config` as config.json has it, with what `transformers` reads of the classes where it has such a
// model. The order of its keys is the same for a config that was read from such a file.
absl::StatusOr<Json> ConfigWithClassLabels(const ModelEntry& entry, Config config);

}  // namespace trama
