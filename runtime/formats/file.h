// Files: reading, mapping, and writing so that a crash leaves the old content or the new, never a
// part. Errors are one line, "cannot WHAT: PATH (WHY)", with the code of the errno.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace trama {

// "cannot WHAT: PATH (strerror)" with the status code that `error` (an errno) maps to.
absl::Status FileError(std::string_view what, std::string_view path, int error);

// "; did you mean NAME?" of the files beside `path`, which is not there; "" where none is near.
std::string DidYouMeanFile(const std::string& path);

bool FileExists(const std::string& path);
// Whether both paths lead to one file or directory, which exists.
bool SameFile(const std::string& a, const std::string& b);
bool IsDirectory(const std::string& path);
// `path` with symbolic links resolved; where nothing exists, what the last link leads to.
std::string ResolveLinks(const std::string& path);
// DIR/NAME with one slash between.
std::string JoinPath(std::string_view directory, std::string_view name);
// The folder that holds `path` ("." where it names none), and the last part of it.
std::string DirectoryOf(std::string_view path);
std::string FileNameOf(std::string_view path);
// The extension with its dot in lower case: ".txt", "" where there is none.
std::string ExtensionOf(std::string_view path);

absl::StatusOr<std::string> ReadFile(const std::string& path);
// Calls `use` with one piece of the file after another, in memory that does not grow with it.
absl::Status ReadPieces(const std::string& path, absl::FunctionRef<void(std::string_view)> use);
// The names in a directory (not "." and ".."), sorted.
absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path);
// Makes the directory and its parents; one that is there already is fine.
absl::Status MakeDirectories(const std::string& path);
// Removes a file, or a directory with all in it; what is not there is fine.
absl::Status RemoveAll(const std::string& path);
// Flushes a directory's entries to the disk.
absl::Status SyncDirectory(const std::string& path);

// A file mapped read-only. Its bytes are valid while it lives.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }
  const std::string& path() const { return path_; }
  // Takes the whole pages of `part`, a part of bytes(), out of the process's memory; whoever looks
  // there again reads them anew.
  void Release(std::string_view part) const;

 private:
  MappedFile() = default;
  std::string path_;
  void* data_ = nullptr;
  size_t size_ = 0;
};

// Writes `path` aside and puts it in place on Commit: written, synced, renamed, directory synced.
// Without a Commit, or when one fails, nothing remains. A path that is a device or a pipe is
// written directly. Symbolic links are followed.
class AtomicFile {
 public:
  static absl::StatusOr<AtomicFile> Create(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) = delete;
  ~AtomicFile();

  absl::Status Write(std::string_view bytes);
  absl::Status Commit();

 private:
  AtomicFile() = default;
  std::string path_;       // as the caller named it, for messages
  std::string target_;     // links resolved
  std::string temporary_;  // "" where `target_` is written directly
  int fd_ = -1;
};

absl::Status AtomicWriteFile(const std::string& path, std::string_view bytes);

// Gives `to` the content of `from` in one step: a hard link where the file system can, else a copy.
// Sound because this library replaces files by renaming and never writes into one.
absl::Status PublishFile(const std::string& from, const std::string& to);

}  // namespace trama
