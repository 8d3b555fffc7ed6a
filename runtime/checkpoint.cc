#include "runtime/checkpoint.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "runtime/formats/crc32c.h"
#include "runtime/formats/directory_transaction.h"
#include "runtime/formats/file.h"
#include "runtime/formats/safetensors.h"
#include "runtime/formats/temporary.h"

namespace trama {
namespace {

constexpr char kParameters[] = "model.safetensors";
constexpr char kOptimizer[] = "optimizer.safetensors";
constexpr char kTrainerState[] = "trainer_state.json";
constexpr char kManifest[] = "manifest.json";
constexpr int64_t kFormat = 1;

absl::Status Damaged(const std::string& path, const std::string& why) {
  return absl::DataLossError(absl::StrCat("damaged checkpoint: ", path, " (", why, ")"));
}

struct FileSum {
  int64_t bytes = 0;
  std::string crc32c;
};
absl::StatusOr<FileSum> SumOf(const std::string& path) {
  FileSum sum;
  uint32_t crc = 0;
  TRAMA_RETURN_IF_ERROR(ReadPieces(path, [&](std::string_view piece) {
    sum.bytes += static_cast<int64_t>(piece.size());
    crc = Crc32c(piece, crc);
  }));
  sum.crc32c = Crc32cHex(crc);
  return sum;
}

// The manifest: {"format", "files": {NAME: {"bytes", "crc32c"}}} and the checksum of that as Dump
// writes it, "crc32c".
absl::Status WriteManifest(const std::string& directory) {
  Json files = Json::MakeObject();
  for (const char* name : {kParameters, kOptimizer, kTrainerState}) {
    TRAMA_ASSIGN_OR_RETURN(const FileSum sum, SumOf(JoinPath(directory, name)));
    files.Set(name, Json::MakeObject({{"bytes", sum.bytes}, {"crc32c", sum.crc32c}}));
  }
  Json manifest = Json::MakeObject({{"format", kFormat}, {"files", std::move(files)}});
  manifest.Set("crc32c", Crc32cHex(manifest.Dump()));
  return AtomicWriteFile(JoinPath(directory, kManifest), manifest.Dump(2) + "\n");
}

absl::StatusOr<Json> ReadManifest(const std::string& directory) {
  const std::string path = JoinPath(directory, kManifest);
  absl::StatusOr<Json> manifest = Json::ParseFile(path);
  if (!manifest.ok()) return Damaged(path, std::string(manifest.status().message()));
  Json::Object members = manifest->object();
  const Json::Member crc = members.empty() ? Json::Member() : members.back();
  if (!members.empty()) members.pop_back();
  if (crc.first != "crc32c" ||
      crc.second != Json(Crc32cHex(Json::MakeObject(std::move(members)).Dump())))
    return Damaged(path, "its checksum is wrong");
  const absl::StatusOr<int64_t> format = manifest->Get<int64_t>("format");
  const Json* files = manifest->Find("files");
  if (!format.ok() || *format > kFormat || !files)
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": not of a format that this program reads, ", kFormat));
  return *files;
}

// Maps a file and holds it against the manifest.
absl::StatusOr<MappedFile> OpenVerified(const std::string& directory, const Json& files,
                                        const char* name) {
  const std::string path = JoinPath(directory, name);
  const Json* entry = files.Find(name);
  if (!entry) return Damaged(JoinPath(directory, kManifest), absl::StrCat("no entry for ", name));
  TRAMA_ASSIGN_OR_RETURN(const int64_t bytes, entry->Get<int64_t>("bytes"));
  TRAMA_ASSIGN_OR_RETURN(const std::string crc, entry->Get<std::string>("crc32c"));
  absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) return Damaged(path, std::string(file.status().message()));
  if (static_cast<int64_t>(file->bytes().size()) != bytes)
    return Damaged(path, absl::StrCat(file->bytes().size(), " bytes, not ", bytes));
  if (Crc32cHex(file->bytes()) != crc) return Damaged(path, "its checksum is wrong");
  return file;
}

absl::StatusOr<TensorMap> ReadTensors(const std::string& directory, const Json& files,
                                      const char* name) {
  TRAMA_ASSIGN_OR_RETURN(const MappedFile mapped, OpenVerified(directory, files, name));
  TRAMA_ASSIGN_OR_RETURN(const SafetensorsFile file,
                         SafetensorsFile::Parse(mapped.bytes(), mapped.path()));
  TensorMap tensors;
  for (const SafetensorsFile::Entry& entry : file.entries())
    tensors.emplace(entry.name, file.Read(entry));
  return tensors;
}

}  // namespace

absl::Status SaveCheckpoint(const std::string& model_dir, const CheckpointSource& checkpoint) {
  const std::string target = JoinPath(model_dir, kCheckpointDirectory);
  TRAMA_ASSIGN_OR_RETURN(DirectoryTransaction transaction, DirectoryTransaction::Begin(target));
  const std::string& aside = transaction.path();
  TRAMA_RETURN_IF_ERROR(
      WriteSafetensors(JoinPath(aside, kParameters), checkpoint.parameters, {{"format", "pt"}}));
  TRAMA_RETURN_IF_ERROR(WriteSafetensors(JoinPath(aside, kOptimizer), checkpoint.optimizer));
  TRAMA_RETURN_IF_ERROR(
      AtomicWriteFile(JoinPath(aside, kTrainerState), checkpoint.trainer_state.Dump(2) + "\n"));
  TRAMA_RETURN_IF_ERROR(WriteManifest(aside));
  TRAMA_RETURN_IF_ERROR(transaction.Commit());
  return PublishFile(JoinPath(target, kParameters), JoinPath(model_dir, kParameters));
}

absl::Status SaveCheckpoint(const std::string& model_dir, const Checkpoint& checkpoint) {
  return SaveCheckpoint(model_dir, {SourcesOf(checkpoint.parameters),
                                    SourcesOf(checkpoint.optimizer), checkpoint.trainer_state});
}

bool HasCheckpoint(const std::string& model_dir) {
  return FileExists(JoinPath(model_dir, kCheckpointDirectory));
}

absl::StatusOr<Checkpoint> LoadCheckpoint(const std::string& model_dir) {
  const std::string directory = JoinPath(model_dir, kCheckpointDirectory);
  if (!FileExists(directory))
    return absl::NotFoundError(absl::StrCat("no checkpoint: ", directory));
  TRAMA_ASSIGN_OR_RETURN(const Json files, ReadManifest(directory));
  Checkpoint checkpoint;
  TRAMA_ASSIGN_OR_RETURN(checkpoint.parameters, ReadTensors(directory, files, kParameters));
  TRAMA_ASSIGN_OR_RETURN(checkpoint.optimizer, ReadTensors(directory, files, kOptimizer));
  TRAMA_ASSIGN_OR_RETURN(const MappedFile state, OpenVerified(directory, files, kTrainerState));
  TRAMA_ASSIGN_OR_RETURN(checkpoint.trainer_state, Json::Parse(state.bytes()));
  return checkpoint;
}

absl::Status RecoverModelDirectory(const std::string& model_dir) {
  TRAMA_RETURN_IF_ERROR(RecoverDirectory(model_dir));
  if (!IsDirectory(model_dir)) return absl::OkStatus();
  TRAMA_RETURN_IF_ERROR(RecoverDirectory(JoinPath(model_dir, kCheckpointDirectory)));
  TRAMA_RETURN_IF_ERROR(RecoverDirectory(JoinPath(model_dir, kBestDirectory)));
  return RemoveStaleTemporaries(model_dir);
}

}  // namespace trama
