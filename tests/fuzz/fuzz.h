// What the fuzz targets share. Each NAME_fuzz.cc has libFuzzer's LLVMFuzzerTestOneInput; without
// libFuzzer standalone.cc calls it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace trama::fuzz {

inline std::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Several files in one input: each after a line "==== NAME".
std::map<std::string, std::string> Files(std::string_view input);

// A folder of this process's own, emptied and filled with `files` whose names are in `known`.
std::string FolderOf(const std::map<std::string, std::string>& files,
                     std::initializer_list<const char*> known);

}  // namespace trama::fuzz
