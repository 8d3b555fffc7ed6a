// A directory written aside and put in place at once, so that a crash at any moment leaves the old
// directory or the new one whole.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace trama {

class DirectoryTransaction {
 public:
  // Makes an empty directory beside `target` to write into. `target` may exist or not.
  static absl::StatusOr<DirectoryTransaction> Begin(const std::string& target);
  DirectoryTransaction(DirectoryTransaction&& other) noexcept;
  DirectoryTransaction& operator=(DirectoryTransaction&& other) = delete;
  ~DirectoryTransaction();  // removes what was not committed

  // Where to write the files. Nothing in it is seen under `target` before Commit.
  const std::string& path() const { return temporary_; }
  // Syncs every file, then swaps the directory with `target` in one rename and removes the old.
  absl::Status Commit();

 private:
  DirectoryTransaction() = default;
  std::string target_, temporary_;
  int lock_ = -1;
};

// The error that writing into the directory `target` would end with (a file system that is
// read-only, a name that is too long), known before there is anything to write. Makes nothing.
absl::Status CheckWritable(const std::string& target);

// Whether a transaction can put another directory in the place of `target`, which exists: it is not
// where a file system is mounted, and its parent can be written.
bool CanReplace(const std::string& target);

// What a program does before it reads or writes `target`: puts back a directory that a crash
// caught between two renames (only on file systems that cannot exchange two directories), and
// removes what killed writers left beside it.
absl::Status RecoverDirectory(const std::string& target);

}  // namespace trama
