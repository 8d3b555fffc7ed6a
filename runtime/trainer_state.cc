// What a run keeps: checkpoints, the best parameters, and going on from them.
#include <cmath>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/checkpoint.h"
#include "runtime/formats/directory_transaction.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"
#include "runtime/formats/temporary.h"
#include "runtime/lora.h"
#include "runtime/trainer.h"

namespace trama {
namespace {
constexpr int64_t kVersion = 2;  // of trainer_state.json and the names in optimizer.safetensors

// Version 1 has optimizer.m.NAME for optimizer:m.NAME. Its sums of gradients are zeros, as a
// checkpoint is written between updates.
TensorMap FromVersion1(TensorMap&& then) {
  constexpr std::string_view kOptimizer = "optimizer.";
  TensorMap now;
  for (auto& [name, tensor] : then) {
    if (name.starts_with("accumulated.")) continue;
    const bool moment = name.starts_with(kOptimizer);
    now.emplace(moment ? "optimizer:" + name.substr(kOptimizer.size()) : name, std::move(tensor));
  }
  return now;
}

// The state's tensors, read while they are written: from `copy`, one at a time, where the host
// cannot address the device's memory.
std::vector<TensorSource> SourcesOf(const Session& session, bool parameters, HostTensor* copy) {
  std::vector<TensorSource> sources;
  for (const auto& [name, slot] : session.state()) {
    if ((slot.role == "parameter") != parameters) continue;
    auto bytes = [&session, copy, slot = &slot]() -> absl::StatusOr<std::string_view> {
      const std::byte* data = slot->mapped;
      if (!data) {
        TRAMA_RETURN_IF_ERROR(session.Read(*slot, copy));
        data = copy->bytes.data();
      }
      return std::string_view(reinterpret_cast<const char*>(data), slot->bytes);
    };
    sources.push_back({name, slot.dtype, slot.shape, std::move(bytes)});
  }
  return sources;
}
// Whether more than a run's own directories are in it.
bool HasOtherDirectories(const std::string& directory) {
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(directory);
  return !names.ok() || absl::c_any_of(*names, [&](const std::string& name) {
    return IsDirectory(JoinPath(directory, name)) && name != kBestDirectory &&
           name != kCheckpointDirectory && !IsTemporaryName(name);
  });
}

// Puts the files of `from` that `to` has not into it too, by a link where that can be: the metrics
// that are being written, somebody's notes. Those that a model is read from only with
// `model_files`.
absl::Status KeepFiles(const std::string& from, const std::string& to, bool model_files) {
  TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(from));
  for (const std::string& name : names) {
    const std::string file = JoinPath(from, name);
    if (IsDirectory(file) || FileExists(JoinPath(to, name)) || IsTemporaryName(name)) continue;
    if (model_files || !IsModelFile(name))
      TRAMA_RETURN_IF_ERROR(PublishFile(file, JoinPath(to, name)));
  }
  return absl::OkStatus();
}
}  // namespace

absl::Status Trainer::Resume() {
  if (!HasCheckpoint(options_.out)) return absl::OkStatus();  // starts afresh
  TRAMA_ASSIGN_OR_RETURN(Checkpoint checkpoint, LoadCheckpoint(options_.out));
  const Json& state = checkpoint.trainer_state;
  const char* optimizer = NameOf(options_.optimizer.kind);
  TRAMA_ASSIGN_OR_RETURN(const std::string then, state.GetOr<std::string>("optimizer", optimizer));
  if (then != optimizer)
    return absl::FailedPreconditionError(
        absl::StrCat("the run that is resumed had optimizer ", then, ", this one has ", optimizer));
  if (const Json* trained = state.Find("trained");
      trained && *trained != Json::ArrayOf(options_.trainable))
    return absl::FailedPreconditionError(
        "the run that is resumed trained other parameters (--freeze and --train_only say which)");
  resumed_ = true;
  TRAMA_RETURN_IF_ERROR(session_->TakeState(std::move(checkpoint.parameters)));
  TRAMA_ASSIGN_OR_RETURN(const int64_t version, state.GetOr<int64_t>("version", 1));
  if (version > kVersion)
    return absl::FailedPreconditionError(absl::StrCat(
        options_.out, ": the checkpoint is of version ", version, ", beyond ", kVersion));
  TRAMA_RETURN_IF_ERROR(session_->TakeState(version == 1
                                                ? FromVersion1(std::move(checkpoint.optimizer))
                                                : std::move(checkpoint.optimizer),
                                            /*partial=*/true));
  TRAMA_ASSIGN_OR_RETURN(step_, state.Get<int64_t>("step"));
  TRAMA_ASSIGN_OR_RETURN(evaluations_since_best_, state.Get<int64_t>("evaluations_since_best"));
  TRAMA_ASSIGN_OR_RETURN(best_step_, state.GetOr<int64_t>("best_step", 0));
  TRAMA_ASSIGN_OR_RETURN(best_val_loss_, state.GetOr<double>("best_val_loss", best_val_loss_));
  TRAMA_ASSIGN_OR_RETURN(tokens_, state.GetOr<int64_t>("tokens", 0));
  TRAMA_ASSIGN_OR_RETURN(loss_, state.GetOr<double>("loss", loss_));
  TRAMA_ASSIGN_OR_RETURN(val_loss_, state.GetOr<double>("val_loss", val_loss_));
  if (const Json* position = state.Find("position"))
    TRAMA_RETURN_IF_ERROR(batches_->Restore(*position));
  return absl::OkStatus();
}

absl::Status Trainer::WriteCheckpoint() {
  if (options_.out.empty()) return absl::OkStatus();
  CheckpointSource checkpoint;
  HostTensor copy;
  checkpoint.parameters = SourcesOf(*session_, /*parameters=*/true, &copy);
  checkpoint.optimizer = SourcesOf(*session_, /*parameters=*/false, &copy);
  Json& state = checkpoint.trainer_state;
  state = Json::MakeObject();
  state.Set("version", kVersion);
  state.Set("step", step_);
  state.Set("optimizer", NameOf(options_.optimizer.kind));
  state.Set("trained", Json::ArrayOf(options_.trainable));  // none where all are
  state.Set("seed", static_cast<int64_t>(options_.seed));
  state.Set("position", batches_->Position());
  state.Set("tokens", tokens_);
  if (std::isfinite(loss_)) state.Set("loss", loss_);
  if (std::isfinite(val_loss_)) state.Set("val_loss", val_loss_);
  state.Set("evaluations_since_best", evaluations_since_best_);
  state.Set("best_step", best_step_);
  if (std::isfinite(best_val_loss_)) state.Set("best_val_loss", best_val_loss_);
  if (wrote_model_) return WriteCheckpointTo(options_.out, checkpoint);
  TRAMA_RETURN_IF_ERROR(WriteFirstCheckpoint(checkpoint));
  wrote_model_ = true;
  return absl::OkStatus();
}

// With the files that do not change while it trains.
absl::Status Trainer::WriteFirstCheckpoint(const CheckpointSource& checkpoint) {
  if (!FileExists(options_.out)) return WriteFreshDirectory(checkpoint);
  if (!resumed_) {
    // The other model is there until this one is, in one step. Where that cannot be, or the
    // directory has others in it, it is replaced file by file.
    if (CanReplace(options_.out) && !HasOtherDirectories(options_.out))
      return WriteFreshDirectory(checkpoint);
    TRAMA_RETURN_IF_ERROR(RemoveAll(JoinPath(options_.out, kBestDirectory)));
  }
  // What a full disk would stop comes first: the model that is there is whole until then.
  TRAMA_RETURN_IF_ERROR(WriteCheckpointTo(options_.out, checkpoint));
  // Of a model that is trained where it stands, what is not understood stays.
  TRAMA_RETURN_IF_ERROR(SameFile(options_.base_model, options_.out)
                            ? WriteModelConfig(model_, options_.out)
                            : ReplaceModelConfig(model_, options_.out));
  return HasLora(model_) ? absl::OkStatus() : RemoveAdapter(options_.out);
}

absl::Status Trainer::WriteFreshDirectory(const CheckpointSource& checkpoint) {
  const std::string& out = options_.out;
  TRAMA_ASSIGN_OR_RETURN(DirectoryTransaction fresh, DirectoryTransaction::Begin(out));
  TRAMA_RETURN_IF_ERROR(WriteModelConfig(model_, fresh.path()));
  TRAMA_RETURN_IF_ERROR(WriteCheckpointTo(fresh.path(), checkpoint));
  if (FileExists(out)) {
    // Of a model that is trained where it stands, what is not understood stays.
    TRAMA_RETURN_IF_ERROR(KeepFiles(out, fresh.path(), SameFile(options_.base_model, out)));
    if (!HasLora(model_)) TRAMA_RETURN_IF_ERROR(RemoveAdapter(fresh.path()));
  }
  return fresh.Commit();
}

absl::Status Trainer::WriteCheckpointTo(const std::string& directory,
                                        const CheckpointSource& checkpoint) {
  TRAMA_RETURN_IF_ERROR(SaveCheckpoint(directory, checkpoint));
  return HasLora(model_) ? WriteAdapterFiles(directory) : absl::OkStatus();
}

absl::Status Trainer::WriteAdapterFiles(const std::string& directory) {
  TensorMap adapter;
  for (const auto& [name, slot] : session_->state())
    if (slot.role == "parameter" && IsAdapterParameter(name))
      TRAMA_RETURN_IF_ERROR(session_->Read(slot, &adapter[name]));
  return WriteAdapter(model_, adapter, options_.base_model, directory);
}

absl::Status Trainer::WriteBest() {
  if (options_.out.empty() || options_.eval_every == 0) return absl::OkStatus();
  TRAMA_ASSIGN_OR_RETURN(DirectoryTransaction best,
                         DirectoryTransaction::Begin(JoinPath(options_.out, kBestDirectory)));
  HostTensor copy;
  TRAMA_RETURN_IF_ERROR(WriteModelConfig(model_, best.path()));
  TRAMA_RETURN_IF_ERROR(WriteSafetensors(JoinPath(best.path(), "model.safetensors"),
                                         SourcesOf(*session_, /*parameters=*/true, &copy),
                                         {{"format", "pt"}}));
  if (HasLora(model_)) TRAMA_RETURN_IF_ERROR(WriteAdapterFiles(best.path()));
  const Json evaluation = Json::MakeObject({{"step", best_step_}, {"val_loss", best_val_loss_}});
  TRAMA_RETURN_IF_ERROR(
      AtomicWriteFile(JoinPath(best.path(), "evaluation.json"), evaluation.Dump() + "\n"));
  return best.Commit();
}

}  // namespace trama
