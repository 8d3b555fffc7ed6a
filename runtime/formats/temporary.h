// What is written aside before it is renamed into place, and how leavings of killed writers are
// told from what a living one is writing: the writer holds a lock on it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace trama {

// A fresh name beside `path`: ".NAME.trama-tmp-RANDOM".
std::string TemporaryNameFor(const std::string& path);
bool IsTemporaryName(std::string_view name);
// Removes from `directory` every temporary that no living process has locked; with a name, only
// those of that file or directory.
absl::Status RemoveStaleTemporaries(const std::string& directory, const std::string& name = "");

}  // namespace trama
