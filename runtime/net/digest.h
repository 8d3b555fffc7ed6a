// Digests by which published files are known.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace trama {

// In lower-case hexadecimal digits. Errors are those of reading.
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);
// What git calls a file of this content: SHA-1 of "blob SIZE\0" and the content.
absl::StatusOr<std::string> GitBlobOfFile(const std::string& path);

}  // namespace trama
