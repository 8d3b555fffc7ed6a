// --config=FILE: a command's flags as a text-format protocol buffer.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tools/trama/flags.h"

namespace trama::cli {

// Reads a textproto whose fields are `specs`, by their names and kinds (bool, int64, double,
// string, repeated string), into `flags`: what the user gave wins, of repeated ones key by key.
// NotFound for the file; InvalidArgument "PATH:LINE: WHAT" for its first error, which suggests the
// nearest field for an unknown one.
absl::Status ReadConfigFile(const std::string& path, absl::Span<const FlagSpec> specs,
                            Flags* flags);

}  // namespace trama::cli
