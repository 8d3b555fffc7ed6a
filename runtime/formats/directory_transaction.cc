#include "runtime/formats/directory_transaction.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/temporary.h"

namespace trama {
namespace {

std::string BackupOf(const std::string& target) {
  return JoinPath(DirectoryOf(target), "." + FileNameOf(target) + ".trama-old");
}

absl::Status SyncTree(const std::string& path) {
  if (!IsDirectory(path)) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return FileError("sync", path, errno);
    const int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return error ? FileError("sync", path, error) : absl::OkStatus();
  }
  TRAMA_ASSIGN_OR_RETURN(const auto names, ListDirectory(path));
  for (const std::string& name : names) TRAMA_RETURN_IF_ERROR(SyncTree(JoinPath(path, name)));
  return SyncDirectory(path);
}

}  // namespace

absl::StatusOr<DirectoryTransaction> DirectoryTransaction::Begin(const std::string& path) {
  const std::string target = ResolveLinks(path);
  TRAMA_RETURN_IF_ERROR(MakeDirectories(DirectoryOf(target)));
  DirectoryTransaction transaction;
  transaction.target_ = target;
  const std::string temporary = TemporaryNameFor(target);
  if (mkdir(temporary.c_str(), 0777) != 0) return FileError("make the directory", target, errno);
  transaction.temporary_ = temporary;
  transaction.lock_ = open(temporary.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (transaction.lock_ < 0) return FileError("make the directory", target, errno);
  flock(transaction.lock_, LOCK_EX | LOCK_NB);
  return transaction;
}

DirectoryTransaction::DirectoryTransaction(DirectoryTransaction&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, "")),
      lock_(std::exchange(other.lock_, -1)) {}

DirectoryTransaction::~DirectoryTransaction() {
  if (!temporary_.empty()) RemoveAll(temporary_).IgnoreError();
  if (lock_ >= 0) close(lock_);
}

absl::Status DirectoryTransaction::Commit() {
  TRAMA_RETURN_IF_ERROR(SyncTree(temporary_));
  const std::string parent = DirectoryOf(target_);
  const char* from = temporary_.c_str();
  const char* to = target_.c_str();
  if (!FileExists(target_)) {
    if (rename(from, to) != 0) return FileError("write", target_, errno);
    temporary_.clear();
    return SyncDirectory(parent);
  }
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0) {
    TRAMA_RETURN_IF_ERROR(SyncDirectory(parent));
    return RemoveAll(std::exchange(temporary_, ""));  // the old content now
  }
  if (errno != EINVAL && errno != ENOSYS) return FileError("write", target_, errno);
  // No exchange here: between these two renames the old content stands under the backup's name,
  // from where RecoverDirectory brings it back.
  const std::string backup = BackupOf(target_);
  TRAMA_RETURN_IF_ERROR(RemoveAll(backup));
  if (rename(to, backup.c_str()) != 0) return FileError("write", target_, errno);
  if (rename(from, to) != 0) {
    const int error = errno;
    rename(backup.c_str(), to);
    return FileError("write", target_, error);
  }
  temporary_.clear();
  TRAMA_RETURN_IF_ERROR(SyncDirectory(parent));
  return RemoveAll(backup);
}

absl::Status CheckWritable(const std::string& target) {
  std::string path = ResolveLinks(target);
  if (IsDirectory(path))
    return DirectoryTransaction::Begin(JoinPath(path, "trama_checkpoint")).status();
  while (!FileExists(DirectoryOf(path))) path = DirectoryOf(path);
  return DirectoryTransaction::Begin(path).status();
}

bool CanReplace(const std::string& target) {
  const std::string path = ResolveLinks(target);
  struct statx info;
  return statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, &info) == 0 &&
         !(info.stx_attributes & STATX_ATTR_MOUNT_ROOT) && DirectoryTransaction::Begin(path).ok();
}

absl::Status RecoverDirectory(const std::string& path) {
  const std::string target = ResolveLinks(path);
  const std::string parent = DirectoryOf(target);
  if (!IsDirectory(parent)) return absl::OkStatus();
  const std::string backup = BackupOf(target);
  if (FileExists(backup)) {
    if (FileExists(target)) {
      TRAMA_RETURN_IF_ERROR(RemoveAll(backup));
    } else if (rename(backup.c_str(), target.c_str()) != 0) {
      return FileError("restore", target, errno);
    }
  }
  return RemoveStaleTemporaries(parent, FileNameOf(target));
}

}  // namespace trama
