// Training checkpoints: MODEL_DIR/trama_checkpoint with model.safetensors (the parameters),
// optimizer.safetensors, trainer_state.json and a manifest of their checksums. A new one is written
// aside, synced and swapped in with one rename, so that a kill at any byte leaves the last one
// whole.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/host_tensor.h"
#include "runtime/formats/json.h"
#include "runtime/formats/safetensors.h"

namespace trama {

struct Checkpoint {
  TensorMap parameters;  // by state_dict name
  TensorMap optimizer;   // moments, and in the middle of an update the accumulated gradients
  Json trainer_state;    // step, data position, seeds, versions, config: an object
};

// The same, its tensors read from where they are while they are written.
struct CheckpointSource {
  std::vector<TensorSource> parameters, optimizer;
  Json trainer_state;
};

// Also gives MODEL_DIR/model.safetensors the parameters. On failure, a full disk included, the last
// checkpoint stays and nothing else remains.
absl::Status SaveCheckpoint(const std::string& model_dir, const CheckpointSource& checkpoint);
absl::Status SaveCheckpoint(const std::string& model_dir, const Checkpoint& checkpoint);

// True where there is one, whole or not.
bool HasCheckpoint(const std::string& model_dir);

// NotFound where there is none; DataLoss names the file that is missing or damaged.
absl::StatusOr<Checkpoint> LoadCheckpoint(const std::string& model_dir);

// In a model directory, that of the checkpoint.
inline constexpr char kCheckpointDirectory[] = "trama_checkpoint";
// And that of the best parameters so far: written aside and put in place at once.
inline constexpr char kBestDirectory[] = "best";

// To be called once by a run that will write to `model_dir`, before it looks for a checkpoint:
// removes what killed runs left half written.
absl::Status RecoverModelDirectory(const std::string& model_dir);

}  // namespace trama
