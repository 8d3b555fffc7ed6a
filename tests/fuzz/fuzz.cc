#include "tests/fuzz/fuzz.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace trama::fuzz {
namespace fs = std::filesystem;
namespace {

struct Folder {
  std::string path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "trama-fuzz-XXXXXX").string();
    if (mkdtemp(name.data())) path = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

}  // namespace

std::map<std::string, std::string> Files(std::string_view input) {
  constexpr std::string_view kMark = "==== ";
  std::map<std::string, std::string> files;
  std::string* file = nullptr;
  while (!input.empty()) {
    const size_t end = input.find('\n');
    const std::string_view line = input.substr(0, end);
    if (line.substr(0, kMark.size()) == kMark) {
      file = &files[std::string(line.substr(kMark.size()))];
    } else if (file) {
      file->append(line);
      if (end != std::string_view::npos) file->push_back('\n');
    }
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  }
  return files;
}

std::string FolderOf(const std::map<std::string, std::string>& files,
                     std::initializer_list<const char*> known) {
  static const Folder folder;
  for (const char* name : known) {
    const std::string path = folder.path + "/" + name;
    const auto file = files.find(name);
    std::error_code ignored;
    if (file == files.end())
      fs::remove(path, ignored);
    else
      std::ofstream(path, std::ios::binary) << file->second;
  }
  return folder.path;
}

}  // namespace trama::fuzz
