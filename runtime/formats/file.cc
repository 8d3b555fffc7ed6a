#include "runtime/formats/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/formats/temporary.h"

namespace trama {
namespace {

// Closes a descriptor at the end of its scope.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return FileError("write", path, written < 0 ? errno : ENOSPC);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// With the nearest name beside it, where there is no such file.
absl::Status CannotOpen(const std::string& path, int error) {
  const absl::Status status = FileError("read", path, error);
  if (error != ENOENT) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(), DidYouMeanFile(path)));
}

}  // namespace

std::string DidYouMeanFile(const std::string& path) {
  const absl::StatusOr<std::vector<std::string>> beside = ListDirectory(DirectoryOf(path));
  return beside.ok() ? DidYouMean(FileNameOf(path), *beside) : "";
}

absl::Status FileError(std::string_view what, std::string_view path, int error) {
  return absl::Status(
      absl::ErrnoToStatusCode(error),
      absl::StrCat("cannot ", absl::string_view(what.data(), what.size()), ": ",
                   absl::string_view(path.data(), path.size()), " (", strerror(error), ")"));
}

bool SameFile(const std::string& a, const std::string& b) {
  struct stat first, second;
  return stat(a.c_str(), &first) == 0 && stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool FileExists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

bool IsDirectory(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string ResolveLinks(const std::string& path) {
  char resolved[PATH_MAX];
  std::string end = path;
  constexpr int kMost = 40;  // links, as the kernel has it
  for (int link = 0; link < kMost; ++link) {
    if (realpath(end.c_str(), resolved)) return resolved;
    const ssize_t length = readlink(end.c_str(), resolved, sizeof(resolved));
    if (length < 0) return end;
    const std::string_view to(resolved, static_cast<size_t>(length));
    end = to.starts_with('/') ? std::string(to) : JoinPath(DirectoryOf(end), to);
  }
  return path;
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty() && path.back() != '/') path += '/';
  return path.append(name);
}

std::string DirectoryOf(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<size_t>(slash, 1)));
}

std::string FileNameOf(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string ExtensionOf(std::string_view path) {
  const std::string name = FileNameOf(path);
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0) return "";
  return absl::AsciiStrToLower(name.substr(dot));
}

absl::Status ReadPieces(const std::string& path, absl::FunctionRef<void(std::string_view)> use) {
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return CannotOpen(path, errno);
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = read(file.fd, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError("read", path, errno);
    if (count == 0) return absl::OkStatus();
    use({buffer, static_cast<size_t>(count)});
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::string bytes;
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode))
    bytes.reserve(static_cast<size_t>(info.st_size));
  TRAMA_RETURN_IF_ERROR(ReadPieces(path, [&](std::string_view piece) { bytes.append(piece); }));
  return bytes;
}

absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (!directory) return FileError("list", path, errno);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status MakeDirectories(const std::string& path) {
  if (IsDirectory(path)) return absl::OkStatus();
  const std::string parent = DirectoryOf(path);
  if (parent != path && !IsDirectory(parent)) TRAMA_RETURN_IF_ERROR(MakeDirectories(parent));
  if (mkdir(path.c_str(), 0777) != 0 && !(errno == EEXIST && IsDirectory(path)))
    return FileError("make the directory", path, errno);
  return absl::OkStatus();
}

absl::Status RemoveAll(const std::string& path) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0)
    return errno == ENOENT ? absl::OkStatus() : FileError("remove", path, errno);
  if (S_ISDIR(info.st_mode)) {
    TRAMA_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(path));
    for (const std::string& name : names) TRAMA_RETURN_IF_ERROR(RemoveAll(JoinPath(path, name)));
    if (rmdir(path.c_str()) != 0 && errno != ENOENT) return FileError("remove", path, errno);
    return absl::OkStatus();
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return FileError("remove", path, errno);
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  const Descriptor directory{open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory.fd < 0) return FileError("sync", path, errno);
  // Some file systems have nothing to sync for a directory and say EINVAL.
  if (fsync(directory.fd) != 0 && errno != EINVAL) return FileError("sync", path, errno);
  return absl::OkStatus();
}

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return CannotOpen(path, errno);
  struct stat info;
  if (fstat(file.fd, &info) != 0) return FileError("read", path, errno);
  if (S_ISDIR(info.st_mode)) return FileError("read", path, EISDIR);
  if (!S_ISREG(info.st_mode))
    return absl::InvalidArgumentError(absl::StrCat("cannot map: ", path, " (not a regular file)"));
  MappedFile mapped;
  mapped.path_ = path;
  mapped.size_ = static_cast<size_t>(info.st_size);
  if (mapped.size_ == 0) return mapped;
  void* data = mmap(nullptr, mapped.size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (data == MAP_FAILED) {
    mapped.size_ = 0;
    return FileError("map", path, errno);
  }
  mapped.data_ = data;
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedFile::Release(std::string_view part) const {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(part.data()), end = begin + part.size();
  const uintptr_t first = (begin + page - 1) / page * page, last = end / page * page;
  // What fails to go stays, and costs memory alone.
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_) munmap(data_, size_);
}

absl::StatusOr<AtomicFile> AtomicFile::Create(const std::string& path) {
  AtomicFile file;
  file.path_ = path;
  file.target_ = ResolveLinks(path);
  struct stat info;
  if (stat(file.target_.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    file.fd_ = open(file.target_.c_str(), O_WRONLY | O_CLOEXEC);
    if (file.fd_ < 0) return FileError("write", path, errno);
    return file;
  }
  const std::string temporary = TemporaryNameFor(file.target_);
  file.fd_ = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file.fd_ < 0) return FileError("write", path, errno);
  file.temporary_ = temporary;
  flock(file.fd_, LOCK_EX | LOCK_NB);  // tells RemoveStaleTemporaries that a writer lives
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, "")),
      fd_(std::exchange(other.fd_, -1)) {}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status AtomicFile::Write(std::string_view bytes) { return WriteAll(fd_, bytes, path_); }

absl::Status AtomicFile::Commit() {
  if (temporary_.empty()) {
    if (close(std::exchange(fd_, -1)) != 0) return FileError("write", path_, errno);
    return absl::OkStatus();
  }
  if (fsync(fd_) != 0) return FileError("sync", path_, errno);
  if (close(std::exchange(fd_, -1)) != 0) return FileError("write", path_, errno);
  if (rename(temporary_.c_str(), target_.c_str()) != 0) return FileError("write", path_, errno);
  temporary_.clear();
  return SyncDirectory(DirectoryOf(target_));
}

absl::Status AtomicWriteFile(const std::string& path, std::string_view bytes) {
  TRAMA_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  TRAMA_RETURN_IF_ERROR(file.Write(bytes));
  return file.Commit();
}

absl::Status PublishFile(const std::string& from, const std::string& to) {
  const std::string temporary = TemporaryNameFor(to);
  if (link(from.c_str(), temporary.c_str()) == 0) {
    // Renaming one link of a file over another of the same file does nothing and keeps both.
    if (rename(temporary.c_str(), to.c_str()) != 0) {
      const int error = errno;
      unlink(temporary.c_str());
      return FileError("write", to, error);
    }
    unlink(temporary.c_str());
    return SyncDirectory(DirectoryOf(to));
  }
  TRAMA_ASSIGN_OR_RETURN(const MappedFile source, MappedFile::Open(from));
  return AtomicWriteFile(to, source.bytes());
}

}  // namespace trama
