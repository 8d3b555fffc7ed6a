// Compiled kernels on disk: one file a kernel, safe with several processes and damaged files.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace trama::codegen {

class ObjectCache {
 public:
  // Files go to `directory`, which is made when first needed. "" keeps nothing.
  explicit ObjectCache(std::string directory) : directory_(std::move(directory)) {}

  // $XDG_CACHE_HOME/trama, ~/.cache/trama, or "" where neither is known.
  static std::string DefaultDirectory();

  // The content stored under `key` (hexadecimal digits); nullopt where there is none or its
  // checksum is wrong.
  std::optional<std::string> Find(std::string_view key) const;
  // Written aside and renamed: a reader sees a whole file or none. What cannot be written is not
  // kept; that is no error.
  void Store(std::string_view key, std::string_view content) const;

 private:
  std::string Path(std::string_view key) const;
  std::string directory_;
};

// The whole of `content` in `path`, whose folder is made: written aside and renamed, so that a
// reader sees what was there or all of it.
std::error_code ReplaceFile(const std::string& path, std::string_view content);

// SHA-256 as 64 hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);

}  // namespace trama::codegen
